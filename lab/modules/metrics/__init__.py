"""The metrics of the tasks and of an experiment's `metrics:`, collected over an epoch; start in epoch_scores.py."""
