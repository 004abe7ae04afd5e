"""Quick baselines: linear models by scikit-learn on the same split; start reading in quick_baseline.py."""
