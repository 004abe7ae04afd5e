"""What other tools wrote, read as runs: one file per tool. Start reading in `finding.py`."""
