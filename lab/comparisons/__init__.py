"""Comparisons: arms of one experiment, paired by seed, trained until a sequential test decides.

Start in run.py. comparison.py reads the file, replicates.py trains, findings.py words it. The
arithmetic of the verdict stands in statistics/.
"""
