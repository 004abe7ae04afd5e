"""Comparisons: arms of one experiment, paired by seed, until the evidence decides."""
