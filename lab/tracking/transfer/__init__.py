"""Runs from one store to another, and into this one. Start reading in `sync.py`."""
