"""Tracking: recording runs in MLflow (writing/), and reading them back (reading/).

Only this package imports mlflow. Start in writing/tracker.py and reading/stored_runs.py.
"""
