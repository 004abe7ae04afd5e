"""One run: an experiment trained, tracked and tested once."""

import contextlib
import dataclasses
import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.profilers import Profiler, PyTorchProfiler, SimpleProfiler

from lab import early_stopping, keepsakes, loss_chain, provenance, threads
from lab.beginning import FROM_NOTHING, Beginning
from lab.building import Built, build
from lab.checkpoint_files import BackgroundIO
from lab.checkpoints import BestAndLast, load_weights
from lab.data.base import Split
from lab.errors import LabError, Stopped, TrainingFailed, did_you_mean
from lab.experiment import Experiment
from lab.records import Records
from lab.signals import pausing, stopping
from lab.tracking import store
from lab.tracking.logger import JournalLogger
from lab.tracking.outbox import Delivery, Outbox
from lab.tracking.tracker import Tracker

# The module takes its steps itself, and does what these ask for.
OWN_STEPS = ("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm")
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class Result:
    """What came out of a run: the metrics of its best epoch, and of the trivial baseline, by full name."""

    experiment: Experiment
    task: str
    metrics: dict[str, float]
    baseline: dict[str, float]
    best_epoch: int
    epochs: int
    seconds: float
    parameters: int
    device: str
    tracker_id: str
    notes: Sequence[tuple[str, str]] = ()
    delivery: Delivery = dataclasses.field(default_factory=lambda: Delivery({}))

    @property
    def run_id(self) -> str | None:
        """The MLflow run, or None while its records wait."""
        return self.delivery.run_ids.get(self.tracker_id)


@dataclasses.dataclass(frozen=True)
class Session:
    """The parts of one run while it goes on."""

    built: Built
    tracker: Tracker
    trainer: L.Trainer
    records: Records
    checkpoints: BestAndLast
    beginning: Beginning


def run(experiment: Experiment, shown: Sequence[Callback] = (), beginning: Beginning = FROM_NOTHING) -> Result:
    """Train, track and test an experiment; `shown` are callbacks that show it to somebody.

    Raises LabError before anything is written, TrainingFailed or Stopped after the run is recorded as
    FAILED or KILLED.
    """
    outbox = Outbox()
    tracker = outbox.tracker(beginning.tracker_id, recorded=beginning.recorded)
    try:
        result = train(experiment, tracker, shown, beginning=beginning)
    except TrainingFailed:
        outbox.close()
        raise
    except Stopped:
        outbox.let_go()
        raise
    return dataclasses.replace(result, delivery=outbox.close())


def train(
    experiment: Experiment,
    tracker: Tracker,
    shown: Sequence[Callback] = (),
    tags: Mapping[str, str] | None = None,
    beginning: Beginning = FROM_NOTHING,
) -> Result:
    """As `run`, tracked by `tracker` with further tags, without waiting until the records are sent."""
    quiet()
    session = open_session(threads.decided(build(experiment)), tracker, shown, beginning)
    store.check_writable()
    began = time.perf_counter()
    with stopping():
        _start(session, {"lab.kind": "run", **beginning.tags, **(tags or {})})
        try:
            with pausing():
                metrics, baseline = _train_and_test(session)
            seconds = time.perf_counter() - began
            keepsakes.keep_model(session.built, tracker)
            _end(session, "FINISHED")
        except Stopped:
            _end(session, "KILLED")
            raise
        except TrainingFailed as failure:
            _end(session, "FAILED", str(failure))
            raise
        except OSError as failure:
            with contextlib.suppress(OSError):
                _end(session, "FAILED", str(failure))
            raise TrainingFailed(_out_of_disk(session, failure)) from failure
        except Exception as failure:
            _end(session, "FAILED", f"{type(failure).__name__}: {failure}")
            raise
    return Result(
        experiment=session.built.experiment,
        task=session.built.data.task,
        metrics=metrics,
        baseline=baseline,
        best_epoch=session.checkpoints.best_epoch,
        epochs=len(session.records.history),
        seconds=seconds,
        parameters=sum(p.numel() for p in session.built.module.parameters()),
        device=str(session.trainer.strategy.root_device),
        tracker_id=tracker.id,
        notes=tuple(session.built.data.notes),
    )


def open_session(
    built: Built, tracker: Tracker, shown: Sequence[Callback] = (), beginning: Beginning = FROM_NOTHING
) -> Session:
    """Everything that a run needs, with nothing written yet; raises LabError."""
    beginning.check(built)
    records = Records(built.module.directions(), built.experiment.trainer["log_every_n_steps"])
    checkpoints = BestAndLast(tracker.folder / "checkpoints", built.experiment.checkpoints["every_seconds"])
    callbacks = [*early_stopping_of(built), *shown, records, checkpoints]
    trainer = make_trainer(built.experiment, callbacks, tracker)
    return Session(built, tracker, trainer, records, checkpoints, beginning)


def make_trainer(
    experiment: Experiment, callbacks: Sequence[Callback] = (), tracker: Tracker | None = None
) -> L.Trainer:
    """Lightning's Trainer as the experiment says; raises LabError with Lightning's reason where it refuses."""
    settings = {name: value for name, value in experiment.trainer.items() if name not in OWN_STEPS}
    profiler = _profiler(settings.pop("profiler"), tracker.folder if tracker else None)
    if settings["precision"] in (16, "16", "16-mixed") and not torch.cuda.is_available():
        raise LabError("trainer.precision: 16-mixed needs a GPU; on a CPU use bf16-mixed")
    try:
        return L.Trainer(
            **settings,
            callbacks=list(callbacks),
            logger=JournalLogger(tracker) if tracker else False,
            plugins=BackgroundIO(),
            profiler=profiler,
            enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
    except (ValueError, TypeError, RuntimeError, ModuleNotFoundError) as error:
        raise LabError(f"trainer: {' '.join(str(error).split())}") from error


def test(built: Built, checkpoint: Path) -> dict[str, float]:
    """The test metrics, by full name, of the weights in a checkpoint."""
    quiet()
    load_weights(built.module, checkpoint)
    return evaluate(make_trainer(built.experiment), built)


def evaluate(trainer: L.Trainer, built: Built) -> dict[str, float]:
    """The test metrics, by full name, of the module as it is."""
    trainer.test(built.module, built.data.test_dataloader(), verbose=False)
    return built.module.take_published()


def quiet() -> None:
    """Silence what Lightning and torch say that a person cannot act on."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "torch.utils.flop_counter"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(lightning|torch|torchmetrics|mlflow)\b.*")


def early_stopping_of(built: Built) -> list[Callback]:
    """The early stopping that the experiment asks for."""
    settings = built.experiment.early_stopping
    if settings is None:
        return []
    known = {f"{split}/{name}": up for split in ("train", "val") for name, up in built.module.directions().items()}
    monitor = settings["monitor"]
    if monitor not in known:
        raise LabError(f"early_stopping.monitor: no such metric '{monitor}'; {did_you_mean(monitor, known)}")
    return [early_stopping.early_stopping(known[monitor], **settings)]


def _profiler(name: str | None, folder: Path | None) -> Profiler | None:
    """Lightning's profiler of that name, its tables written below the run's folder."""
    if name is None or folder is None:
        return None
    kind = {"simple": SimpleProfiler, "pytorch": PyTorchProfiler}[name]
    return kind(dirpath=folder / "profile", filename=name)


def _start(session: Session, more_tags: Mapping[str, str]) -> None:
    """Begin the record of the run: settings, tags, and the files that are known from the start."""
    experiment, data, tracker = session.built.experiment, session.built.data, session.tracker
    tags = provenance.tags() | {
        **more_tags,
        "lab.experiment": experiment.name,
        "lab.question": experiment.question,
        "lab.task": data.task,
        "data.fingerprint": data.fingerprint,
        "data.split_fingerprint": data.split_fingerprint(),
        "machine.device": str(session.trainer.strategy.root_device),
    }
    name = " ".join([experiment.name, *experiment.overrides])
    files = {"config.yaml": experiment.to_yaml()}
    tracker.start(experiment.name, name, experiment.settings(), tags, files)
    keepsakes.keep_origin(session.built, tracker, code=not session.beginning.goes_on)
    session.beginning.carry(tracker)


def _train_and_test(session: Session) -> tuple[dict[str, float], dict[str, float]]:
    """Fit, go back to the best epoch, test it once; the metrics of that epoch and of the baseline."""
    built, trainer = session.built, session.trainer
    loaders = built.data.train_dataloader(), built.data.val_dataloader()
    trainer.fit(built.module, *loaders, ckpt_path=session.beginning.checkpoint)
    session.checkpoints.restore_best(built.module)
    best = session.records.history[session.checkpoints.best_epoch - 1]
    tested = evaluate(trainer, built)
    baseline = {
        f"{split}/{name}": value
        for split in SPLITS
        for name, value in built.module.score_trivial(built.data.loader(split)).items()
    }
    _record_summary(session, best, tested, baseline)
    metrics = {name: value for name, value in best.items() if "/" in name} | tested
    return metrics, baseline


def _record_summary(
    session: Session, best: dict[str, float], tested: dict[str, float], baseline: dict[str, float]
) -> None:
    """Record best values (the step is their epoch), values at the best epoch, test metrics and baseline."""
    epoch = session.checkpoints.best_epoch
    for name, (value, at) in session.records.best.items():
        session.tracker.metrics({f"best/{name}": value}, at)
    at_best = {f"at_best/{name}": value for name, value in best.items() if "/" in name}
    trivial = {f"baseline/{name}": value for name, value in baseline.items()}
    session.tracker.metrics(at_best | tested | trivial | {"best_epoch": epoch}, epoch)
    keepsakes.keep_test_outputs(session.built, session.tracker)


def _end(session: Session, status: str, reason: str = "") -> None:
    """Keep what there is to keep, and close the record."""
    if reason:
        session.tracker.tags({"lab.failure": reason})
    # Where a full disk ended the run, there may be no room for them; the record is closed all the same.
    with contextlib.nullcontext() if status == "FINISHED" else contextlib.suppress(OSError):
        loss_chain.keep(session.built.module.losses, session.tracker)
        keepsakes.keep_training(session.tracker, session.records.history, session.checkpoints)
    session.tracker.end(status)


def _out_of_disk(session: Session, failure: OSError) -> str:
    return (
        f"{failure.filename or session.tracker.folder}: {failure.strerror}\n"
        "the run was stopped; what it recorded until then is kept, and runs finished before are untouched\n"
        f"free some space, then go on with it: lab resume latest:{session.built.experiment.name}"
    )
