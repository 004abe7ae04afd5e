"""Series in time: windows of a file's columns, split by time, and the trivial forecast; start in series.py."""
