"""The upload of one journal to MLflow.

It sends in order, and notes how far it came after each batch. What it sends twice (it was stopped between
sending and noting, or an answer was lost) the store takes once: MLflow's tables hold one row for each equal metric
record, and parameters, tags, files and the final state are the same when written again. A run or model that was
made twice (a frozen server makes all that it was asked for, when it wakes) is found by its tag, and removed.
"""

import logging
import platform
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from lab import files
from lab.errors import LabError
from lab.tracking import models, store
from lab.tracking.writing import journal
from lab.tracking.writing.journal import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient


METRICS_PER_CALL = 1_000  # MLflow's limit
PARAMS_PER_CALL = 100  # MLflow's limit
STATE = "sent.json"
OWN_FILES = (journal.FILE, journal.RESERVE, STATE)  # in a journal's folder, all others are the run's
RECOVERED = "recovered"  # the experiment of runs whose first record, with its name, is damaged


class State(TypedDict):
    """How far a journal is sent: the MLflow run, the bytes read, the logged model, whether the run is closed.

    `doubtful`: something was to be made in the store, and no answer came.
    """

    run_id: str | None
    offset: int
    model_id: str | None
    ended: bool
    doubtful: bool


def state_of(folder: Path) -> State:
    """How far a journal is sent; not at all where the note about it is damaged: then all is sent again."""
    try:
        return cast(State, journal.read_checked(folder / STATE))
    except FileNotFoundError:
        doubtful = False
    except journal.Damaged:
        logging.warning("%s is damaged: the journal is sent from its beginning", folder / STATE)
        doubtful = True
    return {"run_id": None, "offset": 0, "model_id": None, "ended": False, "doubtful": doubtful}


class Upload:
    """Brings one journal to the store, from where an earlier upload stopped.

    `find_run` gives the MLflow run of a tracker's id, or None.
    """

    def __init__(self, folder: Path, client: "MlflowClient", find_run: Callable[[str], str | None]):
        self.folder = folder
        self.client = client
        self.find_run = find_run
        self.state = state_of(folder)

    @property
    def run_id(self) -> str:
        """The MLflow run, once the journal's first record is sent."""
        assert self.state["run_id"] is not None, "the start record is always the first"
        return self.state["run_id"]

    @property
    def goes_on(self) -> bool:
        """Whether the run stands in the store and is not closed."""
        return self.state["run_id"] is not None and not self.state["ended"]

    def send_new(self) -> bool:
        """Send what the journal holds beyond what was sent; whether there was anything."""
        found, behind = journal.read(self.folder, self.state["offset"])
        if behind == self.state["offset"]:
            return False
        if self.state["run_id"] is None and (not found or found[0][0]["kind"] != "start"):
            self._send("start", [self._lost_start()])
        for kind, group in groupby(found, key=lambda entry: entry[0]["kind"]):
            entries = list(group)
            for records, offset in _batches(kind, entries):
                self._send(kind, records)
                self._note(offset=offset)
        self._note(offset=behind)  # behind damaged records too
        return True

    def send_files(self) -> None:
        """Send every file of a run that did not come to name them, but for half-written ones."""
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_file() and name not in OWN_FILES and path.suffix != ".new":
                self._send("artifact", [{"path": name}])

    def end(self, status: str, time_ms: int) -> None:
        """Close the run."""
        if self.state["doubtful"]:
            self._remove_doubles()
        self.client.set_terminated(self.run_id, status, time_ms)
        self._note(ended=True)

    def _note(self, **changes: Any) -> None:
        """Write down how far sending came, whole or not at all."""
        self.state |= changes  # type: ignore[typeddict-item]
        journal.write_checked(self.folder / STATE, dict(self.state))

    def _make(self, entry: str, make: Callable[[], str]) -> None:
        """Make something in the store and note its id; where no answer comes, the doubt stays noted."""
        doubtful = self.state["doubtful"]
        self._note(doubtful=True)
        self._note(**{entry: make()}, doubtful=doubtful)

    def _remove_doubles(self) -> None:
        """Remove runs and models that were made by requests whose answer was lost."""
        for run_id in stored_runs(self.client, self.folder.name):
            if run_id != self.run_id:
                self.client.delete_run(run_id)
        for model_id in models.stored(self.client, self.run_id):
            if model_id != self.state["model_id"]:
                self.client.delete_logged_model(model_id)

    def _send(self, kind: str, records: list[Record]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            getattr(self, f"_send_{kind}")(records)
        except LabError as error:  # a name that leads out of the run's folder
            logging.warning("refused: %s", error)
        except MlflowException as error:
            if kind == "start" or error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            # What the store will never take must not keep back what stands beside or behind it.
            if len(records) == 1:
                logging.warning("refused: %s", error)
            for record in records if len(records) > 1 else ():
                self._send(kind, [record])

    def _send_start(self, records: list[Record]) -> None:
        from mlflow.entities import Param

        record = records[0]
        experiment_id = self._experiment_id(record["experiment"])
        tagged = {**record["tags"], **self._whereabouts(record["time"])}
        if record["parent"] is not None:
            tagged["mlflow.parentRunId"] = self._parent(record["parent"])
        if record["continued"]:
            self._check_earlier_part_sent()
        if self.state["run_id"] is None and (self.state["doubtful"] or record["continued"]):
            self._note(run_id=self.find_run(self.folder.name))
        if self.state["run_id"] is None:

            def create() -> str:
                name, began = record["name"], record["time"]
                return self.client.create_run(experiment_id, start_time=began, tags=tagged, run_name=name).info.run_id

            self._make("run_id", create)
        elif record["continued"]:
            self.client.update_run(self.run_id, status="RUNNING")
            self._send_tags([{"values": self._whereabouts(record["time"])}])
        params = [Param(name, value) for name, value in record["params"].items()]
        for first in range(0, len(params), PARAMS_PER_CALL):
            self.client.log_batch(self.run_id, params=params[first : first + PARAMS_PER_CALL])

    def _whereabouts(self, time_ms: int) -> dict[str, str]:
        """Tags by which the machine that writes the journal knows the run again."""
        outbox = str(self.folder.parent.absolute())
        return {
            store.JOURNAL_TAG: self.folder.name,
            store.OUTBOX_TAG: outbox,
            store.HOST_TAG: platform.node(),
            store.HEARTBEAT_TAG: str(time_ms),
        }

    def _lost_start(self) -> Record:
        """What stands for a first record that is damaged."""
        logging.warning("%s: the first record is damaged; the run is kept as %s", self.folder, RECOVERED)
        known = {"lab.damaged": "the run's name and settings are lost"}
        content = {"experiment": RECOVERED, "name": f"{RECOVERED} {self.folder.name[:8]}", "params": {}, "tags": known}
        began = int((self.folder / journal.FILE).stat().st_mtime * 1000)
        return {"time": began, "parent": None, "continued": False, **content}

    def _check_earlier_part_sent(self) -> None:
        """Raise LookupError where another outbox holds an earlier part of this run, which must be sent first."""
        for other in self.folder.parent.parent.glob(f"*/{self.folder.name}/{journal.FILE}"):
            if other.parent != self.folder and journal.origin(other.parent)[1] < journal.origin(self.folder)[1]:
                raise LookupError(f"an earlier part of this run waits in {other.parent.parent}; `lab sync` sends it")

    def _parent(self, tracker_id: str) -> str:
        run_id = self.find_run(tracker_id)
        if run_id is None:
            raise LookupError(f"the run of {tracker_id} is not in the store yet")
        return run_id

    def _experiment_id(self, name: str) -> str:
        """The MLflow experiment of that name, made or brought back where need be."""
        from mlflow.exceptions import MlflowException

        existing = self.client.get_experiment_by_name(name)
        if existing is None:
            location = (store.root() / "artifacts" / files.as_folder_name(name)).as_uri() if store.is_local() else None
            try:
                return self.client.create_experiment(name, artifact_location=location)
            except MlflowException:  # another process was faster
                existing = self.client.get_experiment_by_name(name)
                if existing is None:
                    raise
        if existing.lifecycle_stage == "deleted":
            self.client.restore_experiment(existing.experiment_id)
        return existing.experiment_id

    def _send_metrics(self, records: list[Record]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, record["time"], record["step"])
            for record in records
            for name, value in record["values"].items()
        ]
        self.client.log_batch(self.run_id, metrics=metrics)

    def _send_tags(self, records: list[Record]) -> None:
        from mlflow.entities import RunTag

        values = {name: value for record in records for name, value in record["values"].items()}
        self.client.log_batch(self.run_id, tags=[RunTag(*tag) for tag in values.items()])

    def _send_artifact(self, records: list[Record]) -> None:
        for name in (record["path"] for record in records):
            path = files.path_inside(self.folder, name)
            if path.is_file():
                parent = str(Path(name).parent)
                self.client.log_artifact(self.run_id, str(path), None if parent == "." else parent)
            else:
                logging.warning("%s is gone, and not sent", path)

    def _send_model(self, records: list[Record]) -> None:
        record = records[-1]
        folder = files.path_inside(self.folder, record["path"])
        if self.state["model_id"] is None and self.state["doubtful"]:
            self._note(model_id=next(iter(models.stored(self.client, self.run_id)), None))
        if self.state["model_id"] is None:
            self._make("model_id", lambda: models.create(self.client, self.run_id, record))
        model_id = self.state["model_id"]
        assert model_id is not None, "made above"
        models.upload(self.client, self.run_id, model_id, folder)

    def _send_end(self, records: list[Record]) -> None:
        self.end(records[-1]["status"], records[-1]["time"])


def stored_runs(client: "MlflowClient", tracker_id: str) -> list[str]:
    """The MLflow runs of a tracker's id in the store: one, unless the answer to its making was lost."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.`{store.JOURNAL_TAG}` = '{tracker_id}'", max_results=100)
    return [run.info.run_id for run in found]


def _batches(kind: str, entries: list[tuple[Record, int]]) -> Iterator[tuple[list[Record], int]]:
    """Records of one kind in portions that fit into a call, each with the offset behind it."""
    portion: list[Record] = []
    size = 0
    offset = 0
    for record, offset_behind in entries:
        added = len(record["values"]) if kind == "metrics" else 1
        if portion and size + added > METRICS_PER_CALL:
            yield portion, offset
            portion, size = [], 0
        portion.append(record)
        size += added
        offset = offset_behind
    if portion:
        yield portion, offset
