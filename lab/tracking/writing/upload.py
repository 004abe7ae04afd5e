"""The upload of one journal to MLflow.

Records are sent in order, and the offset is saved after each batch. Sending a batch twice (the sender was stopped
between sending and saving, or a response was lost) is harmless: MLflow's tables hold one row for equal metric records,
and params, tags, artifacts and the final status are the same when written again. A run or model that was created twice
(a server that hung executes all queued requests when it recovers) is found by its tag and deleted.
"""

import logging
import platform
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from lab import files
from lab.errors import LabError
from lab.tracking import batches, experiments, models, store
from lab.tracking.writing import datasets, journal
from lab.tracking.writing.journal import Record
from lab.tracking.writing.tracker import stored_name

if TYPE_CHECKING:
    from mlflow import MlflowClient


STATE = "sent.json"
OWN_FILES = (journal.FILE, journal.RESERVE, STATE)  # of the folder of a journal; all others are artifacts
RECOVERED = "recovered"  # the experiment of runs whose first record, with its name, is damaged


class State(TypedDict):
    """How far a journal is sent: the MLflow run, the offset in bytes, the LoggedModel, whether the run is closed.

    `doubtful`: a request to create something got no response, so it may exist in the store.
    """

    run_id: str | None
    offset: int
    model_id: str | None
    ended: bool
    doubtful: bool


def state_of(folder: Path) -> State:
    """How far a journal is sent; a damaged state file counts as nothing sent, and everything is sent again."""
    try:
        return cast(State, journal.read_checked(folder / STATE))
    except FileNotFoundError:
        doubtful = False
    except journal.Damaged:
        logging.warning("%s is damaged: the journal is sent again from the start", folder / STATE)
        doubtful = True
    return {"run_id": None, "offset": 0, "model_id": None, "ended": False, "doubtful": doubtful}


class Upload:
    """Uploads one journal to the store, from where an earlier upload stopped.

    `find_run` returns the MLflow run of a tracker's id, or None.
    """

    def __init__(self, folder: Path, client: "MlflowClient", find_run: Callable[[str], str | None]):
        self.folder = folder
        self.client = client
        self.find_run = find_run
        self.state = state_of(folder)

    @property
    def run_id(self) -> str:
        """The MLflow run; only valid once the journal's first record is sent."""
        assert self.state["run_id"] is not None, "the start record is always the first"
        return self.state["run_id"]

    @property
    def is_open(self) -> bool:
        """Whether the run is in the store and not closed."""
        return self.state["run_id"] is not None and not self.state["ended"]

    def send_new(self) -> bool:
        """Send the records that were not sent yet; returns whether there were any."""
        found, end = journal.read(self.folder, self.state["offset"])
        if end == self.state["offset"]:
            return False
        if self.state["run_id"] is None and (not found or found[0][0]["kind"] != "start"):
            self._send("start", [self._substitute_start()])
        for kind, group in groupby(found, key=lambda entry: entry[0]["kind"]):
            entries = list(group)
            for records, offset in _batches(kind, entries):
                self._send(kind, records)
                self._save_state(offset=offset)
        self._save_state(offset=end)  # past damaged records too
        return True

    def send_files(self) -> None:
        """Send every complete file of a run that was killed before it recorded them as artifacts."""
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            if path.is_file() and str(name) not in OWN_FILES and not files.is_temporary(name):
                self._send("artifact", [{"path": str(name)}])

    def end(self, status: str, time_ms: int) -> None:
        """Close the run."""
        if self.state["doubtful"]:
            self._delete_duplicates()
        self.client.set_terminated(self.run_id, status, time_ms)
        self._save_state(ended=True)

    def _save_state(self, **changes: Any) -> None:
        self.state |= changes  # type: ignore[typeddict-item]
        journal.write_checked(self.folder / STATE, dict(self.state))

    def _create(self, entry: str, create: Callable[[], str]) -> None:
        """Create something in the store and save its id; where no response comes, the state stays doubtful."""
        doubtful = self.state["doubtful"]
        self._save_state(doubtful=True)
        self._save_state(**{entry: create()}, doubtful=doubtful)

    def _delete_duplicates(self) -> None:
        """Delete runs and models that were created by requests whose response was lost."""
        for run_id in stored_runs(self.client, self.folder.name):
            if run_id != self.run_id:
                self.client.delete_run(run_id)
        for model_id in models.ids_of(self.client, self.run_id):
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
            # A record that the store will never accept must not block the others.
            if len(records) == 1:
                logging.warning("refused: %s", error)
            for record in records if len(records) > 1 else ():
                self._send(kind, [record])

    def _send_start(self, records: list[Record]) -> None:
        record = records[0]
        experiment_id = experiments.id_of(self.client, record["experiment"])
        tags = {**record["tags"], **self._origin_tags(record["time"])}
        if record["parent"] is not None:
            tags["mlflow.parentRunId"] = self._parent(record["parent"])
        if record["continued"]:
            self._check_earlier_part_sent()
        if self.state["run_id"] is None and (self.state["doubtful"] or record["continued"]):
            self._save_state(run_id=self.find_run(self.folder.name))
        if self.state["run_id"] is None:

            def create() -> str:
                name, started = record["name"], record["time"]
                return self.client.create_run(experiment_id, start_time=started, tags=tags, run_name=name).info.run_id

            self._create("run_id", create)
        elif record["continued"]:
            self.client.update_run(self.run_id, status="RUNNING")
            self._send_tags([{"values": self._origin_tags(record["time"])}])
        self._send_params([{"values": record["params"]}])
        datasets.log(self.client, self.run_id, record["params"], record["tags"])

    def _origin_tags(self, time_ms: int) -> dict[str, str]:
        """Tags that name the journal of the run and the machine that writes it."""
        outbox = str(self.folder.parent.absolute())
        return {
            store.JOURNAL_TAG: self.folder.name,
            store.OUTBOX_TAG: outbox,
            store.HOST_TAG: platform.node(),
            store.HEARTBEAT_TAG: str(time_ms),
        }

    def _substitute_start(self) -> Record:
        """A start record in place of one that is damaged."""
        logging.warning("%s: the first record is damaged; the run is stored as %s", self.folder, RECOVERED)
        tags = {"lab.damaged": "the run's name and settings are lost"}
        content = {"experiment": RECOVERED, "name": f"{RECOVERED} {self.folder.name[:8]}", "params": {}, "tags": tags}
        started = int((self.folder / journal.FILE).stat().st_mtime * 1000)
        return {"time": started, "parent": None, "continued": False, **content}

    def _check_earlier_part_sent(self) -> None:
        """Raise LookupError where another outbox holds an earlier part of this run, which must be sent first."""
        for other in self.folder.parent.parent.glob(f"*/{self.folder.name}/{journal.FILE}"):
            if other.parent != self.folder and journal.origin(other.parent)[1] < journal.origin(self.folder)[1]:
                raise LookupError(
                    f"an earlier part of this run is pending in {other.parent.parent}; `lab sync` sends it"
                )

    def _parent(self, tracker_id: str) -> str:
        run_id = self.find_run(tracker_id)
        if run_id is None:
            raise LookupError(f"the run of {tracker_id} is not in the store yet")
        return run_id

    def _send_metrics(self, records: list[Record]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, record["time"], record["step"])
            for record in records
            for name, value in record["values"].items()
        ]
        batches.log(self.client, self.run_id, metrics)

    def _send_params(self, records: list[Record]) -> None:
        from mlflow.entities import Param

        params = [Param(*each) for record in records for each in _as_stored(record["values"]).items()]
        batches.log(self.client, self.run_id, params=params)

    def _send_tags(self, records: list[Record]) -> None:
        from mlflow.entities import RunTag

        values = {name: value for record in records for name, value in record["values"].items()}
        batches.log(self.client, self.run_id, tags=[RunTag(*tag) for tag in values.items()])

    def _send_artifact(self, records: list[Record]) -> None:
        for name in (record["path"] for record in records):
            path = files.path_inside(self.folder, name)
            if path.is_file():
                parent = str(Path(name).parent)
                self.client.log_artifact(self.run_id, str(path), None if parent == "." else parent)
            else:
                logging.warning("%s is missing and not sent", path)

    def _send_model(self, records: list[Record]) -> None:
        record = records[-1]
        folder = files.path_inside(self.folder, record["path"])
        if self.state["model_id"] is None and self.state["doubtful"]:
            self._save_state(model_id=next(iter(models.ids_of(self.client, self.run_id)), None))
        if self.state["model_id"] is None:
            self._create("model_id", lambda: models.create(self.client, self.run_id, record))
        model_id = self.state["model_id"]
        assert model_id is not None, "created above"
        models.upload(self.client, self.run_id, model_id, folder)

    def _send_end(self, records: list[Record]) -> None:
        self.end(records[-1]["status"], records[-1]["time"])


def stored_runs(client: "MlflowClient", tracker_id: str) -> list[str]:
    """The MLflow runs of a tracker's id in the store: more than one where a response to create_run was lost."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.`{store.JOURNAL_TAG}` = '{tracker_id}'", max_results=100)
    return [run.info.run_id for run in found]


def _batches(kind: str, entries: list[tuple[Record, int]]) -> Iterator[tuple[list[Record], int]]:
    """Records of one kind in batches that fit into a call, each with the offset of its end."""
    batch: list[Record] = []
    size = 0
    offset = 0
    for record, record_end in entries:
        added = len(record["values"]) if kind == "metrics" else 1
        if batch and size + added > batches.METRICS_PER_CALL:
            yield batch, offset
            batch, size = [], 0
        batch.append(record)
        size += added
        offset = record_end
    if batch:
        yield batch, offset


def _as_stored(settings: Mapping[str, str]) -> dict[str, str]:
    """Settings under names of their own that MLflow accepts: `groups.head.*.lr` is stored as `groups.head._.lr`."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        stored = stored_name(name)
        while stored in found:
            stored += "_"
        found[stored] = value
    return found
