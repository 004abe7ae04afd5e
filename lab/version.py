"""The version of the lab, which every run records."""

__version__ = "0.12.0"
