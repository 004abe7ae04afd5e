"""A run that was killed, failed or stopped goes on from its newest whole checkpoint; a finished one, for longer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from lab.config import schema
from lab.config.experiment import Experiment, from_sections
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.reading.stored_runs import StoredRun
from lab.tracking.reading.tables import open_tables
from lab.tracking.writing import leftovers, sender
from lab.tracking.writing.tracker import Recorded, Tracker
from lab.training import checkpoint_files, provenance
from lab.training import run as training
from lab.training.checkpoint_files import Damaged
from lab.training.run import StartingPoint

EPOCHS = "trainer.max_epochs"
LONGEST_WAIT = 60.0  # seconds for the records of a run that was just killed
SUMMARY = ("best/", "at_best/", "test/", "baseline/", "best_epoch", "system/")  # not of one epoch or step

Say = Callable[[str], None]


@dataclass(frozen=True)
class State:
    """A whole checkpoint of a run, and its place: epochs done, batches done of the next one."""

    path: Path
    epoch: int
    batch: int
    stopped_early: bool

    @property
    def place(self) -> str:
        """The place in words."""
        return f"epoch {self.epoch + 1}, batch {self.batch + 1}" if self.batch else f"the end of epoch {self.epoch}"


def resume(name: str, overrides: Sequence[str], shown: Sequence[Callback], say: Say) -> training.Result:
    """Go on with a run, in the same MLflow run; with more epochs (`trainer.max_epochs=80`), as a new one.

    `say` takes lines for a person. Raises LabError before anything is written.
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
    say(f"run {run.id} goes on from {state.place if state else 'its start'}")
    beginning = _longer(run, state) if longer else _same(run, state)
    return training.run(experiment, shown, beginning)


def deliver_ended() -> None:
    """Send what processes that are gone have left, and wait for senders that are at it; raises LabError."""
    deadline = time.monotonic() + LONGEST_WAIT
    while _ended_outboxes():
        lines, complete = leftovers.send_all()
        if not complete:
            raise LabError("its records may not all be in the store yet", *lines)
        if time.monotonic() > deadline:
            raise LabError("the records of a run that has ended are still being sent; try again in a minute")
        time.sleep(0.1)


def _ended_outboxes() -> list[Path]:
    """The outboxes of processes that are gone."""
    folders = [path for path in store.journals().glob("[!.]*") if path.is_dir()]
    return [folder for folder in folders if not sender.has_writer(folder)]


def _check_resumable(run: StoredRun) -> None:
    """Raise LabError for a run that is not a single training of the lab's, or still goes on."""
    kind = run.tags.get("lab.kind", "")
    if store.JOURNAL_TAG not in run.tags or not kind:
        raise LabError(f"run {run.id} was not written by `lab run`, so there is nothing to resume")
    if kind != "run":
        whole = "comparison" if "lab.comparison" in run.tags else "study"
        again = "make compare NAME=..." if whole == "comparison" else f"make study NAME={run.experiment}"
        raise LabError(f"run {run.id} belongs to a {whole}, which goes on as a whole: `{again}`")
    if run.status == "RUNNING" or any(store.journals().glob(f"*/{run.tags[store.JOURNAL_TAG]}")):
        host = run.tags.get("machine.host", "another machine")
        raise LabError(f"run {run.id} still goes on, on {host}: wait for it, or stop it there first")


def _extended(run: StoredRun, before: Experiment, overrides: Sequence[str]) -> Experiment:
    """The experiment with more epochs; the very same where nothing changes. Raises LabError for other changes."""
    words = [word for word in run.name.split() if "=" in word and not word.startswith(f"{EPOCHS}=")]
    after = from_sections(before.name, before.question, before.written, (*overrides,))
    old, new = before.settings(), after.settings()
    changed = [name for name in old | new if old.get(name) != new.get(name)]
    others = [name for name in changed if name != EPOCHS]
    if others:
        raise LabError(
            f"{', '.join(others)}: cannot change while a run goes on, only {EPOCHS} can; "
            f"`lab run {before.name} {others[0]}=...` begins a new run"
        )
    if not changed:
        return before
    named = tuple(word for word in words if word.partition("=")[0] in new)
    return from_sections(before.name, before.question, before.written, (*named, *overrides))


def _check_extension(run: StoredRun, experiment: Experiment, state: State | None) -> None:
    """Raise LabError where the longer run would not have begun as the shorter one did."""
    epochs = experiment.trainer["max_epochs"]
    if state is None:
        raise LabError(f"run {run.id} has no whole checkpoint to go on from")
    if epochs <= state.epoch:
        raise LabError(f"{EPOCHS}: run {run.id} has {state.epoch} epochs already, so it must be above that")
    if state.stopped_early:
        raise LabError(
            f"early stopping ended run {run.id} after epoch {state.epoch}, and would again; "
            f"`lab run {experiment.name} {EPOCHS}={epochs} early_stopping=null` begins a run without it"
        )
    if schema.accepts(experiment.scheduler.target, "total_steps"):
        raise LabError(
            f"scheduler.kind: {experiment.scheduler.kind} spreads the learning rate over all epochs, so that a run of "
            f"{epochs} differs from its first step on; `lab run {experiment.name} {EPOCHS}={epochs}` begins one"
        )


def newest_state(run: StoredRun, say: Say) -> State | None:
    """The newest whole checkpoint of a run, or None; a damaged one is reported, and the one before is used."""
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
            say(f"{damage}; the one before is used")
            continue
        if "lab" in checkpoint:  # else it holds the best weights alone
            states.append(_state(path, checkpoint))
    return max(states, key=lambda state: (state.epoch, state.batch), default=None)


def _state(path: Path, checkpoint: dict[str, Any]) -> State:
    kept = checkpoint["lab"]
    return State(path, checkpoint["epoch"], kept["batch"], kept["stopped_early"])


def _same(run: StoredRun, state: State | None) -> StartingPoint:
    """The run goes on in its own record."""

    def carry(tracker: Tracker) -> None:
        places = [run.tags.get("lab.resumed", ""), state.place if state else "the start"]
        tracker.tags({"lab.resumed": "; ".join(place for place in places if place)})
        if run.tags.get("lab.failure"):
            tracker.tags({"lab.failure": ""})

    return StartingPoint(
        tracker_id=run.tags[store.JOURNAL_TAG],
        recorded=_recorded(run),
        checkpoint=state.path if state else None,
        check=lambda built: provenance.check_same_data(run, built),
        carry=carry,
    )


def _recorded(run: StoredRun) -> Recorded:
    """What the run has recorded."""
    table = open_tables().histories([run.id], list(run.metrics))
    pairs = zip(table["metric"], table["step"].astype(int), strict=True)
    outputs = run.client.get_run(run.id).outputs
    return Recorded(set(pairs), model=bool(outputs and outputs.model_outputs))


def _longer(run: StoredRun, state: State | None) -> StartingPoint:
    """A new run takes over what the run has recorded of its epochs: a store never changes a run's settings."""
    assert state is not None, "checked before"
    metrics = [name for name in run.metrics if not name.startswith(SUMMARY)]
    table = open_tables().histories([run.id], metrics)

    def carry(tracker: Tracker) -> None:
        for step, rows in table.groupby("step"):
            tracker.copy_metrics(dict(zip(rows["metric"], rows["value"], strict=True)), int(step))

    return StartingPoint(
        checkpoint=state.path,
        tags={"lab.extends": run.id},
        check=lambda built: provenance.check_same_data(run, built),
        carry=carry,
    )
