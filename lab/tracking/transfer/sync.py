"""`lab sync --to URI`: all runs of this store in another one, each once, verified by hash; nothing is deleted here."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.errors import LabError, without_password
from lab.tracking import server, store
from lab.tracking.reading import stored_runs
from lab.tracking.transfer import content, copying
from lab.tracking.transfer.content import HASH_TAG, SOURCE_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# Nobody waits for a single call here, and a large file takes long.
PATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "5", "MLFLOW_HTTP_REQUEST_TIMEOUT": "120"}
PARENT_TAG = "mlflow.parentRunId"


@dataclass
class Outcome:
    """The runs that were copied, were there already, still run here (and so wait), or differ there."""

    copied: int = 0
    there: int = 0
    running: int = 0
    different: list[str] = field(default_factory=list)

    def lines(self, address: str) -> list[str]:
        """What became of the runs."""
        lines = [f"runs copied to {address}, each verified by its hash: {self.copied:,}; there already: {self.there:,}"]
        if self.running:
            lines.append(f"still running, or their parents are: {self.running:,}; run this again when they end")
        return lines + [f"run {each} is not there as it is here; run this again" for each in self.different]


def sync(uri: str, say: Callable[[str], None] = print) -> Outcome:
    """Copy all runs to the store at `uri`, parents first; raises LabError where one of the stores does not answer.

    Interrupted and started again it goes on: a copy carries the id of its source, and, once verified, its hash.
    """
    source, target = stored_runs.connect(), _connect(uri)
    outcome, experiments = Outcome(), {}
    runs = list(_runs(source))
    copies = {run.data.tags[SOURCE_TAG]: run for run in _runs(target) if SOURCE_TAG in run.data.tags}
    known = {ours: theirs.info.run_id for ours, theirs in copies.items()}
    waiting = {run.info.run_id for run in runs if run.info.status in ("RUNNING", "SCHEDULED")}
    for run in _parents_first(runs):
        run_id, experiment_id = run.info.run_id, run.info.experiment_id
        if run_id in waiting or run.data.tags.get(PARENT_TAG) in waiting:
            waiting.add(run_id)
            outcome.running += 1
            continue
        whole = content.read(source, run_id)
        ours = whole.hash({})
        if run_id in copies and copies[run_id].data.tags.get(HASH_TAG) == ours:
            outcome.there += 1
            continue
        if experiment_id not in experiments:
            experiments[experiment_id] = copying.experiment(source, target, experiment_id)
        known[run_id] = copying.copy(whole, source, target, experiments[experiment_id], known)
        if content.read(target, known[run_id]).hash({theirs: ours for ours, theirs in known.items()}) != ours:
            outcome.different.append(run_id)
            continue
        target.set_tag(known[run_id], HASH_TAG, ours)
        outcome.copied += 1
        say(f"{run_id[:8]} ({run.info.run_name}) is {known[run_id][:8]} there")
    return outcome


def _connect(uri: str) -> "MlflowClient":
    """A client of the other store; raises LabError."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    if uri.partition("://")[0].partition("+")[0] not in store.SCHEMES:
        raise LabError(f"--to: '{without_password(uri)}' is not the address of a store; write http://host:port")
    if uri.rstrip("/") == store.tracking_uri().rstrip("/"):
        raise LabError("--to: that is this store; unset MLFLOW_TRACKING_URI to copy the runs of mlruns/")
    try:
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        raise server.failure(uri, str(error).partition("\n")[0][:200]) from None
    os.environ.update(PATIENT)
    return client


def _runs(client: "MlflowClient") -> Iterator["Run"]:
    """All runs that are not deleted."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    token = None
    while experiments:
        page = client.search_runs(experiments, page_token=token, order_by=["attributes.start_time ASC"])
        yield from page
        if not (token := page.token):
            return


def _parents_first(runs: list["Run"]) -> list["Run"]:
    """Runs in the order of their start, but none before its parent."""
    by_id = {run.info.run_id: run for run in runs}

    def depth(run: "Run", seen: frozenset[str] = frozenset()) -> int:
        parent = by_id.get(run.data.tags.get(PARENT_TAG, ""))
        if parent is None or parent.info.run_id in seen:
            return 0
        return 1 + depth(parent, seen | {run.info.run_id})

    return sorted(runs, key=depth)
