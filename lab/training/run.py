"""One run: an experiment trained, tracked and tested once."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import Callback

from lab.config.experiment import Experiment
from lab.data.base import Split
from lab.errors import Stopped, TrainingFailed
from lab.signals import stop_at_safe_points, stop_on_signals
from lab.tracking import store
from lab.tracking.writing.outbox import Delivery, Outbox
from lab.tracking.writing.tracker import Recorded, Tracker
from lab.training import artifacts, building, provenance, records
from lab.training.building import Built, build
from lab.training.checkpoints import BestAndLast
from lab.training.records import Records
from lab.training.trainer import early_stopping_of, evaluate, make_trainer, quiet

SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class StartingPoint:
    """What a run takes over; by default nothing.

    `check` raises LabError where what was built is not what the earlier run had. `carry` writes down what was
    before, once the run has started.
    """

    tracker_id: str | None = None  # of the run that goes on
    recorded: Recorded | None = None
    checkpoint: Path | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Built], None] = lambda built: None
    carry: Callable[[Tracker], None] = lambda tracker: None

    @property
    def goes_on(self) -> bool:
        """Whether the run has a record, and goes on with it."""
        return self.tracker_id is not None


FROM_SCRATCH = StartingPoint()


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
    beginning: StartingPoint


def run(experiment: Experiment, shown: Sequence[Callback] = (), beginning: StartingPoint = FROM_SCRATCH) -> Result:
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
        outbox.release()
        raise
    return dataclasses.replace(result, delivery=outbox.close())


def train(
    experiment: Experiment,
    tracker: Tracker,
    shown: Sequence[Callback] = (),
    tags: Mapping[str, str] | None = None,
    beginning: StartingPoint = FROM_SCRATCH,
) -> Result:
    """As `run`, tracked by `tracker` with further tags, without waiting until the records are sent."""
    quiet()
    session = open_session(building.decided(build(experiment)), tracker, shown, beginning)
    store.check_writable()
    began = time.perf_counter()
    with stop_on_signals():
        _start(session, {"lab.kind": "run", **beginning.tags, **(tags or {})})
        try:
            with stop_at_safe_points():
                metrics, baseline = _train_and_test(session)
            seconds = time.perf_counter() - began
            artifacts.keep_model(session.built, tracker)
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
    built: Built, tracker: Tracker, shown: Sequence[Callback] = (), beginning: StartingPoint = FROM_SCRATCH
) -> Session:
    """Everything that a run needs, with nothing written yet; raises LabError."""
    beginning.check(built)
    records = Records(built.module.directions(), built.experiment.trainer["log_every_n_steps"])
    checkpoints = BestAndLast(tracker.folder / "checkpoints", built.experiment.checkpoints["every_seconds"])
    callbacks = [*early_stopping_of(built), *shown, records, checkpoints]
    trainer = make_trainer(built.experiment, callbacks, tracker)
    return Session(built, tracker, trainer, records, checkpoints, beginning)


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
    artifacts.keep_origin(session.built, tracker, code=not session.beginning.goes_on)
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
    artifacts.keep_test_outputs(session.built, session.tracker)


def _end(session: Session, status: str, reason: str = "") -> None:
    """Keep what there is to keep, and close the record."""
    if reason:
        session.tracker.tags({"lab.failure": reason})
    # Where a full disk ended the run, there may be no room for them; the record is closed all the same.
    with contextlib.nullcontext() if status == "FINISHED" else contextlib.suppress(OSError):
        records.keep_loss_chain(session.built.module.losses, session.tracker)
        artifacts.keep_training(session.tracker, session.records.history, session.checkpoints)
    session.tracker.end(status)


def _out_of_disk(session: Session, failure: OSError) -> str:
    return (
        f"{failure.filename or session.tracker.folder}: {failure.strerror}\n"
        "the run was stopped; what it recorded until then is kept, and runs finished before are untouched\n"
        f"free some space, then go on with it: lab resume latest:{session.built.experiment.name}"
    )
