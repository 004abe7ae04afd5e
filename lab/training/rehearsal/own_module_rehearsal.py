"""The rehearsal of a user's own LightningModule: Lightning trains, validates and tests a copy on single batches."""

import copy
import dataclasses
import math
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.utils.data import DataLoader

from lab.config.experiment import Experiment
from lab.data.lightning_data import LightningData
from lab.data.loaders import Batch
from lab.errors import LabError, did_you_mean
from lab.training.building import Built
from lab.training.checkpoints import files as checkpoint_files
from lab.training.checkpoints.files import Damaged
from lab.training.own_modules import task_scores
from lab.training.own_modules.own_module import OwnObserver
from lab.training.records import Records
from lab.training.rehearsal.isolation import copied, same_randomness
from lab.training.rehearsal.part_checks import as_a_line, batches
from lab.training.results import histograms
from lab.training.trainer import make_trainer

# Settings of Trainer that say how long a training is, or what is done at its end.
LENGTH = ("max_epochs", "min_epochs", "max_steps", "min_steps", "max_time", "profiler")
LIMITS = ("limit_train_batches", "limit_val_batches", "limit_test_batches")
VALIDATION = ("val_check_interval", "check_val_every_n_epoch", "log_every_n_steps")
# Hooks whose work the lab does itself: those of a module would not be called.
TAKEN_OVER = ("train_dataloader", "val_dataloader", "test_dataloader", "predict_dataloader")
BATCHES = 2
SHOWN = 3


def rehearse(built: Built) -> tuple[list[tuple[str, str]], float]:
    """Train, validate and test a copy of the module on one batch each; raises LabError for what would fail later.

    The observer learns what the module logs. Returns notes, (subject, sentence), and the first loss, NaN where the
    module returns none.
    """
    assert built.experiment.module is not None
    kind, observer = built.experiment.module.kind, built.observer
    assert isinstance(observer, OwnObserver)
    _check_hooks(built.module, kind)
    with warnings.catch_warnings(action="ignore"), same_randomness(), copied(built) as twin:
        trial = dataclasses.replace(twin, experiment=_shortened(built.experiment), observer=copy.deepcopy(observer))
        unchanged, values = _train_once(trial, kind)
    observer.learn(trial.observer)  # type: ignore[arg-type]
    missing = [name for name, value in values.items() if math.isnan(value) and name in observer.logged]
    tested = [name.removeprefix("test/") for name in observer.logged if name.startswith("test/")]
    with same_randomness():
        observer.task_scores = task_scores.of_module(built.experiment, built.data, built.module, tested)
    _check_monitor("checkpoints.monitor", built.experiment.checkpoints["monitor"], observer, kind)
    if built.experiment.early_stopping is not None:
        _check_monitor("early_stopping.monitor", built.experiment.early_stopping["monitor"], observer, kind)
    losses = trial.observer.losses
    nan = [("module", f"{kind}: {name} is NaN in the first batches") for name in missing]
    return [*_notes(built.module, kind, unchanged), *nan], losses[0] if losses else math.nan


def _check_hooks(module: L.LightningModule, kind: str) -> None:
    """Raise LabError for hooks that the lab takes over, and for those without which nothing is trained."""
    for name in TAKEN_OVER:
        if is_overridden(name, module):
            raise LabError(f"module: {kind}.{name} would not be called, since the batches come from data:; remove it")
    for name in ("training_step", "configure_optimizers"):
        if not is_overridden(name, module):
            raise LabError(f"module: {kind} has no {name}")
    with as_a_line("module", kind, "in configure_callbacks"):
        callbacks = module.configure_callbacks()
    if any(isinstance(each, ModelCheckpoint) for each in (callbacks if isinstance(callbacks, list) else [callbacks])):
        raise LabError(f"module: {kind}.configure_callbacks gives a ModelCheckpoint, but the lab keeps the checkpoints")


def _shortened(experiment: Experiment) -> Experiment:
    """The experiment for an epoch of one or two batches."""
    left_out = (*LENGTH, *LIMITS, *VALIDATION)
    kept = {name: value for name, value in experiment.trainer.items() if name not in left_out}
    short = {"max_epochs": 1, "log_every_n_steps": 0, "profiler": None}
    short |= {"limit_train_batches": BATCHES, "limit_val_batches": 1, "limit_test_batches": 1}
    return dataclasses.replace(experiment, trainer=kept | short)


class _OptimizerCheck(Callback):
    """Refuses a module whose configure_optimizers returned nothing to train with."""

    def __init__(self, kind: str):
        self._kind = kind

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Look before the first step does."""
        # Where it returns None, Lightning trains with an optimizer of its own that has no parameters.
        if not any(group["params"] for optimizer in trainer.optimizers for group in optimizer.param_groups):
            raise LabError(f"module: {self._kind}.configure_optimizers returns no optimizer, so nothing can be learned")


def _train_once(trial: Built, kind: str) -> tuple[list[str], dict[str, float]]:
    """Fit, save and test; returns the parameters that were not changed, and what was recorded of the epoch."""
    before = {name: p.detach().clone() for name, p in trial.module.named_parameters() if p.requires_grad}
    records = Records(trial.observer)
    trainer = make_trainer(trial, [records, _OptimizerCheck(kind), *histograms.asked_for(trial.experiment)])
    with as_a_line("module", kind, "in its first epoch"):
        trainer.fit(trial.module, **_loaders(trial))
    if math.isnan(records.history[-1].get("gradient_norm", math.nan)):
        raise LabError(f"module: {kind} takes no optimizer step with a gradient, so nothing can be learned")
    _check_checkpoint(trainer, kind)
    if is_overridden("test_step", trial.module) and trial.data.has("val"):
        with as_a_line("module", kind, "in its test"):  # of validation data: test data is touched once, at the end
            trainer.test(trial.module, trainer.val_dataloaders, verbose=False)
        trial.observer.take_published()
    after = dict(trial.module.named_parameters())
    unchanged = [name for name, value in before.items() if torch.equal(value, after[name].to(value.device))]
    return unchanged, records.history[-1]


def _loaders(built: Built) -> dict[str, Any]:
    """The arguments of `fit`: a full batch, one as large as the last of an epoch, and a validation batch."""
    if isinstance(built.data, LightningData):
        return {"datamodule": built.data.inner}
    full, rest = batches(built.data)
    val = next(iter(built.data.loader("val")))
    return {"train_dataloaders": _loader([full] if rest is None else [full, rest]), "val_dataloaders": _loader([val])}


def _loader(batches: list[Batch]) -> DataLoader[Batch]:
    return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


def _check_checkpoint(trainer: L.Trainer, kind: str) -> None:
    """Save and read a checkpoint as a run does."""
    with tempfile.TemporaryDirectory() as folder, as_a_line("module", kind, "to be saved"):
        path = Path(folder) / "trial.ckpt"
        trainer.save_checkpoint(path)
        try:
            checkpoint_files.read(path)
        except Damaged:
            raise LabError(
                f"module: the checkpoint of {kind} holds more than tensors and plain values, and could not be loaded; "
                "look at on_save_checkpoint, or write self.save_hyperparameters(ignore=['model'])"
            ) from None


def _check_monitor(setting: str, monitor: str | None, observer: OwnObserver, kind: str) -> None:
    """Raise LabError unless a monitored metric is logged, and known to be better high or low."""
    if monitor is None:
        return
    logged = [name for name in observer.logged if not name.startswith("test/")]
    if monitor not in logged:
        beside = [name for name in logged if name.partition("/")[0] == monitor.partition("/")[0]]  # of the same split
        near = did_you_mean(monitor, beside or logged) if logged else "it logs nothing"
        last = "; null keeps the last epoch" if setting == "checkpoints.monitor" else ""
        raise LabError(f"{setting}: {kind} logs no '{monitor}'; {near}{last}")
    name = monitor.partition("/")[2]
    if name not in observer.directions():
        raise LabError(
            f"{setting}: whether a high {monitor} is good is not known; "
            f'say it in {kind}: directions = {{"{name}": "min"}}, or "max"'
        )


def _notes(module: L.LightningModule, kind: str, unchanged: list[str]) -> Iterator[tuple[str, str]]:
    if unchanged:
        more = f" and {len(unchanged) - SHOWN} more" if len(unchanged) > SHOWN else ""
        yield "module", f"{kind}: {', '.join(unchanged[:SHOWN])}{more} did not change in the first steps"
    for name, what in (("validation_step", "validated"), ("test_step", "tested")):
        if not is_overridden(name, module):
            yield "module", f"{kind} has no {name}, so nothing is {what}"
