"""Which samples are for training, validation and testing; start reading in splits.py."""
