"""Lightning's Trainer with the settings of an experiment."""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, Timer
from lightning.pytorch.profilers import Profiler, PyTorchProfiler, SimpleProfiler
from lightning.pytorch.utilities.model_helpers import is_overridden

from lab.config import sections
from lab.config import trainer_settings as of_lab
from lab.config.experiment import Experiment
from lab.data.base import SPLITS, Split
from lab.data.lightning_data import LightningData
from lab.data.shares import Share
from lab.errors import LabError, did_you_mean
from lab.modules.averaging import average_for
from lab.modules.tasks.combination import choose_shares
from lab.modules.tasks.regression import RegressionModule
from lab.modules.tasks.thresholds import ThresholdModule
from lab.tracking.writing.logger import DirectLogger, JournalLogger
from lab.tracking.writing.tracker import Tracker
from lab.training.building import Built
from lab.training.checkpoints.files import DurableIO
from lab.training.devices import strategy as devices
from lab.training.own_modules.own_module import OwnObserver
from lab.training.results import histograms

# Settings that the module honours itself: it takes its own optimizer steps.
MODULE_SETTINGS = ("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm")


def make_trainer(
    built: Built,
    callbacks: Sequence[Callback] = (),
    tracker: Tracker | None = None,
    rank: int = 0,
    alone: bool = False,
) -> L.Trainer:
    """Lightning's Trainer with the experiment's settings; raises LabError where Lightning refuses them.

    With a tracker, of a run whose files are kept, it takes the histograms that are asked for. Of several devices it is
    that of the number `rank`; `alone`, on the first one.
    """
    experiment = built.experiment
    recording = histograms.asked_for(experiment) if tracker else []
    settings = trainer_settings(experiment) | devices.of_trainer(experiment, rank, alone)
    profiler = _profiler(settings.pop("profiler"), tracker.folder if tracker else None)
    if settings["precision"] in (16, "16", "16-mixed") and not torch.cuda.is_available():
        raise LabError("trainer.precision: 16-mixed needs a GPU; on a CPU use bf16-mixed")
    try:
        trainer = L.Trainer(
            **settings,
            callbacks=[*built.callbacks, *recording, *callbacks, ValidationAtEnd()],
            logger=_logger(built, tracker),
            plugins=DurableIO(),
            profiler=profiler,
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    except Exception as error:  # of a dozen kinds, whatever Lightning does not like about its arguments
        raise LabError(f"trainer: {' '.join(str(error).split())}") from error
    _check_time(trainer)
    return trainer


class ValidationAtEnd(Callback):
    """Validates after the last step also where `max_steps` ends in the middle of an epoch."""

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *args: Any) -> None:
        """Stop as early stopping does, after which Lightning validates."""
        if 0 <= trainer.max_steps <= trainer.global_step:  # several optimizers count several steps a batch
            trainer.should_stop = True


def _check_time(trainer: L.Trainer) -> None:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    timer = next((callback for callback in callbacks if isinstance(callback, Timer)), None)
    if timer is not None and (timer.time_remaining() or 0) <= 0:
        raise LabError("trainer.max_time: must be longer than 0 seconds")


def check_counts(built: Built) -> None:
    """Raise LabError for settings of Trainer that leave no batch, no validation, or ask for more steps than there are.

    Lightning finds some of them in the middle of a run, and others never.
    """
    settings = built.experiment.trainer
    batches = {split: _batches(built, split) for split in SPLITS}
    for split, count in batches.items():
        share = settings.get(f"limit_{split}_batches")
        if isinstance(share, float) and int(share * count) < 1:
            raise LabError(
                f"trainer.limit_{split}_batches: {share:g} of {count} batches is none; use at least {1 / count:.2g}"
            )
    epochs, every = settings["max_epochs"], settings.get("check_val_every_n_epoch", 1)
    if every > epochs:
        raise LabError(
            f"trainer.check_val_every_n_epoch: {every} is more than the {epochs} epochs: no epoch is validated"
        )
    if (settings.get("min_epochs") or 1) > epochs:
        raise LabError(f"trainer.min_epochs: {settings['min_epochs']} is more than trainer.max_epochs, {epochs}")
    _check_steps(settings, _limited(batches["train"], settings.get("limit_train_batches")))
    if settings["gradient_clip_algorithm"] == "value" and not settings["gradient_clip_val"]:
        raise LabError("trainer.gradient_clip_algorithm: without trainer.gradient_clip_val nothing is clipped")


def _check_steps(settings: Mapping[str, Any], batches: int) -> None:
    """Raise LabError for more steps than a run has, of so many batches in an epoch."""
    interval = settings.get("val_check_interval")
    if isinstance(interval, int) and interval > batches:
        raise LabError(f"trainer.val_check_interval: {interval} is more than the {batches} batches of an epoch")
    if isinstance(interval, float) and int(interval * batches) < 1:
        raise LabError(f"trainer.val_check_interval: {interval:g} of {batches} batches is none")
    of_epoch = -(-batches // settings["accumulate_grad_batches"])
    steps = of_epoch * settings["max_epochs"]
    if average := average_for(settings):
        needed = of_epoch * (average.first - (average.kind == "ema")) + (average.kind == "ema")
        if 0 <= settings.get("max_steps", -1) < needed:
            raise LabError(
                f"trainer.max_steps: {settings['max_steps']} end before a weight is averaged, at step {needed}"
            )
    if (least := settings.get("min_steps") or 0) > steps:
        raise LabError(f"trainer.min_steps: {least} is more than the {steps} steps of the run")


def _batches(built: Built, split: Split) -> int:
    """The batches of a split in an epoch."""
    loader = built.data.loader(split, shuffle=split == "train")
    return int(getattr(loader, "batches", 0) or len(loader))


def _limited(batches: int, limit: float | None) -> int:
    """How many of the batches a limit leaves: a number, or a share of them."""
    if limit is None:
        return batches
    return min(limit, batches) if isinstance(limit, int) else int(limit * batches)


def trainer_settings(experiment: Experiment) -> dict[str, Any]:
    """The settings of the experiment that are Lightning's to honour."""
    taken = (*of_lab.own(), *(MODULE_SETTINGS if experiment.module is None else ()))
    return {name: value for name, value in experiment.trainer.items() if name not in taken}


def _logger(built: Built, tracker: Tracker | None) -> JournalLogger | bool:
    """The logger of a run; what a module of one's own logs by `self.log` is recorded by its observer."""
    if built.experiment.module is not None:
        return DirectLogger(tracker)
    return JournalLogger(tracker) if tracker else False


def fit(trainer: L.Trainer, built: Built, checkpoint: Path | None = None) -> None:
    """Train all epochs, or those that are left after a checkpoint."""
    if isinstance(built.data, LightningData):
        trainer.fit(built.module, datamodule=built.data.inner, ckpt_path=checkpoint)
        return
    with _closed(built.data.train_dataloader(), built.data.val_dataloader()) as (train, val):
        if trainer.world_size > 1:
            train.share = val.share = Share(trainer.global_rank, trainer.world_size)
        trainer.fit(built.module, train, val, ckpt_path=checkpoint)


def evaluate(trainer: L.Trainer, built: Built) -> dict[str, float]:
    """The test metrics, by full name, of the module's present weights; none where the module has no test.

    Shares of naive forecasts, intervals and thresholds are decided before it, on the validation split, for these
    weights.
    """
    if built.experiment.combine_with_naive:
        with _closed(built.data.val_dataloader()) as (val,):
            choose_shares(built.task_module.architecture, val)
    if built.experiment.conformal is not None:
        assert isinstance(built.module, RegressionModule), "checked by build"
        with _closed(built.data.val_dataloader()) as (val,):
            built.module.calibrate(val)
    if isinstance(built.module, ThresholdModule) and built.module.chosen_by is not None:
        with _closed(built.data.val_dataloader()) as (val,):
            built.module.choose_thresholds(val)
    if not is_overridden("test_step", built.module) or not built.data.has("test"):
        return {}
    if isinstance(built.data, LightningData):
        trainer.test(built.module, datamodule=built.data.inner, verbose=False)
    else:
        with _closed(built.data.test_dataloader()) as (test,):
            trainer.test(built.module, test, verbose=False)
    tested = built.observer.take_published()
    if isinstance(built.observer, OwnObserver) and built.observer.task_scores is not None:
        built.observer.task_scores.compare(tested, built.data.loader("test"))
    return tested


@contextlib.contextmanager
def _closed(*loaders: Any) -> Iterator[tuple[Any, ...]]:
    """Yield loaders, and end their worker processes afterwards, if they have any."""
    try:
        yield loaders
    finally:
        for loader in loaders:
            getattr(loader, "close", lambda: None)()


def silence_libraries() -> None:
    """Silence the messages of Lightning and torch that nobody can act on.

    MLflow imports Lightning under its second name, pytorch_lightning, under which all of it logs from then on.
    """
    loggers = ("lightning", "lightning.pytorch", "lightning.fabric", "pytorch_lightning", "torch.utils.flop_counter")
    for name in loggers:
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(lightning|torch|torchmetrics|mlflow)\b.*")


def early_stopping_of(built: Built) -> list[Callback]:
    """The early-stopping callback of the experiment, if it has one."""
    settings = built.experiment.early_stopping
    if settings is None:
        return []
    known = {f"{split}/{name}": up for split in ("train", "val") for name, up in built.observer.directions().items()}
    monitor = settings["monitor"]
    if monitor not in known:
        raise LabError(f"early_stopping.monitor: no such metric '{monitor}'; {did_you_mean(monitor, known)}")
    return [sections.early_stopping(known[monitor], **{**settings, "monitor": built.name_in_module(monitor)})]


def _profiler(name: str | None, folder: Path | None) -> Profiler | None:
    """Lightning's profiler of that name, its tables written below the run's folder."""
    if name is None or folder is None:
        return None
    kind = {"simple": SimpleProfiler, "pytorch": PyTorchProfiler}[name]
    return kind(dirpath=folder / "profile", filename=name)
