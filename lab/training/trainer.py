"""Lightning's Trainer with the settings of an experiment."""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.profilers import Profiler, PyTorchProfiler, SimpleProfiler
from lightning.pytorch.utilities.model_helpers import is_overridden

from lab.config import sections
from lab.config.experiment import Experiment
from lab.data.lightning_data import LightningData
from lab.errors import LabError, did_you_mean
from lab.tracking.writing.logger import DirectLogger, JournalLogger
from lab.tracking.writing.tracker import Tracker
from lab.training.building import Built
from lab.training.checkpoint_files import DurableIO

# Settings that the module honours itself: it takes its own optimizer steps.
MODULE_SETTINGS = ("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm")


def make_trainer(built: Built, callbacks: Sequence[Callback] = (), tracker: Tracker | None = None) -> L.Trainer:
    """Lightning's Trainer with the experiment's settings; raises LabError where Lightning refuses them."""
    experiment = built.experiment
    settings = trainer_settings(experiment)
    profiler = _profiler(settings.pop("profiler"), tracker.folder if tracker else None)
    if settings["precision"] in (16, "16", "16-mixed") and not torch.cuda.is_available():
        raise LabError("trainer.precision: 16-mixed needs a GPU; on a CPU use bf16-mixed")
    try:
        return L.Trainer(
            **settings,
            callbacks=[*built.callbacks, *callbacks],
            logger=_logger(built, tracker),
            plugins=DurableIO(),
            profiler=profiler,
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    except (ValueError, TypeError, RuntimeError, ModuleNotFoundError) as error:
        raise LabError(f"trainer: {' '.join(str(error).split())}") from error


def trainer_settings(experiment: Experiment) -> dict[str, Any]:
    """The settings of the experiment that are Lightning's to honour."""
    taken = MODULE_SETTINGS if experiment.module is None else ()
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
        trainer.fit(built.module, train, val, ckpt_path=checkpoint)


def evaluate(trainer: L.Trainer, built: Built) -> dict[str, float]:
    """The test metrics, by full name, of the module's present weights; none where the module has no test."""
    if not is_overridden("test_step", built.module) or not built.data.has("test"):
        return {}
    if isinstance(built.data, LightningData):
        trainer.test(built.module, datamodule=built.data.inner, verbose=False)
    else:
        with _closed(built.data.test_dataloader()) as (test,):
            trainer.test(built.module, test, verbose=False)
    return built.observer.take_published()


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
