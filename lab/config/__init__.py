"""Configuration: YAML files and overrides to a checked, frozen Experiment. Start in experiment.py.

Nothing here imports torch, Lightning or MLflow: `lab --help` and every mistake in a file answer at once.
"""
