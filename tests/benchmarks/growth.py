"""How time grows: an epoch's with the rows and with the network, a table's with the runs."""

import statistics

import numpy as np
from benchmarks import fill_store
from benchmarks.measuring import Size, Table, Target, exponent, timed, workplace

from lab.config import experiment
from lab.data.base import SampleDataModule, Samples
from lab.tracking import store
from lab.tracking.reading.tables import open_tables
from lab.tracking.writing.outbox import Outbox
from lab.training import run as training

LEAST_SECONDS = 0.3  # that the further epochs of the longer run take, about
EPOCH_OF_1000_ROWS = 0.02  # seconds, about


class Rows(SampleDataModule):
    """Made-up samples of ten values in three classes, as many as one likes in training and validation."""

    task = "classification"

    def __init__(self, rows: int, batch_size: int = 256, num_workers: int = 0, seed: int = 0):
        super().__init__(batch_size, 0.1, num_workers=num_workers, seed=seed)
        self.rows = rows

    def read(self) -> Samples:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.rows + 100, 10)).astype(np.float32)
        return Samples(x, x[:, :3].argmax(1), test_size=100, class_names=["a", "b", "c"])


def measure(size: Size) -> Table:
    """The exponent of each between its two largest sizes."""
    rows = _tens(1_000, size.most_rows)
    runs = _tens(100, size.most_runs)
    with workplace():
        outbox = Outbox()
        _epoch(outbox, 1_000, 32)  # whatever the process does once
        by_rows = [_epoch(outbox, each, 32) for each in rows]
        by_width = [_epoch(outbox, 3_000, width) for width in size.widths]
        outbox.close()
    by_runs = _reading(runs)
    lines = [
        _line("epoch, by rows of data", rows, by_rows),
        _line("epoch, by width of a network of two layers (parameters: its square)", list(size.widths), by_width),
        _line("reading the table of runs, by runs", runs, by_runs),
    ]
    return Table(
        "Growth",
        ("time of", "sizes", "seconds", "exponent"),
        lines,
        "The exponent is that between the two largest sizes: below, what is the same for every size tells more.",
        [
            Target("exponent of an epoch's time in rows", exponent(rows, by_rows), 1.1),
            Target("exponent of table reading in runs", exponent(runs, by_runs), 1.1),
        ]
        if len(rows) > 1 and len(runs) > 1
        else [],
    )


def _tens(first: int, last: int) -> list[int]:
    return [first * 10**power for power in range(len(str(last // first)))]


def _line(what: str, sizes: list[int], seconds: list[float]) -> tuple[str, ...]:
    power = f"{exponent(sizes, seconds):.2f}" if len(sizes) > 1 else ""
    return what, ", ".join(f"{each:,}" for each in sizes), ", ".join(f"{each:.3f}" for each in seconds), power


def _epoch(outbox: Outbox, rows: int, width: int) -> float:
    """The seconds that an epoch adds."""
    further = max(1, round(LEAST_SECONDS / EPOCH_OF_1000_ROWS * 1_000 / rows))
    sections = {"data": {"kind": "benchmarks.growth:Rows", "rows": rows}, "model": {"kind": "mlp", "hidden": width}}

    def run(epochs: int) -> float:
        made = experiment.from_sections("growth", "", sections | {"trainer": {"max_epochs": epochs}})
        return training.train(made, outbox.tracker()).seconds

    return (run(1 + further) - run(1)) / further


def _reading(runs: list[int]) -> list[float]:
    """The seconds that reading the table takes, as runs are added to the store."""
    seconds = []
    with workplace():
        filled = 0
        for count in runs:
            fill_store.fill(store.database(), count - filled, points=1, first=filled)
            filled = count
            tables = open_tables()
            seconds.append(statistics.median(timed(tables.runs) for _ in range(3)))
    return seconds
