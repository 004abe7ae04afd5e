"""The run that `Logger(version=...)` goes on with, in the store or in a journal that is not sent yet."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading import stored_runs
from lab.tracking.writing import journal

VERSION = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Resumed:
    """A run: the id of its tracker, its project, and the settings that it has recorded, as text."""

    version: str
    experiment: str
    params: Mapping[str, str]


def find(name: str, experiment: str | None) -> Resumed:
    """The run of that id, start of an id, name, or version; raises LabError where it cannot be resumed.

    `experiment` is the project that it must belong to, None for any.
    """
    found = _pending(name) or _stored(name)
    if experiment not in (None, found.experiment):
        raise LabError(f"version: run {name} belongs to the project '{found.experiment}', not to '{experiment}'")
    return found


def stored_id(version: str) -> str | None:
    """The id in MLflow of the run of a version; None where the store has none or does not answer."""
    with suppress(LabError):
        return stored_runs.find(version).id
    return None


def _pending(version: str) -> Resumed | None:
    """A run with records that are not sent, of which the store may know nothing yet."""
    if not VERSION.fullmatch(version):
        return None
    records = [
        record
        for path in store.journals().glob(f"[!.]*/{version}/{journal.FILE}")
        for record, _ in journal.read(path.parent, 0)[0]
    ]
    started = next((record for record in records if record["kind"] == "start"), None)
    if started is None:
        return None
    params: dict[str, str] = {}
    for record in records:
        if record["kind"] == "params":
            params |= record["values"]
    return Resumed(version, started["experiment"], params)


def _stored(name: str) -> Resumed:
    run = stored_runs.find(name)
    if store.JOURNAL_TAG not in run.tags:
        raise LabError(f"version: run {run.id[:8]} was recorded by another tool, and cannot be resumed here")
    return Resumed(run.tags[store.JOURNAL_TAG], run.experiment, run.params)
