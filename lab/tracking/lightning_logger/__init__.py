"""`lab.Logger`: the runs of existing Lightning code, recorded like the lab's own.

Start in logger.py; open_runs.py holds what is open in this process, recorder.py is `logger.experiment`.
"""
