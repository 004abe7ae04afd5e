"""One run: an experiment trained, tracked and tested once. Read `train` from top to bottom."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import lightning as L
from lightning.pytorch.callbacks import Callback

from lab.config.experiment import Experiment
from lab.errors import TrainingFailed
from lab.files import same_folder
from lab.modules.tasks import combination
from lab.modules.tasks.task import TaskModule
from lab.modules.tasks.thresholds import ThresholdModule
from lab.signals import stop_at_safe_points, stop_on_signals
from lab.tracking import store
from lab.tracking.reading import baselines, directions
from lab.tracking.writing.outbox import Delivery, Outbox
from lab.tracking.writing.tracker import Tracker
from lab.training import failures, provenance, records
from lab.training.baselines import quick_baseline
from lab.training.baselines.quick_baseline import QuickBaseline
from lab.training.building import Built
from lab.training.checkpoints.best_epoch import best_by
from lab.training.checkpoints.callback import BestAndLast
from lab.training.devices.processes import started
from lab.training.devices.strategy import described
from lab.training.records import Records
from lab.training.rehearsal import whole_batch
from lab.training.results import artifacts, histograms, scores
from lab.training.results.scores import Scores
from lab.training.starting_point import FROM_SCRATCH, StartingPoint, built_from
from lab.training.threads import choose_threads
from lab.training.trainer import early_stopping_of, fit, make_trainer, silence_libraries


@dataclass(frozen=True)
class Result:
    """The outcome of a run: the metrics of its best epoch, and of the baselines, by full name.

    `intervals` are those of the test metrics for another test set of the same size. `baseline` is the trivial one,
    `quick_baseline` a linear model on the same split. `main_metric`, without a split, is what they are compared by, and
    `higher_is_better` says which way.
    """

    experiment: Experiment
    task: str
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    baseline: dict[str, float]
    best_epoch: int
    epochs: int
    seconds: float
    test_samples: int
    parameters: int
    frozen: int  # parameters that are not trained
    device: str
    tracker_id: str
    notes: Sequence[tuple[str, str]] = ()
    main_metric: str = ""
    higher_is_better: bool = True
    baseline_name: str = ""
    quick_baseline: Mapping[str, float] = field(default_factory=dict)
    quick_baseline_name: str = ""
    delivery: Delivery = field(default_factory=lambda: Delivery({}))

    @property
    def run_id(self) -> str | None:
        """The MLflow run, or None while its records are not sent."""
        return self.delivery.run_ids.get(self.tracker_id)


@dataclass(frozen=True)
class Session:
    """The parts of one run while it is trained."""

    built: Built
    tracker: Tracker
    trainer: L.Trainer
    tester: L.Trainer  # on one device, whatever number trains
    records: Records
    checkpoints: BestAndLast
    start: StartingPoint
    notes: Sequence[tuple[str, str]]  # of the rehearsal
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)  # of the test metrics, once it is tested
    quick: list[QuickBaseline] = field(default_factory=list)  # the one of this run, once it is measured


def run(experiment: Experiment, callbacks: Sequence[Callback] = (), start: StartingPoint = FROM_SCRATCH) -> Result:
    """Train, track and test an experiment, and wait until its records are sent.

    Raises LabError before anything is recorded; TrainingFailed or Stopped after the run is recorded as FAILED or
    KILLED.
    """
    outbox = Outbox()
    tracker = outbox.tracker(start.tracker_id, recorded=start.recorded)
    try:
        result = train(experiment, tracker, callbacks, start=start)
    except TrainingFailed:
        outbox.close()
        raise
    except BaseException:
        outbox.release()
        raise
    return dataclasses.replace(result, delivery=outbox.close())


def train(
    experiment: Experiment,
    tracker: Tracker,
    callbacks: Sequence[Callback] = (),
    tags: Mapping[str, str] | None = None,
    start: StartingPoint = FROM_SCRATCH,
) -> Result:
    """As `run`, recorded by `tracker` with further tags, without waiting until the records are sent."""
    silence_libraries()
    with same_folder():
        session = open_session(choose_threads(built_from(experiment, start)), tracker, callbacks, start)
    built = session.built
    store.check_writable()
    with started(built, start.checkpoint) as devices, stop_on_signals(), _recorded(session, tags or {}):
        began = time.perf_counter()
        with stop_at_safe_points(), same_folder():
            with devices.training():
                fit(session.trainer, built, start.checkpoint)
            session.checkpoints.restore_best(session.built.module)
            epoch = session.checkpoints.best_epoch
            measured = scores.measure(built, session.tester, session.records.history[epoch - 1])
            scores.record(measured, session.records, session.tracker, epoch)
            if built.experiment.module is not None:
                session.tracker.tags(_baseline_tags(built))  # only now it is known what its metrics mean
        seconds = time.perf_counter() - began
        missing = _keep_artifacts(session)
    return _result(session, measured, seconds, missing)


def open_session(
    built: Built, tracker: Tracker, callbacks: Sequence[Callback] = (), start: StartingPoint = FROM_SCRATCH
) -> Session:
    """Everything that a run needs, with nothing recorded yet; raises LabError."""
    start.check(built)
    notes = whole_batch.rehearse(built).notes
    records = Records(built.observer, built.experiment.trainer["log_every_n_steps"])
    settings = built.experiment.checkpoints
    best = best_by(settings["monitor"], built.observer.directions())
    folder = tracker.folder / "checkpoints"
    checkpoints = BestAndLast(folder, settings["every_seconds"], best, records)
    all_callbacks = [*early_stopping_of(built), *callbacks, records, checkpoints]
    trainer = make_trainer(built, all_callbacks, tracker)
    tester = trainer if trainer.num_devices == 1 else make_trainer(built, all_callbacks, tracker, alone=True)
    return Session(built, tracker, trainer, tester, records, checkpoints, start, notes)


@contextlib.contextmanager
def _recorded(session: Session, tags: Mapping[str, str]) -> Iterator[None]:
    """Record the start of a run and its final state. No other place handles the exceptions of a run."""
    _record_start(session, tags)
    try:
        yield
        session.tracker.end("FINISHED")
    except BaseException as error:
        status, raised = failures.final_state(error, session.built.experiment.name, session.tracker)
        if status == "FAILED":
            _tag(session, "lab.failure", str(raised))
        with contextlib.suppress(Exception):  # the disk may be full; the final state is recorded all the same
            _keep_training(session)
        with contextlib.suppress(OSError):
            session.tracker.end(status)
        if raised is error:
            raise
        raise raised from error


def _tag(session: Session, name: str, value: str) -> None:
    """Record a tag at the end of a run; a full disk must not change how the run ends."""
    with contextlib.suppress(OSError):
        session.tracker.tags({name: value})


def _record_start(session: Session, more_tags: Mapping[str, str]) -> None:
    """Record settings, tags, and the files that are known from the start."""
    experiment, data, tracker = session.built.experiment, session.built.data, session.tracker
    observer = session.built.observer
    tags = provenance.tags() | {
        "lab.kind": "run",
        **session.start.tags,
        **more_tags,
        "lab.experiment": experiment.name,
        "lab.question": experiment.question,
        "lab.task": data.task,
        **_baseline_tags(session.built),
        **directions.as_tag(observer.directions() | observer.test_directions()),
        **session.built.fine_tuning.tags,
        "data.fingerprint": data.fingerprint,
        "data.split_fingerprint": data.split_fingerprint(),
        "machine.device": described(session.trainer),
    }
    name = " ".join([experiment.name, *experiment.overrides])
    tracker.start(experiment.name, name, experiment.settings(), tags, {"config.yaml": experiment.to_yaml()})
    artifacts.keep_origin(session.built, tracker, code=not session.start.resumes)
    session.start.carry_over(tracker)


def _baseline_tags(built: Built) -> dict[str, str]:
    """Which baselines a result has, and by which metric it is compared with them."""
    return baselines.as_tags(built.observer.main_metric, built.observer.trivial_name, quick_baseline.name_of(built))


def _keep_artifacts(session: Session) -> list[str]:
    """Keep the files of a finished run; what could not be kept, and why. None of them can make the run fail."""
    built, tracker, epoch = session.built, session.tracker, session.checkpoints.best_epoch
    steps: dict[str, Callable[[], None]] = {
        "thresholds or shares": lambda: artifacts.keep_decided(built, tracker),
        "intervals of the test metrics": lambda: session.intervals.update(
            scores.record_intervals(built, tracker, epoch)
        ),
        "a quick baseline": lambda: session.quick.append(quick_baseline.record(built, tracker, epoch)),
        "checkpoints and curves": lambda: _keep_training(session),
        "test outputs": lambda: artifacts.keep_test_outputs(built, tracker),
        "an exported model": lambda: artifacts.keep_model(built, tracker),
    }
    missing = []
    for what, keep in steps.items():
        try:
            with same_folder():  # the export runs a person's own network
                keep()
        except Exception as error:  # whatever torch.export, matplotlib or a full disk raises
            missing.append(f"without {what}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    if missing:
        _tag(session, store.INCOMPLETE_TAG, "; ".join(missing))
    return missing


def _keep_training(session: Session) -> None:
    """Keep losses of all batches, checkpoints, learning curves and histograms, as far as the training came."""
    records.keep_loss_chain(session.built.observer.losses, session.tracker)
    artifacts.keep_training(session.tracker, session.records.history, session.checkpoints)
    histograms.keep(session.trainer, session.tracker)


def _result(session: Session, measured: Scores, seconds: float, missing: Sequence[str]) -> Result:
    built = session.built
    quick = session.quick[0] if session.quick else quick_baseline.NONE
    observer = built.observer
    of_test = [("baseline", note) for note in (quick.note, observer.baseline_note) if note]
    if isinstance(built.module, ThresholdModule) and built.module.described:
        of_test.append(("threshold", built.module.described))
    if isinstance(built.module, TaskModule) and (shares := combination.described(built.module.architecture)):
        of_test.append(("forecast", f"{shares}; train and val are those of the network alone"))
    return Result(
        experiment=built.experiment,
        task=built.data.task,
        metrics=measured.best | measured.test,
        intervals=session.intervals,
        test_samples=len(built.data.splits["test"]),  # type: ignore[arg-type]
        baseline=measured.baseline,
        main_metric=observer.main_metric,
        higher_is_better=observer.directions().get(observer.main_metric, True),
        baseline_name=built.observer.trivial_name,
        quick_baseline=quick.metrics,
        quick_baseline_name=quick.name,
        best_epoch=session.checkpoints.best_epoch,
        epochs=len(session.records.history),
        seconds=seconds,
        parameters=sum(p.numel() for p in built.module.parameters()),
        frozen=sum(p.numel() for p in built.module.parameters() if not p.requires_grad),
        device=described(session.trainer),
        tracker_id=session.tracker.id,
        notes=(*built.data.notes, *session.notes, *of_test, *(("incomplete", line) for line in missing)),
    )
