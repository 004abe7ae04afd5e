"""Resume a run that was killed, failed or stopped from its newest checkpoint; or train a finished one longer."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from lab.config import schema
from lab.config.experiment import Experiment, from_sections
from lab.errors import LabError, see
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.metric_names import SUMMARIES
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.reading.tables import open_tables
from lab.tracking.writing import leftovers, sender
from lab.tracking.writing.tracker import Recorded, Tracker
from lab.training import provenance
from lab.training import run as training
from lab.training.checkpoints import files as checkpoint_files
from lab.training.checkpoints.files import Damaged
from lab.training.fine_tuning.preparation import TAG
from lab.training.starting_point import StartingPoint

EPOCHS = "trainer.max_epochs"
LONGEST_WAIT = 60.0  # seconds for the records of a run that was just killed
# Metrics that are not of one epoch or step.
SUMMARY = (*SUMMARIES, "test/", "best_epoch", "system/")

Say = Callable[[str], None]


@dataclass(frozen=True)
class State:
    """An undamaged checkpoint of a run: finished epochs, and finished batches of the next one."""

    path: Path
    epoch: int
    batch: int
    stopped_early: bool
    schedules: int = 0  # of learning rates

    @property
    def position(self) -> str:
        """Where in the training it was saved, as text."""
        return f"epoch {self.epoch + 1}, batch {self.batch + 1}" if self.batch else f"the end of epoch {self.epoch}"


def resume(name: str, overrides: Sequence[str], callbacks: Sequence[Callback], say: Say) -> training.Result:
    """Resume a run in its own MLflow run; with more epochs (`trainer.max_epochs=80`), as a new run.

    `say` prints a line. Raises LabError before anything is recorded.
    """
    deliver_ended()
    run = stored_runs.find(name)
    _check_resumable(run)
    before = provenance.recorded_experiment(run)
    experiment = _extended(run, before, overrides)
    longer = experiment is not before
    if run.status == "FINISHED" and not longer:
        epochs = before.trainer["max_epochs"]
        raise LabError(f"run {run.id} is finished; extend it with {EPOCHS}={2 * epochs}")
    state = newest_state(run, say)
    if longer:
        _check_extension(run, experiment, state)
    for line in provenance.differences(run):
        say(f"the last bits may differ: {line}")
    say(f"run {run.id} resumes from {state.position if state else 'its start'}")
    start = _longer(run, state) if longer else _same(run, state)
    return training.run(experiment, callbacks, start)


def deliver_ended() -> None:
    """Send the records of processes that have ended, and wait for senders at work; raises LabError."""
    deadline = time.monotonic() + LONGEST_WAIT
    while _ended_outboxes():
        lines, complete = leftovers.send_all()
        if not complete:
            raise LabError("its records may not all be in the store yet", *lines)
        if time.monotonic() > deadline:
            raise LabError("the records of a run that has ended are still being sent; try again in a minute")
        time.sleep(0.1)


def _ended_outboxes() -> list[Path]:
    """The outboxes of processes that have ended."""
    folders = [path for path in store.journals().glob("[!.]*") if path.is_dir()]
    return [folder for folder in folders if not sender.has_writer(folder)]


def _check_resumable(run: StoredRun) -> None:
    """Raise LabError for a run that the lab did not write, that is part of a study or comparison, or still running."""
    kind = run.tags.get("lab.kind", "")
    if store.JOURNAL_TAG not in run.tags or not kind:
        raise LabError(f"run {run.id} was not written by `lab run`, so there is nothing to resume")
    if kind != "run":
        whole, again = _whole_of(run)
        raise LabError(f"run {run.id} belongs to a {whole}, which is resumed as a whole: `{again}`")
    if run.status == "RUNNING" or any(store.journals().glob(f"*/{run.tags[store.JOURNAL_TAG]}")):
        host = run.tags.get("machine.host", "another machine")
        raise LabError(f"run {run.id} is still running on {host}: wait for it, or stop it there first")


def _whole_of(run: StoredRun) -> tuple[str, str]:
    """What a run is a part of, and the command that resumes it."""
    if "lab.comparison" in run.tags:
        return "comparison", "make compare NAME=..."
    if folds := run.tags.get("lab.folds"):
        return "cross-validation", f"lab run {run.experiment} ... --folds {folds}"
    return "study", f"make study NAME={run.experiment}"


def _extended(run: StoredRun, before: Experiment, overrides: Sequence[str]) -> Experiment:
    """The experiment with more epochs; the same object where nothing changes. Raises LabError for other changes."""
    after = from_sections(before.name, before.question, before.written, (*overrides,))
    old, new = before.settings(), after.settings()
    changed = [name for name in old | new if old.get(name) != new.get(name)]
    others = [name for name in changed if name != EPOCHS]
    if others:
        raise LabError(
            f"{', '.join(others)}: cannot change when a run is resumed, only {EPOCHS} can; "
            f"`lab run {before.name} {others[0]}=...` starts a new run"
        )
    if not changed:
        return before
    named = (each for each in before.overrides if not each.startswith(f"{EPOCHS}="))
    return dataclasses.replace(after, overrides=(*named, *overrides))


def _check_extension(run: StoredRun, experiment: Experiment, state: State | None) -> None:
    """Raise LabError where the first epochs of the longer run would have differed from the shorter one."""
    epochs = experiment.trainer["max_epochs"]
    if state is None:
        raise LabError(f"run {run.id} has no undamaged checkpoint to resume from{see('interrupted-runs')}")
    if epochs <= state.epoch:
        raise LabError(f"{EPOCHS}: run {run.id} has {state.epoch} epochs already, so it must be above that")
    if state.stopped_early:
        raise LabError(
            f"early stopping ended run {run.id} after epoch {state.epoch}, and would again; "
            f"`lab run {experiment.name} {EPOCHS}={epochs} early_stopping=null` starts a run without it"
        )
    if experiment.trainer["average"] == "swa" and experiment.trainer["average_from"] is None:
        raise LabError(
            f"trainer.average: swa begins after three quarters of the epochs, so that a run of {epochs} differs; "
            f"`lab run {experiment.name} {EPOCHS}={epochs}` starts one"
        )
    if experiment.module is not None:
        if state.schedules:
            raise LabError(
                f"module.kind: {experiment.module.kind} has a schedule of its own, which may depend on the number of "
                f"epochs; `lab run {experiment.name} {EPOCHS}={epochs}` starts a longer run"
            )
    elif schema.accepts(experiment.part("scheduler").target, "total_steps"):
        raise LabError(
            f"scheduler.kind: {experiment.part('scheduler').kind} spreads the learning rate over all epochs, so that a "
            f"run of {epochs} differs from the first step on; `lab run {experiment.name} {EPOCHS}={epochs}` starts one"
        )


def newest_state(run: StoredRun, say: Say) -> State | None:
    """The newest undamaged checkpoint of a run, or None; a damaged one is reported, and the one before it is used."""
    states: list[State] = []
    for name in ("last.ckpt", "best.ckpt", "previous.ckpt"):
        if name == "previous.ckpt" and states:
            break
        try:
            path = run.artifact(f"checkpoints/{name}")
            checkpoint = checkpoint_files.read(path)
        except LabError:  # it was never written
            continue
        except Damaged as damage:
            say(f"{damage}; the one before it is used")
            continue
        if "lab" in checkpoint:  # else it holds the best weights alone
            states.append(_state(path, checkpoint))
    return max(states, key=lambda state: (state.epoch, state.batch), default=None)


def _state(path: Path, checkpoint: dict[str, Any]) -> State:
    extra = checkpoint["lab"]
    return State(path, checkpoint["epoch"], extra["batch"], extra["stopped_early"], len(checkpoint["lr_schedulers"]))


def _same(run: StoredRun, state: State | None) -> StartingPoint:
    """Continue in the run's own record."""

    def carry_over(tracker: Tracker) -> None:
        positions = [run.tags.get("lab.resumed", ""), state.position if state else "the start"]
        tracker.tags({"lab.resumed": "; ".join(position for position in positions if position)})
        if run.tags.get("lab.failure"):
            tracker.tags({"lab.failure": ""})

    return StartingPoint(
        tracker_id=run.tags[store.JOURNAL_TAG],
        recorded=_recorded(run),
        checkpoint=state.path if state else None,
        check=lambda built: provenance.check_same_data(run, built),
        carry_over=carry_over,
    )


def _recorded(run: StoredRun) -> Recorded:
    """The metrics that the run has recorded, and whether it has a model."""
    table = open_tables().histories([run.id], list(run.metrics))
    pairs = zip(table["metric"], table["step"].astype(int), strict=True)
    outputs = run.client.get_run(run.id).outputs
    return Recorded(set(pairs), model=bool(outputs and outputs.model_outputs))


def _longer(run: StoredRun, state: State | None) -> StartingPoint:
    """Start a new run with the epochs that the run has recorded: MLflow never changes the settings of a run."""
    assert state is not None, "checked before"
    metrics = [name for name in run.metrics if not name.startswith(SUMMARY)]
    table = open_tables().histories([run.id], metrics)

    def carry_over(tracker: Tracker) -> None:
        for step, rows in table.groupby("step"):
            tracker.copy_metrics(dict(zip(rows["metric"], rows["value"], strict=True)), int(step))

    return StartingPoint(
        checkpoint=state.path,
        tags={"lab.extends": run.id, **{name: text for name, text in run.tags.items() if name.startswith(TAG)}},
        check=lambda built: provenance.check_same_data(run, built),
        carry_over=carry_over,
    )
