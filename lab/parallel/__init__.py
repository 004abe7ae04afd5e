"""Many trainings at once: a job is one training, and workers train jobs in this process or on Ray.

Start in workers.py.
"""
