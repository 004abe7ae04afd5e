"""What sums up a run: its main metric, and the best values of metrics whose best values no tool has recorded."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lab.tracking.reading import directions
from lab.tracking.reading.metric_names import TEST, TRAIN, VALIDATION, is_curve, split_of, without_ending
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import Tables

MAIN = ("accuracy", "acc", "rmse")  # the first of them that a run has is its main metric
RANKS = (VALIDATION, "", TEST, TRAIN)  # of splits, where a run has no validation metric


@dataclass(frozen=True)
class Best:
    """The best value of a run's main metric, or its last value where `higher_is_better` is None."""

    metric: str
    value: float
    higher_is_better: bool | None


def best_of_runs(tables: Tables, table: RunTable, ids: Sequence[str]) -> dict[str, Best]:
    """The best value of the main metric of each run: as recorded, else from its history."""
    found: dict[str, Best] = {}
    unknown: dict[str, list[str]] = {}  # metric to the runs whose history is read
    for run in ids:
        values = table.metrics.loc[run].dropna()
        metric = main_metric([str(name) for name in values.index], _said(table, run))
        if metric:
            higher = higher_is_better(table, run, metric)
            found[run] = Best(metric, float(values.get(f"best/{metric}", values.get(metric, math.nan))), higher)
            if f"best/{metric}" not in values and higher is not None and split_of(metric)[0] == VALIDATION:
                unknown.setdefault(metric, []).append(run)
    for metric, runs in unknown.items():
        history = tables.histories(runs, [metric])
        for run in runs:
            higher = found[run].higher_is_better
            value = best_value(history.loc[history["run"] == run, "value"], bool(higher))
            found[run] = Best(metric, found[run].value if math.isnan(value) else value, higher)
    return found


def best_value(values: Iterable[float], higher_is_better: bool) -> float:
    """The best of the finite values; NaN where there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return (max if higher_is_better else min)(finite, default=math.nan)


def main_metric(names: Iterable[str], said: Mapping[str, bool]) -> str:
    """The metric that is shown of a run; "" where there is none.

    A validation metric if there is one, of a known direction (`said`, or its name), accuracy first. A metric of which
    only the best value is recorded counts as well.
    """
    curves = {name.removeprefix("best/") for name in names if is_curve(name.removeprefix("best/"))}
    shown = [name for name in curves if not name.endswith("_step")] or list(curves)
    return min(shown, key=lambda name: _rank(name, said), default="")


def _rank(name: str, said: Mapping[str, bool]) -> tuple[int, bool, int, str]:
    split, rest = split_of(without_ending(name))
    last = rest.rpartition("/")[2].lower()
    unknown = directions.higher_is_better(name, said) is None
    return RANKS.index(split), unknown, MAIN.index(last) if last in MAIN else len(MAIN), name


def same_metric(metric: str, names: Iterable[str]) -> str:
    """The name of a metric as runs have it: `val_loss` for `val/loss`, if that is the only one that means it."""
    known = set(names)
    if metric in known:
        return metric
    alike = [name for name in known if not name.endswith("_step") and _meaning(name) == _meaning(metric)]
    return alike[0] if len(alike) == 1 else metric


def _meaning(name: str) -> tuple[str, str]:
    return split_of(without_ending(name.lower()))


def higher_is_better(table: RunTable, run: str, metric: str) -> bool | None:
    """Whether a higher value of a metric is better, as a run or the name says; None where nobody does."""
    return directions.higher_is_better(metric, _said(table, run))


def _said(table: RunTable, run: str) -> dict[str, bool]:
    """The directions that a run has recorded."""
    return directions.recorded([table.tags.at[run, directions.TAG]] if directions.TAG in table.tags else [])


def with_best_values(table: RunTable, histories: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The metrics of runs, with the best values of these metrics as `best/NAME` where a run has not recorded it.

    They come from the histories; a metric of which nobody says whether higher is better has none.
    """
    full = table.metrics.copy()
    for metric in metrics:
        column = f"best/{metric}"
        values = {}
        for run, part in histories[histories["metric"] == metric].groupby("run")["value"]:
            higher = higher_is_better(table, str(run), metric)
            if higher is not None:
                values[str(run)] = best_value(part, higher)
        if values:
            computed = pd.Series(values, dtype="float64").reindex(full.index)
            full[column] = full[column].fillna(computed) if column in full else computed
    return full
