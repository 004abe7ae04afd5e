"""What the page Home answers: the best of each experiment beside its baselines, studies, what needs attention."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pandas as pd

from dashboard import selection, text
from lab.tracking.reading import baselines, run_frame, run_table
from lab.tracking.reading.metric_names import TEST, VALIDATION, is_curve, split_of
from lab.tracking.reading.run_table import PARTS, RunTable
from lab.tracking.store import INCOMPLETE_TAG

FIRST_METRICS = ("test/accuracy", "test/rmse")
LOWEST_LOSS = ("at_best/val/loss", "best/val/loss")
MAX_EXPERIMENTS = 20
LATEST = 10  # runs of an experiment that one link compares
MAX_LISTED = 8  # runs that need attention, and studies


def best_results(table: RunTable) -> pd.DataFrame:
    """A row per experiment, the latest first: its best finished run, chosen on validation data, and its test.

    Trials, replicates and the like count for their study or comparison, not here. The best is that of the metric by
    which the experiment is compared with its baselines, else of the validation loss.
    """
    finished = table.info["status"].eq("FINISHED") & ~run_frame.kinds(table).isin(PARTS)
    rows = []
    for experiment, info in table.info[finished].groupby("experiment", sort=False):
        best = _best(table, info.index)
        if best is not None:
            rows.append(_row(table, str(experiment), best, list(info.index)))
        if len(rows) == MAX_EXPERIMENTS:
            break
    return pd.DataFrame(rows)


def _best(table: RunTable, runs: pd.Index) -> str | None:
    """The best of some runs by a validation metric that they recorded; None where they recorded none."""
    main, high = _main_metric(table, str(runs[0])), baselines.main_is_better_high(dict(table.tags.loc[runs[0]]))
    choices = [(f"at_best/val/{main}", high), (f"best/val/{main}", high), *((name, False) for name in LOWEST_LOSS)]
    for metric, higher in choices:
        values = table.metrics.loc[runs, metric].dropna() if metric in table.metrics else pd.Series(dtype=float)
        if len(values):
            return str(values.idxmax() if higher else values.idxmin())
    return None


def _main_metric(table: RunTable, run: str) -> str:
    """The metric by which a run is compared with its baselines, without its split; "" where it has none."""
    return baselines.main_metric(dict(table.tags.loc[run]))


def _row(table: RunTable, experiment: str, run: str, runs: list[str]) -> dict[str, object]:
    metrics = dict(table.metrics.loc[run].dropna())
    found = baselines.standing_of(dict(table.tags.loc[run]), metrics)
    main = _main_metric(table, run)
    candidates = (f"test/{main}", f"at_best/val/{main}", f"best/val/{main}", *LOWEST_LOSS)
    name = next(name for name in candidates if name in metrics)  # one by which it was found to be the best
    low, high = metrics.get(f"low/{name}"), metrics.get(f"high/{name}")
    return {
        "experiment": experiment,
        "against its baselines": found.state if found else "",
        "metric": name,
        "value": text.number(metrics[name]),
        "95 %": f"[{text.number(low)}, {text.number(high)}]" if low is not None and high is not None else "",
        "baseline": _number(metrics.get(f"{baselines.TRIVIAL}{name}")),
        "quick baseline": _number(metrics.get(f"{baselines.QUICK}{name}")),
        "best run": text.short_numbers(table.info.at[run, "name"]),
        "of runs": len(runs),
        "compare": selection.compare_address(table, runs[:LATEST], view="results") if len(runs) > 1 else None,
        "open": selection.run_address(table, run),
    }


def _number(value: float | None) -> str:
    return "" if value is None else text.number(value)


def studies(table: RunTable) -> pd.DataFrame:
    """A row per study, the latest first: its experiment, the number of its trials, and a link to its page."""
    tags = table.tags
    if not {"lab.kind", "lab.study"} <= set(tags):
        return pd.DataFrame()
    trials = tags["lab.study"][tags["lab.kind"] == "trial"].value_counts()
    names = tags["lab.study"][tags["lab.kind"] == "study"].dropna()
    rows = [
        {
            "study": name,
            "experiment": table.info.at[run, "experiment"],
            "trials": int(trials.get(name, 0)),
            "when": text.age(table.info.at[run, "started"]),
            "open": f"/studies?{urlencode({'study': name})}",
        }
        for run, name in names[~names.duplicated()].items()
    ]
    return pd.DataFrame(rows[:MAX_LISTED])


def result(table: RunTable, run: str, state: str) -> dict[str, object]:
    """The main metric of a run and of its baseline: a test metric, else a validation metric, else any."""
    metrics = table.metrics.loc[run]
    names = sorted(table.recorded(run), key=_rank)
    main = next((name for name in FIRST_METRICS if name in names), next(iter(names), ""))
    return {
        "run": text.short_numbers(table.info.at[run, "name"]),
        "state": state,
        "metric": main,
        "value": text.number(metrics[main]) if main else None,  # as text: a table shows an empty cell for NaN
        "baseline": text.number(metrics[f"baseline/{main}"]) if f"baseline/{main}" in names else None,
        "when": text.age(table.info.at[run, "ended"]),
        "open": selection.run_address(table, run),
    }


def _rank(metric: str) -> tuple[int, str]:
    """A sort key: test metrics, best validation metrics, last ones, others; summaries and the machine's load last."""
    if is_curve(metric):
        return {TEST: 0, VALIDATION: 3}.get(split_of(metric)[0], 4), metric
    kind, _, rest = metric.partition("/")
    return ({"best": 1, "at_best": 2}.get(kind, 5) if split_of(rest)[0] == VALIDATION else 5), metric


def attention(table: RunTable) -> pd.DataFrame:
    """The latest runs that failed, stopped reporting, or kept less than they should: what, why, and where."""
    rows = []
    for run, problem, reason in _problems(table):
        rows.append(
            {
                "run": text.short_numbers(table.info.at[run, "name"]),
                "problem": problem,
                "reason": text.truncate(reason, 120),
                "when": text.age(table.info.at[run, "started"]),
                "open": selection.run_address(table, run),
            }
        )
        if len(rows) == MAX_LISTED:
            break
    return pd.DataFrame(rows)


def _problems(table: RunTable) -> Iterator[tuple[str, str, str]]:
    """Runs with a problem and its reason, the latest first."""
    states = run_table.states(table)
    failed, stale = table.info["status"] == "FAILED", states == run_table.STALE
    incomplete = table.tags[INCOMPLETE_TAG].notna() if INCOMPLETE_TAG in table.tags else failed
    concerned = (failed | stale | incomplete) & ~run_frame.kinds(table).isin(PARTS)
    for run in map(str, table.info.index[concerned]):
        if failed[run]:
            yield run, states[run], text.as_sentence(_tag(table, run, "lab.failure"))
        elif stale[run]:
            yield run, states[run], "it stopped reporting; `lab runs --reap` closes it if its process is gone"
        else:
            yield run, "incomplete", _tag(table, run, INCOMPLETE_TAG)


def _tag(table: RunTable, run: str, name: str) -> str:
    value = table.tags.at[run, name] if name in table.tags else None
    return value if isinstance(value, str) else ""
