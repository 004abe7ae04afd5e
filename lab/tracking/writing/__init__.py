"""Writing runs: the training appends to a journal, a sender beside it brings the journal to MLflow.

Start in tracker.py, which a run holds on to; then journal.py, outbox.py, sender.py, upload.py.
"""
