"""Studies: what Optuna stored of them, read and drawn."""
