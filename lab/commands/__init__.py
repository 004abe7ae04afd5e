"""The commands of `lab`, a file a group: `register` adds each with its arguments, a function runs it.

A function takes the parsed arguments and returns the exit code. It imports what it needs itself, so that
`lab --help` stays fast.
"""
