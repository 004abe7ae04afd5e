"""What a trained run pays attention to, and what it gets wrong: `lab explain`, `lab.explain`.

Start in explain.py. Nothing here trains, and nothing changes the metrics or the state of a run: what is found becomes
files of the run, below `explain/`.
"""
