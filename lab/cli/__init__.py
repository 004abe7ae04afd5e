"""The `lab` command: a file for each group of commands, which imports what a command needs when it runs.

Start in main.py. A command is a function from the parsed arguments to the exit code.
"""
