"""How long one waits: from the command to the first training step, for help, for the list."""

import statistics

from benchmarks.measuring import Size, Table, Target, interleaved, ratio, workplace
from benchmarks.processes import LAB, python_until_first_line, until_first_line

IMPORTS = "import torch, lightning; print('imported', flush=True)"
# What `lab run mlp` does, and a line once the first block of steps is trained; then the process is ended.
FIRST_STEP = """
from lab.training.results.progress import ProgressBar
from lab.config import experiment
from lab.training import run as training

class FirstStep(ProgressBar):
    def on_train_batch_end(self, *arguments):
        print("trained", flush=True)
        raise KeyboardInterrupt

from rich.console import Console
try:
    training.run(experiment.load("mlp"), [FirstStep(Console(stderr=True))])
except BaseException:
    pass
"""


def measure(size: Size) -> Table:
    """Seconds of whole processes."""
    calls = {
        "imports of torch and lightning": lambda: python_until_first_line(IMPORTS),
        "`lab run mlp` to its first step": lambda: python_until_first_line(FIRST_STEP),
        "`lab --help`": lambda: until_first_line([LAB, "--help"]),
        "`lab list`": lambda: until_first_line([LAB, "list"]),
    }
    with workplace():
        for call in calls.values() if size.starts > 1 else ():
            call()  # once for the disk's cache and the data's
        measured = interleaved(calls, size.starts)
    imports, first_step, help_, _ = measured.values()
    return Table(
        "Start-up",
        ("what", "seconds", "÷ imports"),
        [
            (name, f"{statistics.median(seconds):.2f}", f"{ratio(seconds, imports):.2f}")
            for name, seconds in measured.items()
        ],
        f"From starting the process to its first line; medians of {size.starts}.",
        [
            Target("start to first step ÷ imports of torch and lightning", ratio(first_step, imports), 1.3),
            Target("`lab --help`", statistics.median(help_), 0.3, unit=" s"),
        ],
    )
