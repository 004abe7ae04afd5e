"""Studies: Optuna searches an experiment's space, and the best trials are confirmed on fresh seeds.

Start in study.py, which tells the whole course: space.py, search.py, confirmation.py, report.py.
"""
