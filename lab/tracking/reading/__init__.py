"""Reading runs: one by its name (stored_runs.py), all of them as tables (tables.py, run_table.py)."""
