"""The lab: from a short YAML file to a trained, tracked and tested PyTorch model."""

__version__ = "0.1.0"
