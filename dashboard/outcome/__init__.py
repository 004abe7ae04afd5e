"""What a run said of its test data, and where it was wrong; start reading at `view`, with `reads` below it.

`class_curves` and `values` are pure: data in, figures out.
"""
