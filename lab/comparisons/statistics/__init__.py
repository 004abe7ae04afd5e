"""The arithmetic of a verdict: estimates, boundaries, chances. Pure functions; nothing here trains or stores.

Start in verdicts.py.
"""
