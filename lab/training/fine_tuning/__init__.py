"""Fine-tuning: weights to start from (start.py), frozen parts (freezing.py), rates of single parts (groups.py)."""
