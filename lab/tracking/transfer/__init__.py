"""Runs from one store to another, and from what other tools wrote. Start reading in `sync.py`."""
