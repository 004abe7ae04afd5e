"""One training among many, for studies, comparisons and folds: as a run trains, without checkpoints or figures."""

import json
import math
import platform
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint

from lab.config.experiment import Experiment, parse
from lab.config.sections import Part
from lab.data.base import DataModule, Split
from lab.errors import LabError, TrainingFailed, Unavailable
from lab.modules.diagnostics import dead_fraction
from lab.modules.tasks.task import TaskModule
from lab.parallel import machine
from lab.tracking.reading.baselines import QUICK, TRIVIAL
from lab.training.baselines import quick_baseline
from lab.training.building import build, open_data
from lab.training.checkpoints.best_epoch import BestEpoch, best_by
from lab.training.checkpoints.callback import evaluated_weights
from lab.training.devices.strategy import check_alone
from lab.training.records import Records
from lab.training.rehearsal import whole_batch
from lab.training.threads import choose_threads
from lab.training.trainer import early_stopping_of, evaluate, fit, make_trainer, silence_libraries

# Takes the job's number, an epoch (from 1) and its metrics; returns whether to stop the training.
OnEpoch = Callable[[int, int, dict[str, float]], bool]


@dataclass(frozen=True)
class Job:
    """What a worker trains; `config` is YAML, since it may be sent to another machine."""

    number: int
    name: str
    config: str
    count_dead_units: bool = False  # measure the share of dead units of the trained network
    test: bool = False  # test the best epoch, and the trivial baseline
    quick_baseline: bool = False  # fit and test the quick baseline, too


@dataclass(frozen=True)
class Resources:
    """What one training takes of a machine."""

    cpus: float = 1.0
    gpus: float = 0.0

    @classmethod
    def of(cls, experiments: Sequence[Experiment]) -> "Resources":
        """What the most demanding of the experiments asks for; a CPU for each of its `threads`, as far as there are."""
        each = [cls(**experiment.resources) for experiment in experiments]
        threads = [experiment.threads for experiment in experiments if experiment.threads != "auto"]
        cpus = max([*(one.cpus for one in each), *(min(number, machine.processors()) for number in threads)])
        return cls(cpus, max(one.gpus for one in each))

    def __str__(self) -> str:
        cpus = f"{self.cpus:g} CPU{'s' if self.cpus != 1 else ''}"
        return f"{cpus} and {self.gpus:g} GPU{'s' if self.gpus != 1 else ''}" if self.gpus else cpus

    def fit(self, there: Mapping[str, float]) -> int:
        """How many trainings a machine of so many `CPU` and `GPU` has room for at once."""
        room = _whole(there.get("CPU", 0.0) / self.cpus)
        if not self.gpus:
            return room
        gpus = there.get("GPU", 0.0)
        return min(room, _whole(gpus) * self.sharing_a_gpu if self.gpus < 1 else _whole(gpus / self.gpus))

    @property
    def sharing_a_gpu(self) -> int:
        """How many trainings one GPU has room for."""
        return _whole(1 / self.gpus)


def _whole(number: float) -> int:
    return math.floor(number + 1e-9)


@dataclass(frozen=True)
class Outcome:
    """How a job ended: `finished`, `pruned`, `failed` by its settings, or `lost` by its surroundings; and the reason.

    A lost job says nothing about its settings: its worker died, or a module or a file is missing there.
    """

    number: int
    state: str
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)  # what the job measured after training


def train_job(job: Job, on_epoch: OnEpoch, max_threads: int | None = None) -> Outcome:
    """Train a job; an exception that its settings cause is an outcome, and is not raised."""
    silence_libraries()
    try:
        experiment = parse(job.name, job.config)
        if max_threads and experiment.threads != "auto":
            experiment = replace(experiment, threads=min(experiment.threads, max_threads))
        return _train(experiment, job, on_epoch, max_threads)
    except (Unavailable, ImportError, OSError) as failure:
        return Outcome(job.number, "lost", f"{platform.node()}: {str(failure).partition(chr(10))[0]}")
    except (LabError, TrainingFailed) as failure:
        return Outcome(job.number, "failed", str(failure).splitlines()[0])
    except (torch.OutOfMemoryError, MemoryError) as failure:
        return Outcome(job.number, "failed", f"out of memory: {str(failure).splitlines()[:1]}")
    except Exception as failure:  # a setting may make any part of the training raise; the study continues
        frame = traceback.extract_tb(failure.__traceback__)[-1]
        return Outcome(job.number, "failed", f"{type(failure).__name__}: {failure} ({frame.filename}:{frame.lineno})")


def rehearse_job(job: Job) -> str:
    """Take a job through one batch, and return the fingerprint of its data; raises what its training would raise."""
    silence_libraries()
    experiment = parse(job.name, job.config)
    data = prepared_data(experiment)
    whole_batch.rehearse(build(experiment, data))
    return data.fingerprint


def _train(experiment: Experiment, job: Job, on_epoch: OnEpoch, max_threads: int | None) -> Outcome:
    """Train, and measure what the job asks for."""
    check_alone(experiment)
    built = choose_threads(build(experiment, prepared_data(experiment)), max_threads)
    if experiment.module is not None:
        whole_batch.rehearse(built)  # tells what the module logs
    records = Records(built.observer)
    reporter = _EpochReporter(records, job.number, on_epoch)
    best = _BestWeights(best_by(experiment.checkpoints["monitor"], built.observer.directions()), records)
    callbacks: Sequence[Callback] = [*early_stopping_of(built), records, reporter, *([best] if job.test else [])]
    trainer = make_trainer(built, callbacks)
    fit(trainer, built)
    metrics: dict[str, float] = {}
    if job.count_dead_units and isinstance(built.module, TaskModule):
        dead = dead_fraction(built.module.architecture, built.data.loader("val"))
        metrics |= {} if dead is None else {"dead_fraction": dead}
    if job.test:
        best.restore(built.module)
        metrics |= evaluate(trainer, built)
        trivial = built.observer.score_trivial(built.data.loader("test"))
        metrics |= {f"{TRIVIAL}test/{name}": value for name, value in trivial.items()}
    if job.quick_baseline:
        metrics |= {f"{QUICK}{name}": value for name, value in quick_baseline.measure(built).metrics.items()}
    return Outcome(job.number, "pruned" if reporter.pruned else "finished", metrics=metrics)


def prepared_data(experiment: Experiment) -> DataModule:
    """The experiment's data, prepared once per process for the same settings, seed and fold."""
    settings = json.dumps(dict(experiment.data.settings))
    return _prepared(experiment.data.kind, settings, experiment.seed_of("split"), experiment.fold)


def fingerprint_of(experiment: Experiment) -> str:
    """The fingerprint of the experiment's data; "" where they cannot be read, of which its training says why."""
    try:
        return prepared_data(experiment).fingerprint
    except Exception:  # of a person's own code, or of any library that reads files
        return ""


def forget_prepared_data() -> None:
    """Read data anew from now on: a file may have changed since it was prepared."""
    _prepared.cache_clear()


def resolution_of(metric: str, experiment: Experiment, split: Split) -> float:
    """The step in which a metric of a split moves: an accuracy on n samples moves by 1 / n; 0 for other metrics."""
    data = prepared_data(experiment)
    samples: Any = data.splits[split]
    return 1 / len(samples) if metric == "accuracy" and len(samples) and not data.weighted else 0.0


@lru_cache(maxsize=8)
def _prepared(kind: str, settings: str, seed: int, fold: str | None) -> DataModule:
    return open_data(Part("data", kind, json.loads(settings)), seed, fold)


class _EpochReporter(Checkpoint):
    """Reports each epoch after the module has logged its metrics, and stops the training if `on_epoch` says so.

    A Checkpoint, since Lightning calls those after all other callbacks.
    """

    def __init__(self, records: Records, number: int, on_epoch: OnEpoch):
        self._records = records
        self._number = number
        self._on_epoch = on_epoch
        self.pruned = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report the epoch."""
        epoch = trainer.current_epoch + 1
        values = {name: value for name, value in self._records.history[-1].items() if name != "epoch"}
        last = epoch >= int(trainer.max_epochs or math.inf)
        if self._on_epoch(self._number, epoch, values) and not last:
            self.pruned = True
            trainer.should_stop = True


class _BestWeights(Checkpoint):
    """Holds the weights of the best epoch in memory."""

    def __init__(self, best: BestEpoch, records: Records) -> None:
        self._best = best
        self._records = records
        self._weights: dict[str, torch.Tensor] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Copy the weights if the epoch is the best so far."""
        if self._best.update(trainer.current_epoch + 1, self._records.history[-1]):
            self._weights = evaluated_weights(pl_module)

    def restore(self, module: LightningModule) -> None:
        """Load the weights of the best epoch; without a finite value it is the last one, whose weights are loaded."""
        if self._weights:
            module.load_state_dict(self._weights)
