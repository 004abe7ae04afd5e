"""Sequences of unequal length: as NPZ files hold them (lengths.py), and in batches of similar length (buckets.py)."""
