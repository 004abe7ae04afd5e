"""What each departure from stock Lightning saves alone: the lab's own training with that one switched back.

`python -m benchmarks.departures` measures this table alone.
"""

import contextlib
import math
import os
import statistics
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import lightning as L
from benchmarks import stock_ways
from benchmarks.measuring import FULL, QUICK, Size, Table, interleaved, workplace
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback

from lab.config import experiment
from lab.data import base
from lab.data.base import DataModule
from lab.modules import optimizers
from lab.modules.diagnostics import GradientSamples
from lab.modules.tasks import task
from lab.modules.tasks.task import TaskModule
from lab.tracking import store
from lab.tracking.writing.tracker import Tracker
from lab.training import building, task_modules, trainer
from lab.training import run as training
from lab.training.records import Records

ARCHITECTURES = ("mlp", "conv1d", "lstm", "conv2d")
BATCH_SIZE = 32
SHARE = 0.5  # of a size's seconds that a training takes: there are many
Patch = Any  # what patch.object gives


@dataclass(frozen=True)
class Departure:
    """What the lab does, what stock Lightning does, and the patches that make the lab do the latter."""

    lab: str
    stock: str
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True)
class Group:
    """Departures that are measured in turn with the lab; `patches` hold for the lab as well."""

    departures: tuple[Departure, ...]
    patches: tuple[Patch, ...] = ()


def measure(size: Size) -> Table:
    """Time with the stock way ÷ time of the lab, for each departure and architecture."""
    architectures = [name for name in ARCHITECTURES if name in size.architectures]
    chosen = groups()
    columns, milliseconds = [], []
    for name in architectures:
        with workplace():
            column, seconds = _column(name, chosen, size)
        columns.append(column)
        milliseconds.append(f"{1000 * seconds:.0f}")
    departures = [departure for group in chosen for departure in group.departures]
    rows = [
        (departure.lab, departure.stock, *map(str, compared), _losses(compared))
        for departure, *compared in zip(departures, *columns, strict=True)
    ]
    return Table(
        "Departures from stock Lightning",
        ("the lab", "the stock way", *architectures, "training loss"),
        [*rows, ("the lab, ms an epoch", "", *milliseconds, "")],
        "Time of an epoch with that one departure switched back ÷ time of the lab as it is: 1.10 means that it saves "
        f"about 10 %, below 1 it costs. Medians of {size.pairs} pairs, and their range. The shipped experiments at "
        f"batch size {BATCH_SIZE}, one thread. Own optimizer steps alone are compared with one batch a block on both "
        "sides, since blocks need them. Checkpoints weigh more here than in a whole run: almost every one of the "
        "first epochs is the best so far. The process that sends records to MLflow is left out, and so is all waiting "
        "for a processor. The last column: "
        "whether the losses of all batches are equal, or how far apart their means of the last epoch are.",
    )


def groups() -> tuple[Group, ...]:
    """All departures."""
    one_batch = _on(building, block_size=lambda *_: 1)
    automatic = _on(task_modules, ClassificationModule=stock_ways.AutomaticModule) + _on(trainer, MODULE_SETTINGS=())
    by_batch = _on(TaskModule, _learn=stock_ways.checked_at_once(TaskModule), _check_finite=lambda *_: None)
    steps = (
        Departure("(as it is, again: how exact the figures are)", "—"),
        Departure("blocks of up to 16 batches", "blocks of 1 batch", one_batch),
        Departure("blocks and own optimizer steps", "1 batch, automatic optimization", one_batch + automatic),
    )
    own_steps = (Departure("own optimizer steps, 1 batch a block", "automatic optimization", automatic),)
    batches = (
        Departure("default_generator.manual_seed", "torch.manual_seed", _on(TaskModule, _seed_batch=stock_ways.seed)),
        Departure("seeded for every batch", "for every epoch", _on(TaskModule, _seed_batch=stock_ways.seed_once)),
        Departure("losses checked after a block", "loss.item() for each batch", by_batch),
        Departure("8 gradient samples an epoch", "none", _on(GradientSamples, due=lambda *_: False)),
    )
    epochs = (
        Departure("metrics and losses buffered", "updated by batch", _on(task, EpochScores=stock_ways.UpdatedScores)),
        Departure(
            "both",
            "updated by batch, log_dict for each",
            _on(task_modules, ClassificationModule=stock_ways.LoggingModule),
        ),
        Departure("whole batches from memory", "DataLoader", _on(base, BatchLoader=stock_ways.CollatingLoader)),
        Departure("fused optimizer", "torch's default", _on(optimizers, _fused=lambda params: None)),
    )
    files = (
        Departure("durable checkpoint files", "TorchCheckpointIO", _on(trainer, DurableIO=TorchCheckpointIO)),
        Departure("own best and last", "ModelCheckpoint", _on(training, BestAndLast=stock_ways.model_checkpoint)),
        Departure("history in checkpoints as JSON", "as a list", _on(Records, state_dict=stock_ways.state_of_records)),
        Departure("journal", "MLFlowLogger", _on(trainer, JournalLogger=stock_ways.mlflow_logger)),
    )
    return Group(steps), Group(own_steps, one_batch), Group(batches), Group(epochs), Group(files)


def _on(target: Any, **stock_ways: Any) -> tuple[Patch, ...]:
    """Patches that put stock ways in place of what a module or a class has under these names."""
    return tuple(patch.object(target, name, way) for name, way in stock_ways.items())


@dataclass(frozen=True)
class Compared:
    """One departure on one architecture: stock ÷ lab in each round, and whether both trained to the same."""

    ratios: list[float]
    equal: bool  # the losses of all batches
    apart: float  # the mean losses of the last epoch, relative

    def __str__(self) -> str:
        return f"{statistics.median(self.ratios):.2f} ({min(self.ratios):.2f}–{max(self.ratios):.2f})"


def _losses(compared: Sequence[Compared]) -> str:
    return "equal" if all(each.equal for each in compared) else f"{100 * max(each.apart for each in compared):.1g} %"


def _column(name: str, chosen: Sequence[Group], size: Size) -> tuple[list[Compared], float]:
    """All departures on one architecture, and the seconds of an epoch of the lab."""
    data = building.build(_experiment(name, 1)).data
    epoch = Training(name, data, 1)()
    epochs = max(1, round(SHARE * size.seconds / epoch))
    compared, seconds = [], []
    for group in chosen:
        lab = Training(name, data, epochs, group.patches)
        stock = [Training(name, data, epochs, group.patches + each.patches) for each in group.departures]
        ours, *theirs = interleaved({str(n): call for n, call in enumerate([lab, *stock])}, size.pairs).values()
        for call, taken in zip(stock, theirs, strict=True):
            ratios = [above / below for above, below in zip(taken, ours, strict=True)]
            compared.append(Compared(ratios, call.losses == lab.losses, abs(call.last_loss / lab.last_loss - 1)))
        seconds += [] if group.patches else ours
    return compared, statistics.median(seconds)


def _experiment(name: str, epochs: int) -> experiment.Experiment:
    return experiment.load(name, [f"data.batch_size={BATCH_SIZE}", f"trainer.max_epochs={epochs}"])


@dataclass
class Training:
    """Trains under patches; each call gives the seconds that an epoch adds."""

    name: str
    data: DataModule
    epochs: int
    patches: tuple[Patch, ...] = ()
    losses: list[float] = field(default_factory=list)  # of the batches of the last call

    def __call__(self) -> float:
        trainer.silence_libraries()
        stopwatch = Stopwatch(self.epochs)
        with contextlib.ExitStack() as stack:
            for each in self.patches:
                stack.enter_context(each)
            built = building.build(_experiment(self.name, self.epochs + 1), self.data)
            session = training.open_session(built, _tracker_without_sender(), [stopwatch])
            session.tracker.start("departures", self.name, {}, {})
            session.trainer.fit(built.module, built.data.train_dataloader(), built.data.val_dataloader())
            session.tracker.end("FINISHED")
        batches = self.epochs * math.ceil(len(self.data.splits["train"]) / BATCH_SIZE)
        self.losses = list(built.module.losses[:batches])
        return stopwatch.seconds / self.epochs

    @property
    def last_loss(self) -> float:
        """The mean loss of the last whole epoch."""
        return statistics.mean(self.losses[-(len(self.losses) // self.epochs) :])


def _tracker_without_sender() -> Tracker:
    folder = store.journals() / uuid.uuid4().hex
    folder.parent.mkdir(parents=True, exist_ok=True)
    return Tracker(folder, lambda: None, parent=None, continued=False)


class Stopwatch(Callback):
    """Times whole epochs: from the second block of the first one to the second block of the one after the last.

    That is the marginal time of `measuring.marginal`, got from one run: what happens once, at the start and at the
    end, is left out.
    """

    def __init__(self, epochs: int):
        self.epochs = epochs
        self.seconds = 0.0

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 1 and trainer.current_epoch == 0:
            self._began = _clock()
        if batch_idx == 1 and trainer.current_epoch == self.epochs:
            self.seconds = _clock() - self._began
            trainer.should_stop = True


def _clock() -> float:
    """Seconds, without those in which this thread waited for a processor that others had; on Linux alone."""
    try:
        waited = int(Path("/proc/thread-self/schedstat").read_text().split()[1])  # nanoseconds
    except FileNotFoundError:
        waited = 0
    return perf_counter() - waited / 1e9


def main() -> None:
    from benchmarks.bench import shown
    from rich.console import Console

    table = measure(QUICK if os.environ.get("QUICK") else FULL)
    Console(width=240).print(shown(table), table.note, highlight=False)


if __name__ == "__main__":
    main()
