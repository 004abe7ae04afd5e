"""Configuration: YAML files and overrides to a checked, frozen Experiment. Start in experiment.py.

Nothing here imports torch, Lightning or MLflow, so that `lab --help` and errors in a file appear immediately.
"""
