"""`lab import FOLDER`: what other tools wrote becomes runs of the store, each once."""

from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError, printable
from lab.tracking import batches, environment, experiments, store
from lab.tracking.reading import stored_runs
from lab.tracking.transfer.formats.finding import find
from lab.tracking.transfer.formats.runs import Foreign
from lab.tracking.writing.tracker import as_param, stored_name

if TYPE_CHECKING:
    from mlflow import MlflowClient

HASH_TAG = "lab.import.hash"  # of the content: what is there is not imported again
TOOL_TAG = "lab.import.tool"


def import_runs(folder: Path, experiment: str | None) -> list[str]:
    """Record the runs below a folder in an experiment, by default of its name; returns a line about each.

    Raises LabError before anything is recorded; interrupted and started again it goes on.
    """
    runs = find(folder)
    for run in runs:
        _check_names(run)
    store.check_writable()
    store.client()  # creates the local store
    client = stored_runs.connect()
    name = experiment or folder.absolute().name
    experiment_id = experiments.id_of(client, name)
    return [_import(client, experiment_id, run) for run in runs]


def _check_names(run: Foreign) -> None:
    """Raise LabError where two names are stored as one, since one of the two would be lost."""
    for names in ({each.metric for each in run.values}, run.settings):
        known: dict[str, str] = {}
        for name in sorted(names):
            if (other := known.setdefault(stored_name(name), name)) != name:
                raise LabError(f"{run.place}: '{other}' and '{name}' are one name for MLflow; rename one of them")


def _import(client: "MlflowClient", experiment_id: str, run: Foreign) -> str:
    """Record one run, unless it is there; returns a line about it."""
    begun = client.search_runs([experiment_id], f"tags.`{HASH_TAG}` = '{run.hash}'")
    shown = printable(run.name)
    if begun and begun[0].info.status != "RUNNING":
        return f"{shown} is there already, as {begun[0].info.run_id[:8]}"
    times = [each.time for each in run.values] or [run.started or int(run.place.stat().st_mtime * 1000)]
    began = min(times) if run.started is None else run.started
    tags = {HASH_TAG: run.hash, TOOL_TAG: run.tool, environment.USER: environment.user(), **run.tags}
    tags[environment.SOURCE_NAME] = str(run.place)
    run_id = begun[0].info.run_id if begun else client.create_run(experiment_id, began, tags, run.name).info.run_id
    _log(client, run_id, run)
    client.set_terminated(run_id, run.status, run.ended or max(times))
    state = "" if run.status == "FINISHED" else f", {run.status}"
    without = f", without {run.left_out}" if run.left_out else ""
    return f"{shown}: {len(run.values):,} values and {len(run.settings)} settings, as {run_id[:8]}{state}{without}"


def _log(client: "MlflowClient", run_id: str, run: Foreign) -> None:
    from mlflow.entities import Metric, Param

    metrics = [Metric(stored_name(each.metric), each.value, each.time, each.step) for each in run.values]
    params = [Param(stored_name(name), as_param(value)) for name, value in run.settings.items()]
    batches.log(client, run_id, metrics, params)
