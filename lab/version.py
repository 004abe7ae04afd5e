"""The version of the lab, which every run records."""

__version__ = "0.13.0"
