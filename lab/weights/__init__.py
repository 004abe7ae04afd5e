"""Weights in files: read without unpickling (files.py), and loaded into a network as far as they fit (loading.py)."""
