"""Runs that claim to run although nobody writes them any more, closed as KILLED."""

import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab.tracking import reader, tags
from lab.tracking.states import SILENT_SECONDS

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SILENT_SECONDS_ELSEWHERE = 300  # for a machine whose journals cannot be looked at, and whose clock may differ
REASON = "its process and its sender were gone; closed by `lab runs --reap`"


def close(host: str | None = None) -> list[str]:
    """Close the silent runs of this machine, or of another one that is gone; a line about each. Raises LabError.

    A run that reports is never touched, nor one whose journal is still there (it is sent and closed from there),
    nor one that the lab did not write.
    """
    client = reader.connect()
    here = host in (None, platform.node())
    return [_closed(client, run, here) for run in _silent(client, host or platform.node(), here)]


def _silent(client: "MlflowClient", host: str, here: bool) -> "Iterator[Run]":
    patience = SILENT_SECONDS if here else SILENT_SECONDS_ELSEWHERE
    experiments = [each.experiment_id for each in client.search_experiments()]
    quote = '"' if "'" in host else "'"
    wanted = f"attributes.status = 'RUNNING' AND tags.`{tags.HOST}` = {quote}{host}{quote}"
    token = None
    while experiments:
        page = client.search_runs(experiments, wanted, page_token=token)
        for run in page:
            beat = run.data.tags.get(tags.HEARTBEAT, "")
            if tags.OUTBOX in run.data.tags and beat.isdigit() and int(beat) < (time.time() - patience) * 1000:
                yield run
        if not (token := page.token):
            return


def _closed(client: "MlflowClient", run: "Run", here: bool) -> str:
    """Close a silent run, unless its journal is here; what was done, in words."""
    outbox = Path(run.data.tags[tags.OUTBOX])
    name = f"{run.info.run_id[:8]} ({run.info.run_name})"
    if here and outbox.exists():
        return f"{name} is left: its records are in {outbox}; `lab sync` there sends them"
    client.set_tag(run.info.run_id, "lab.failure", REASON)
    client.set_terminated(run.info.run_id, "KILLED", int(run.data.tags[tags.HEARTBEAT]))
    return f"closed {name} as KILLED"
