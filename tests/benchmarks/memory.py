"""The most memory that a run takes, against a loop by hand that imports the same packages."""

import statistics

from benchmarks.measuring import Size, Table, Target, interleaved, ratio, workplace
from benchmarks.processes import printed

BY_HAND = """
import lightning, mlflow
from benchmarks import loops
from benchmarks.processes import peak
loops.article('mlp', 32, 2)
print(peak())
"""
LAB = """
from benchmarks import loops
from benchmarks.processes import PeakOfChildren, peak
from lab.training import run as training
experiment = loops.experiment('mlp', 32, 2)
children = PeakOfChildren()
training.run(experiment)
print(peak(), children.most)
"""


def measure(size: Size) -> Table:
    """Peak resident memory, MiB."""
    senders: list[float] = []

    def lab() -> float:
        own, sender = printed(LAB)
        senders.append(sender)
        return own

    with workplace():
        measured = interleaved({"by hand": lambda: printed(BY_HAND)[0], "lab": lab}, size.starts)
    by_hand, run = measured["by hand"], measured["lab"]
    rows = [
        ("article's loop, lightning and mlflow imported", f"{statistics.median(by_hand):.0f}"),
        ("run: the training's process", f"{statistics.median(run):.0f}"),
        ("run: the sender beside it", f"{statistics.median(senders):.0f}"),
    ]
    return Table(
        "Memory",
        ("process", "peak, MiB"),
        rows,
        "Resident memory, mlp at batch 32. The sender's lies in part in pages that both share.",
        [Target("peak memory of a run's process ÷ article's loop with the same imports", ratio(run, by_hand), 1.2)],
    )
