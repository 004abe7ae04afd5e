"""Everything a run will need is tried on one whole batch before anything is recorded; start with `whole_batch`.

`part_checks` is called while an experiment is built, `check` is the command `lab check`.
"""
