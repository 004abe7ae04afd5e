"""Runs in the store: found by id, name, `latest:EXPERIMENT` or `best:EXPERIMENT`, and ranked."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lab.config import experiment as experiment_files
from lab.errors import LabError, did_you_mean
from lab.tracking import server, store
from lab.tracking.reading import definitions, directions
from lab.tracking.reading.metric_names import TEST, VALIDATION, is_curve, split_of, without_summary
from lab.tracking.reading.summaries import best_value, same_metric
from lab.tracking.reading.tables import open_tables

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


BEST_BY = "val/loss"  # the metric of `best:`, which also chose the best epoch
TESTED_KINDS = ("run", "winner")  # values of the tag lab.kind: neither trials of studies nor arms of comparisons
OTHER_TOOL = ""  # for runs without that tag
ID_LENGTH = 32  # characters
RUNS_PER_CALL = 1_000
NEWEST_FIRST = "attributes.start_time DESC"
HOW = "name a run by its id, its name, latest:EXPERIMENT or best:EXPERIMENT; `make mlflow` shows all runs"


@dataclass(frozen=True)
class StoredRun:
    """One run: its params as text, its tags, and the last value of each metric."""

    id: str
    name: str
    experiment: str
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    client: "MlflowClient"

    def artifact(self, name: str) -> Path:
        """Download an artifact; returns its local path, raises LabError where the run has none of that name."""
        from mlflow.exceptions import MlflowException

        try:
            return Path(self.client.download_artifacts(self.id, name))
        except (MlflowException, OSError) as error:
            raise LabError(f"run {self.id} has no {name}: {_first_line(error)}") from None


def find(name: str, by: str = BEST_BY) -> StoredRun:
    """The run with that id, start of an id, or name, or `latest:EXPERIMENT`, or `best:EXPERIMENT` by a metric.

    Raises LabError where that is not exactly one run.
    """
    _refuse_before_any_run(name)
    client = connect()
    experiments = _experiments(client)
    return _stored(resolve(client, experiments, name, by), experiments, client)


def _refuse_before_any_run(name: str) -> None:
    """Raise LabError for the best or latest run of an experiment where there is no store yet."""
    prefix, _, experiment = name.partition(":")
    empty = store.is_local() and not store.database().exists()
    if empty and prefix in ("best", "latest") and experiment in experiment_files.names():
        raise _untrained(experiment)


def _untrained(experiment: str) -> LabError:
    return LabError(f"experiment '{experiment}' has no runs yet; train it first: `lab run {experiment}`")


@dataclass(frozen=True)
class Ranking:
    """The best runs of an experiment by a metric, best first, each with its value."""

    metric: str
    runs: list[tuple[StoredRun, float]]


def best(experiment: str, by: str = BEST_BY, top: int = 5) -> list[StoredRun]:
    """The finished runs of an experiment with the best values of a metric, best first; raises LabError."""
    return [run for run, _ in ranking(experiment, by, top).runs]


def ranking(experiment: str, by: str = BEST_BY, top: int = 5) -> Ranking:
    """The same with the values, and the metric as the runs spell it."""
    client = connect()
    experiments = _experiments(client)
    metric, ranked = _ranked(client, experiments, experiment, by)
    return Ranking(metric, [(_stored(run, experiments, client), value) for run, value in ranked[:top]])


def connect() -> "MlflowClient":
    """A client of the store; raises LabError where the store does not exist or does not answer."""
    if store.is_local() and not store.database().exists():
        raise LabError(f"no runs yet: there is no {store.database()}; make one with `lab run lstm`")
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client = store.client()
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        raise server.failure(store.tracking_uri(), _first_line(error)) from None
    return client


def _experiments(client: "MlflowClient") -> dict[str, str]:
    """The ids of the experiments by name."""
    return {each.name: each.experiment_id for each in client.search_experiments()}


def _stored(run: "Run", experiments: Mapping[str, str], client: "MlflowClient") -> StoredRun:
    name_of = {experiment_id: name for name, experiment_id in experiments.items()}
    info, data = run.info, run.data
    experiment = name_of[info.experiment_id]
    return StoredRun(info.run_id, info.run_name, experiment, info.status, data.params, data.tags, data.metrics, client)


def resolve(client: "MlflowClient", experiments: Mapping[str, str], name: str, by: str = BEST_BY) -> "Run":
    """The one run that `name` means; raises LabError. `experiments` maps names to ids, `by` is for `best:`."""
    prefix, colon, experiment = name.partition(":")
    if colon and prefix == "latest":
        return latest_of(client, experiments, experiment)
    if colon and prefix == "best":
        return best_of(client, experiments, experiment, by, top=1)[0]
    found = (
        _of_name(client, experiments, name)
        or _of_id(client, experiments, name)
        or _of_version(client, experiments, name)
    )
    if found is None:
        raise _unknown(client, experiments, name)
    return found


def latest_of(client: "MlflowClient", experiments: Mapping[str, str], experiment: str) -> "Run":
    """The run of an experiment that was started last, whatever its status; raises LabError where there is none."""
    for run in _tested_runs(client, _experiment(experiments, experiment)):
        return run
    raise _untrained(experiment)


def best_of(
    client: "MlflowClient", experiments: Mapping[str, str], experiment: str, by: str = BEST_BY, top: int = 5
) -> "list[Run]":
    """The finished runs of an experiment with the best values of a metric, best first; raises LabError."""
    return [run for run, _ in _ranked(client, experiments, experiment, by)[1][:top]]


def _ranked(
    client: "MlflowClient", experiments: Mapping[str, str], experiment: str, by: str
) -> "tuple[str, list[tuple[Run, float]]]":
    """The metric as the runs spell it, and the finished runs with a value of it, best first.

    The value is that of a run's best epoch where the run says which that is, else the best of all. Raises LabError
    where there are none, and for test metrics, which must not be used for model selection.
    """
    split, name = split_of(without_summary(by))
    if split == TEST:
        raise LabError(f"--by {by}: test data is for the final evaluation, not for model selection; use val/{name}")
    finished = list(_tested_runs(client, _experiment(experiments, experiment), "attributes.status = 'FINISHED'"))
    metric = same_metric(by, {name.removeprefix("at_best/") for run in finished for name in run.data.metrics})
    having = [run for run in finished if {metric, f"at_best/{metric}"} & run.data.metrics.keys()]
    higher = directions.of_runs(metric, (run.data.tags for run in having), (run.data.metrics for run in having))
    _check_comparable(metric, having, higher)
    values = {run: value for run, value in _values(having, metric, bool(higher)).items() if math.isfinite(value)}
    if not values:
        raise LabError(f"no run of experiment '{experiment}' {_why_none(experiment, finished, by)}")
    sign = -1 if higher else 1
    ranked = sorted(
        (run for run in having if run.info.run_id in values), key=lambda run: sign * values[run.info.run_id]
    )
    return metric, [(run, values[run.info.run_id]) for run in ranked]


def _check_comparable(metric: str, runs: "list[Run]", higher: bool | None) -> None:
    """Raise LabError where a metric cannot rank runs: its direction is unknown, or it is not the same in all."""
    if runs and higher is None:
        opposite = directions.contradictory(metric, [run.data.tags.get(directions.TAG) for run in runs])
        what = "contradict each other on" if opposite else "do not say"
        say = "" if opposite else f', or train with lab.Logger(..., directions={{"{metric}": "min"}}), or "max"'
        raise LabError(f"--by {metric}: the runs {what} whether higher is better; choose another one with --by{say}")
    if setting := definitions.differing(metric, [run.data.params for run in runs]):
        raise LabError(
            f"--by {metric}: the runs differ in {setting}: it is not the same in each; choose another with --by"
        )


def _values(runs: "list[Run]", metric: str, higher_is_better: bool) -> dict[str, float]:
    """The value of each run at its best epoch; of those that do not say which that is, the best."""
    at_best = {run.info.run_id: run.data.metrics.get(f"at_best/{metric}") for run in runs}
    said = {run: value for run, value in at_best.items() if value is not None}
    if len(said) == len(runs):
        return said
    histories = open_tables().histories([run for run in at_best if run not in said], [metric]).groupby("run")["value"]
    return said | {str(run): best_value(values, higher_is_better) for run, values in histories}


def _why_none(experiment: str, finished: "list[Run]", by: str) -> str:
    """Why no run of an experiment has a metric."""
    if not finished:
        return f"is finished; train it first: `lab run {experiment}`"
    names = {name.removeprefix("at_best/") for run in finished for name in run.data.metrics}
    known = {name for name in names if is_curve(name) and split_of(name)[0] == VALIDATION} or set(
        filter(is_curve, names)
    )
    return f"has '{by}'; {did_you_mean(by, known, '--by ')}"


def _of_name(client: "MlflowClient", experiments: Mapping[str, str], name: str) -> "Run | None":
    """The run with exactly that name."""
    quote = "'" if '"' in name else '"'
    if quote in name:
        return None
    wanted = f"attributes.run_name = {quote}{name}{quote}"
    found = client.search_runs(list(experiments.values()), wanted, max_results=5, order_by=[NEWEST_FIRST])
    if len(found) > 1:
        many = "5 runs or more" if len(found) == 5 else f"{len(found)} runs"
        raise LabError(
            f"{many} are named '{name}': {_listed(found)}; write an id, latest:EXPERIMENT or best:EXPERIMENT"
        )
    return found[0] if found else None


def _of_id(client: "MlflowClient", experiments: Mapping[str, str], prefix: str) -> "Run | None":
    """The run whose id is, or starts with, `prefix`."""
    if not re.fullmatch(f"[0-9a-f]{{1,{ID_LENGTH}}}", prefix):
        return None
    found = client.search_runs(list(experiments.values()), f"attributes.run_id LIKE '{prefix}%'", max_results=5)
    if len(found) > 1:
        raise LabError(f"several run ids start with '{prefix}': {_listed(found)}; write more of the id")
    return found[0] if found else None


def _of_version(client: "MlflowClient", experiments: Mapping[str, str], version: str) -> "Run | None":
    """The run of that `version` of a logger, which is the id of its tracker."""
    if not re.fullmatch("[0-9a-f]{32}", version):
        return None
    wanted = f"tags.`{store.JOURNAL_TAG}` = '{version}'"
    found = client.search_runs(list(experiments.values()), wanted, max_results=1)
    return found[0] if found else None


def _unknown(client: "MlflowClient", experiments: Mapping[str, str], name: str) -> LabError:
    """The error for a name that no run has, with similar names."""
    recent = client.search_runs(list(experiments.values()), max_results=RUNS_PER_CALL, order_by=[NEWEST_FIRST])
    names = {run.info.run_name for run in recent} | {
        f"{which}:{each}" for which in ("best", "latest") for each in experiments
    }
    hint = did_you_mean(name, names)
    return LabError(f"no run '{name}': {hint if hint.startswith('did you mean') else HOW}")


def _experiment(experiments: Mapping[str, str], name: str) -> str:
    """The id of an experiment."""
    if name not in experiments and name in experiment_files.names():
        raise _untrained(name)
    if name not in experiments:
        raise LabError(f"no experiment '{name}' has runs; {did_you_mean(name, experiments)}")
    return experiments[name]


def _tested_runs(client: "MlflowClient", experiment_id: str, wanted: str = "") -> "Iterator[Run]":
    """The runs of an experiment that are no part of a study or comparison, newest first, read page by page."""
    token = None
    while True:
        page = client.search_runs([experiment_id], wanted, 1, RUNS_PER_CALL, [NEWEST_FIRST], token)
        yield from (run for run in page if run.data.tags.get("lab.kind", OTHER_TOOL) in (*TESTED_KINDS, OTHER_TOOL))
        if not (token := page.token):
            return


def _listed(runs: "list[Run]") -> str:
    return ", ".join(f"{run.info.run_id[:8]} ({_when(run)}, {run.info.status})" for run in runs)


def _when(run: "Run") -> str:
    return f"{datetime.fromtimestamp(run.info.start_time / 1000):%Y-%m-%d %H:%M}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
