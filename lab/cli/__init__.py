"""The `lab` command, a file for each group of commands; each imports what it needs late, so that `lab --help` is fast.

Start in main.py. A command is a function that takes the parsed arguments and returns the exit code.
"""
