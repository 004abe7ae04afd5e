"""Many trainings at once: a job is one training, and workers train jobs in this process, in others, or on a cluster.

Start in workers.py.
"""
