"""Comparisons: arms of one experiment, paired by seed, trained until a sequential test decides.

Start in run.py. comparison.py reads the file, replicates.py trains, verdicts.py decides, findings.py words it. The
arithmetic stands in estimates.py, boundaries.py and chances.py.
"""
