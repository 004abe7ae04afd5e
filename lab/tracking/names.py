"""How a run is named: its id, the first letters of it, its name, `latest:EXPERIMENT` or `best:EXPERIMENT`."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from lab.errors import LabError, did_you_mean

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

METRIC = "val/loss"  # what `best:` goes by: it chose the epoch too
LOWER_IS_BETTER = ("loss", "mae", "rmse")
WHOLE_RUNS = ("run", "winner")  # values of the tag lab.kind: not the trials of studies, not the arms of comparisons
RUNS_PER_CALL = 1_000
NEWEST_FIRST = "attributes.start_time DESC"
HOW = "name a run by its id, its name, latest:EXPERIMENT or best:EXPERIMENT; `make mlflow` shows all runs"


def higher_is_better(metric: str) -> bool:
    """Whether more of a metric, such as `val/accuracy`, is better."""
    return metric.rpartition("/")[2] not in LOWER_IS_BETTER


def resolve(client: "MlflowClient", experiments: Mapping[str, str], name: str, by: str = METRIC) -> "Run":
    """The one run that `name` means; raises LabError. `experiments` are names with their ids, `by` is for `best:`."""
    way, colon, experiment = name.partition(":")
    if colon and way == "latest":
        return latest(client, experiments, experiment)
    if colon and way == "best":
        return best(client, experiments, experiment, by, top=1)[0]
    found = _of_name(client, experiments, name) or _of_id(client, experiments, name)
    if found is None:
        raise _unknown(client, experiments, name)
    return found


def latest(client: "MlflowClient", experiments: Mapping[str, str], experiment: str) -> "Run":
    """The run of an experiment that was started last, whatever became of it; raises LabError where there is none."""
    for run in _whole_runs(client, _experiment(experiments, experiment)):
        return run
    raise LabError(f"experiment '{experiment}' has no runs yet; `lab run {experiment}` makes one")


def best(
    client: "MlflowClient", experiments: Mapping[str, str], experiment: str, by: str = METRIC, top: int = 5
) -> "list[Run]":
    """The finished runs of an experiment with the best values of a metric at their best epochs, best first.

    Raises LabError where there are none, and for test metrics, which must not choose anything.
    """
    split, _, _ = by.partition("/")
    if split == "test":
        raise LabError(f"--by {by}: test data is for the final word, not for choosing; use val/{by.partition('/')[2]}")
    finished = list(_whole_runs(client, _experiment(experiments, experiment), "attributes.status = 'FINISHED'"))
    having = [run for run in finished if math.isfinite(run.data.metrics.get(f"at_best/{by}", math.nan))]
    if not having:
        raise LabError(f"no run of experiment '{experiment}' {_lack(finished, by)}")
    sign = -1 if _more_is_better(by, having) else 1
    return sorted(having, key=lambda run: sign * run.data.metrics[f"at_best/{by}"])[:top]


def _more_is_better(metric: str, runs: "list[Run]") -> bool:
    """As the best value of a run tells beside that at its best epoch; so it is known for metrics of one's own."""
    for values in (run.data.metrics for run in runs):
        at_best = values[f"at_best/{metric}"]
        if (best_value := values.get(f"best/{metric}", at_best)) != at_best:
            return best_value > at_best
    return higher_is_better(metric)


def _lack(finished: "list[Run]", by: str) -> str:
    """What an experiment lacks that has no run with a metric."""
    if not finished:
        return "is finished; `lab run` makes one"
    known = {name.removeprefix("at_best/") for run in finished for name in run.data.metrics if "at_best/val/" in name}
    return f"has '{by}'; {did_you_mean(by, known)}"


def _of_id(client: "MlflowClient", experiments: Mapping[str, str], letters: str) -> "Run | None":
    """The run whose id is, or begins with, these letters."""
    if not re.fullmatch("[0-9a-f]{1,32}", letters):
        return None
    found = client.search_runs(list(experiments.values()), f"attributes.run_id LIKE '{letters}%'", max_results=5)
    if len(found) > 1:
        raise LabError(f"several run ids begin with '{letters}': {_listed(found)}; write more of it")
    return found[0] if found else None


def _of_name(client: "MlflowClient", experiments: Mapping[str, str], name: str) -> "Run | None":
    """The run of that very name."""
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


def _unknown(client: "MlflowClient", experiments: Mapping[str, str], name: str) -> LabError:
    """The mistake of naming no run, with the names that are near."""
    recent = client.search_runs(list(experiments.values()), max_results=RUNS_PER_CALL, order_by=[NEWEST_FIRST])
    names = {run.info.run_name for run in recent} | {f"latest:{each}" for each in experiments}
    hint = did_you_mean(name, names)
    return LabError(f"no run '{name}': {hint if hint.startswith('did you mean') else HOW}")


def _experiment(experiments: Mapping[str, str], name: str) -> str:
    """The id of an experiment."""
    if name not in experiments:
        raise LabError(f"no experiment '{name}' has runs; {did_you_mean(name, experiments)}")
    return experiments[name]


def _whole_runs(client: "MlflowClient", experiment_id: str, wanted: str = "") -> "Iterator[Run]":
    """The runs of an experiment that trained and tested a model, newest first, read as far as they are asked for."""
    token = None
    while True:
        page = client.search_runs([experiment_id], wanted, 1, RUNS_PER_CALL, [NEWEST_FIRST], token)
        yield from (run for run in page if run.data.tags.get("lab.kind") in WHOLE_RUNS)
        if not (token := page.token):
            return


def _listed(runs: "list[Run]") -> str:
    return ", ".join(f"{run.info.run_id[:8]} ({_when(run)}, {run.info.status})" for run in runs)


def _when(run: "Run") -> str:
    return f"{datetime.fromtimestamp(run.info.start_time / 1000):%Y-%m-%d %H:%M}"
