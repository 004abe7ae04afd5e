"""The upload of one journal to MLflow.

It sends in order, and notes how far it came after each batch. What it sends twice (it was stopped between
sending and noting) the store takes once: MLflow's tables hold one row for each equal metric record, and
parameters, tags, files and the final state are the same when written again.
"""

import json
import logging
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from lab.tracking import journal, store
from lab.tracking.journal import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient

METRICS_PER_CALL = 1_000  # MLflow's limit
PARAMS_PER_CALL = 100  # MLflow's limit
JOURNAL_TAG = "lab.journal"
STATE = "sent.json"
OWN_FILES = (journal.FILE, STATE)  # in a journal's folder, all others are the run's


class State(TypedDict):
    """How far a journal is sent: the MLflow run, the bytes read, the logged model, whether the run is closed."""

    run_id: str | None
    offset: int
    model_id: str | None
    ended: bool


def state_of(folder: Path) -> State:
    """How far a journal is sent."""
    try:
        return json.loads((folder / STATE).read_text())
    except FileNotFoundError:
        return {"run_id": None, "offset": 0, "model_id": None, "ended": False}


class Upload:
    """Brings one journal to the store, from where an earlier upload stopped.

    `find_run` gives the MLflow run of a tracker's id, or None.
    """

    def __init__(self, folder: Path, client: "MlflowClient", find_run: Callable[[str], str | None]):
        self.folder = folder
        self.client = client
        self.find_run = find_run
        self.begun_before = (folder / STATE).exists()
        self.state = state_of(folder)

    @property
    def run_id(self) -> str:
        """The MLflow run, once the journal's first record is sent."""
        assert self.state["run_id"] is not None, "the start record is always the first"
        return self.state["run_id"]

    def send_new(self) -> bool:
        """Send what the journal holds beyond what was sent; whether there was anything."""
        found, _ = journal.read(self.folder, self.state["offset"])
        for kind, group in groupby(found, key=lambda entry: entry[0]["kind"]):
            entries = list(group)
            for records, offset in _batches(kind, entries):
                self._send(kind, records)
                self._note(offset=offset)
        return bool(found)

    def send_files(self) -> None:
        """Send every file of a run that did not come to name them, but for half-written ones."""
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_file() and name not in OWN_FILES and path.suffix != ".new":
                self._send("artifact", [{"path": name}])

    def end(self, status: str, time_ms: int) -> None:
        """Close the run."""
        self.client.set_terminated(self.run_id, status, time_ms)
        self._note(ended=True)

    def _note(self, **changes: Any) -> None:
        """Write down how far sending came, whole or not at all."""
        self.state |= changes  # type: ignore[typeddict-item]
        fresh = self.folder / f"{STATE}.new"
        fresh.write_text(json.dumps(self.state))
        fresh.replace(self.folder / STATE)

    def _send(self, kind: str, records: list[Record]) -> None:
        from mlflow.exceptions import MlflowException

        try:
            getattr(self, f"_send_{kind}")(records)
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
        tags = record["tags"] | {JOURNAL_TAG: self.folder.name}
        if record["parent"] is not None:
            tags["mlflow.parentRunId"] = self._parent(record["parent"])
        run_id = self.find_run(self.folder.name) if self.begun_before or record["continued"] else None
        if run_id is None:
            self._note()  # from now on there may be a run in the store
            run = self.client.create_run(experiment_id, start_time=record["time"], tags=tags, run_name=record["name"])
            run_id = run.info.run_id
        elif record["continued"]:
            self.client.update_run(run_id, status="RUNNING")
        params = [Param(name, value) for name, value in record["params"].items()]
        for first in range(0, len(params), PARAMS_PER_CALL):
            self.client.log_batch(run_id, params=params[first : first + PARAMS_PER_CALL])
        self._note(run_id=run_id)

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
            location = (store.root() / "artifacts" / name).as_uri() if store.is_local() else None
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

        tags = {name: value for record in records for name, value in record["values"].items()}
        self.client.log_batch(self.run_id, tags=[RunTag(*tag) for tag in tags.items()])

    def _send_artifact(self, records: list[Record]) -> None:
        for path in (record["path"] for record in records):
            parent = str(Path(path).parent)
            self.client.log_artifact(self.run_id, str(self.folder / path), None if parent == "." else parent)

    def _send_model(self, records: list[Record]) -> None:
        from lab.tracking import models

        record = records[-1]
        model_id = self.state["model_id"] or models.create(self.client, self.run_id, record)
        self._note(model_id=model_id)
        models.upload(self.client, self.run_id, model_id, self.folder / record["path"])

    def _send_end(self, records: list[Record]) -> None:
        self.end(records[-1]["status"], records[-1]["time"])


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
