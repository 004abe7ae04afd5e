"""Trainings that are broken off and go on, compared with those that never stopped."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback

from lab.config.experiment import load
from lab.errors import Stopped
from lab.training.building import build
from lab.training.checkpoints.best_epoch import best_by
from lab.training.checkpoints.callback import BestAndLast
from lab.training.records import Records
from lab.training.rehearsal import whole_batch
from lab.training.trainer import early_stopping_of, evaluate, make_trainer, silence_libraries
from lab.training.trainer import fit as fit_trainer

TIMES = ("seconds_per_epoch", "samples_per_second")


@dataclass
class Outcome:
    """All that training leaves."""

    history: list[dict[str, float]]
    best: dict[str, tuple[float, int]]
    best_epoch: int
    losses: list[float]
    weights: dict[str, torch.Tensor]
    best_weights: dict[str, torch.Tensor]
    optimizers: Any
    schedule: Any
    tested: dict[str, float]


class StopAt(Callback):
    """Breaks the training off without warning, before the batch of that number, counted over all epochs."""

    def __init__(self, batch: int | None):
        self.batches_left = batch

    def on_train_batch_start(self, trainer: Trainer, *_: object) -> None:
        if self.batches_left == 0:
            raise Stopped(signal.SIGKILL)
        if self.batches_left is not None:
            self.batches_left -= 1


def fit(folder: Path, name: str, *overrides: str, stop_at: int | None = None, resume: str | None = None) -> Outcome:
    silence_libraries()
    experiment = load(name, overrides)
    built = build(experiment)
    whole_batch.rehearse(built)
    records = Records(built.observer)
    settings = experiment.checkpoints
    best = best_by(settings["monitor"], built.observer.directions())
    checkpoints = BestAndLast(folder, settings["every_seconds"], best, records)
    callbacks = [*early_stopping_of(built), StopAt(stop_at), records, checkpoints]
    trainer = make_trainer(built, callbacks)
    path = folder / resume if resume else None
    fit_trainer(trainer, built, path)
    weights = {name: value.clone() for name, value in built.module.state_dict().items()}
    optimizers = [optimizer.state_dict() for optimizer in trainer.optimizers]
    checkpoints.restore_best(built.module)
    return Outcome(
        history=[{name: value for name, value in epoch.items() if name not in TIMES} for epoch in records.history],
        best=records.best,
        best_epoch=checkpoints.best_epoch,
        losses=list(built.observer.losses),
        weights=weights,
        best_weights=built.module.state_dict(),
        optimizers=optimizers,
        schedule=[config.scheduler.state_dict() for config in trainer.lr_scheduler_configs],
        tested=evaluate(trainer, built),
    )


def assert_same(one: Any, other: Any) -> None:
    """Equal to the last bit, at any depth."""
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, Outcome):
        assert_same(vars(one), vars(other))
    else:
        assert one == other or (one != one and other != other)


def assert_goes_on(workplace: Path, name: str, overrides: tuple[str, ...], stops: tuple[int, ...]) -> None:
    whole = fit(workplace / "whole", name, *overrides)
    broken = workplace / "broken"
    resume = None
    for stop_at in stops:
        with pytest.raises(Stopped):
            fit(broken, name, *overrides, stop_at=stop_at, resume=resume)
        resume = "last.ckpt"
    assert_same(fit(broken, name, *overrides, resume=resume), whole)
