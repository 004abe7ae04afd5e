"""How long `fit` is held up by what is recorded, and how fast that gets into the store."""

import statistics
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

from benchmarks.measuring import Size, Table, Target, interleaved, timed, workplace
from benchmarks.stock import logger as mlflow_logger

import lab
from lab.tracking.lightning_logger import open_runs
from lab.tracking.writing.logger import JournalLogger
from lab.tracking.writing.outbox import Outbox

MOST_STOCK = 300  # records by MLFlowLogger: at milliseconds each
PUBLIC = "lab.Logger, for any Lightning code"


def measure(size: Size) -> Table:
    """Records of one value each, through Lightning's logger interface."""
    with workplace():
        outbox = Outbox()
        tracker = outbox.tracker()
        tracker.start("bench", "records", {}, {})
        journal = JournalLogger(tracker)
        held = timed(lambda: _log(journal, size.records))
        tracker.end("FINISHED")
        sent = held + timed(outbox.close)
        others = _others(size)
    per_thousand = 1e6 * held / size.records
    rows = [("lab, its own runs", f"{size.records:,}", f"{per_thousand:.1f}", f"{size.records / sent:,.0f}")]
    rows += [(name, f"{records:,}", f"{ms:,.1f}", "–") for name, (records, ms) in others.items()]
    return Table(
        "Logging",
        ("logger", "records", "fit held up per 1,000, ms", "records per second into the store"),
        rows,
        "A record is one `log_metrics` call with one value. The sender's start is counted. The others take turns "
        f"in rounds, and the median counts; {PUBLIC.partition(',')[0]} and CSVLogger also `save`, as a Trainer does.",
        [Target("time `fit` is held up per 1,000 records", per_thousand, 5.0, unit=" ms")],
    )


def _others(size: Size) -> dict[str, tuple[int, float]]:
    """Loggers by name: the number of records of a round, and the milliseconds for 1,000 of them."""
    many, few = max(1, size.records // 20), min(size.records, MOST_STOCK)
    with tempfile.TemporaryDirectory() as folder:
        loggers: dict[str, tuple[Any, int]] = {PUBLIC: (lab.Logger("bench"), many), **_lightnings(folder, many)}
        loggers["MLFlowLogger"] = (mlflow_logger(), few)
        for logger, _ in loggers.values():
            _log(logger, 1)  # makes its file or database
        rounds: dict[str, Callable[[], float]] = {name: _round(*each) for name, each in loggers.items()}
        measured = interleaved(rounds, size.pairs)
    open_runs.of_process().close()
    return {name: (loggers[name][1], 1e6 * statistics.median(times)) for name, times in measured.items()}


def _lightnings(folder: str, records: int) -> dict[str, tuple[Any, int]]:
    """Lightning's loggers to files, as far as they are installed."""
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    found: dict[str, tuple[Any, int]] = {"CSVLogger": (CSVLogger(folder), records)}
    try:
        found["TensorBoardLogger"] = (TensorBoardLogger(folder), records)
    except ModuleNotFoundError:
        warnings.warn("TensorBoardLogger is not measured: tensorboard is not installed", stacklevel=2)
    return found


def _round(logger: Any, records: int) -> Callable[[], float]:
    return lambda: timed(lambda: _log(logger, records)) / records


def _log(logger: Any, records: int) -> None:
    for step in range(records):
        logger.log_metrics({"train/loss": 0.5 + step}, step=step)
        logger.save()
