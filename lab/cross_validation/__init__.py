"""k-fold cross-validation: an experiment is trained once per fold, and each sample is tested once.

Start in run.py.
"""
