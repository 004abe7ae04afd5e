"""The lab in Python, for notebooks and scripts; `lab/__init__.py` exports it.

A function a file: it does what the command of the same name does, and returns what the command prints. What a process
needs that lives on after a call is in calls.py; start in training.py.
"""
