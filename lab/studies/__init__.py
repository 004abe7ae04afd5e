"""Studies: Optuna searches an experiment's space, and fresh seeds prove what it found."""
