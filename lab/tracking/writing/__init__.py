"""Writing runs: training appends to a local journal, and a sender process uploads the journal to MLflow.

Start in tracker.py, the interface for training; then journal.py, outbox.py, sender.py, upload.py.
"""
