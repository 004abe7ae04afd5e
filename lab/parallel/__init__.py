"""Many trainings: a job is one of them, workers train jobs here or on Ray. Start in workers.py."""
