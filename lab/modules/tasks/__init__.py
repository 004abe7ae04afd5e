"""The LightningModules, one for each task, with what they share; start reading in task.py and classification.py."""
