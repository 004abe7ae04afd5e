"""Data modules: what reads, splits, scales and serves each kind of data."""
