"""A comparison of runs: its groups, its curves, what differs, what makes it unfair; no page in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dashboard import charts, curves, selection, words
from dashboard.charts import Line
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable

ALL_BUT_SEED = "all but the seed"
MOST_RAW = 12  # lines whose values before smoothing are drawn too
COMMIT = "mlflow.source.git.commit"


@dataclass(frozen=True)
class Group:
    """Runs that share settings."""

    label: str
    ids: tuple[str, ...]


def grouped(table: RunTable, by: Sequence[str]) -> list[Group]:
    """Groups of the runs that share the values of these settings; each run by itself where none is named."""
    if not by:
        return [Group(label, (run,)) for run, label in selection.labels(table).items()]
    if ALL_BUT_SEED in by:
        names = [name for name in selection.differing(table.params) if name != selection.SEED]
    else:
        names = [name for name in by if name in table.params]
    keys = table.params[names].astype(object).where(table.params[names].notna(), None)
    keys.insert(0, "experiment", table.info["experiment"])
    several = keys["experiment"].nunique() > 1
    short = selection.short_names(names)
    found = []
    for key, part in keys.groupby(list(keys), dropna=False, sort=False):
        experiment, *_ = key if isinstance(key, tuple) else (key,)
        text = selection.settings_text(part[names].iloc[0], short)
        label = f"{experiment} {text}" if several or not text else text
        found.append(Group(words.short(label.strip(), selection.LONGEST_LABEL), tuple(part.index)))
    return found


def with_band(curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean over curves (columns x, y) at each x, its 95 % band (low, high), and how many curves (n) it rests on.

    Where only one curve has a value there is no band: low and high are NaN. NaN and infinite values do not count.
    """
    joined = pd.concat([curve[np.isfinite(curve["y"])] for curve in curves])
    per_x = joined.groupby("x")["y"].agg(["mean", "std", "count"]).reset_index()
    n = per_x["count"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where(n > 1, stdtrit(np.maximum(n - 1, 1), 0.975) * per_x["std"] / np.sqrt(n), np.nan)
    mean = per_x["mean"]
    return pd.DataFrame({"x": per_x["x"], "y": mean, "low": mean - half, "high": mean + half, "n": n.astype(int)})


def on_common_x(curves: Sequence[pd.DataFrame], points: int = 200) -> list[pd.DataFrame]:
    """Curves brought to the same x where theirs differ (wall times do), within the span that each covers."""
    if all(len(curve) == len(curves[0]) and np.array_equal(curve["x"], curves[0]["x"]) for curve in curves):
        return list(curves)
    if all((curve["x"] == curve["x"].round()).all() for curve in curves):
        return list(curves)  # steps and epochs: those that several have are averaged as they are
    ends = [curve["x"].max() for curve in curves if len(curve)]
    common = np.linspace(0, max(ends, default=1), points)
    found = []
    for curve in curves:
        finite = curve[np.isfinite(curve["y"])]
        if len(finite):
            y = np.interp(common, finite["x"], finite["y"], left=np.nan, right=np.nan)
            found.append(pd.DataFrame({"x": common, "y": y}))
    return found


@dataclass(frozen=True)
class Look:
    """How curves are looked at: axis, smoothing weight (0: none), logarithm, and the part of the x axis."""

    axis: curves.Axis = "step"
    smoothing: float = 0.0
    log: bool = False
    span: tuple[float, float] | None = None


def lines(found: Mapping[str, pd.DataFrame], chosen: Sequence[Group], look: Look) -> list[Line]:
    """A line for each group: the curve of its run, or the mean of its runs' curves with a band."""
    made = []
    for style, group in enumerate(chosen):
        parts = [_within(found[run], look.span) for run in group.ids if run in found]
        parts = [part for part in parts if len(part)]
        if not parts:
            continue
        smooth = [part.assign(y=curves.smoothed(part["y"].to_numpy(), look.smoothing)) for part in parts]
        if len(group.ids) > 1:
            label = f"{group.label} (n={len(parts)})"
            made.append(Line(label, with_band(on_common_x(smooth)), style))
        else:
            raw = parts[0] if look.smoothing > 0 and len(chosen) <= MOST_RAW else None
            made.append(Line(group.label, smooth[0], style, raw))
    return made


def _within(curve: pd.DataFrame, span: tuple[float, float] | None) -> pd.DataFrame:
    return curve if span is None else curve[curve["x"].between(*span)].reset_index(drop=True)


def extent(found: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    """The part of the x axis that the curves cover."""
    ends = [(curve["x"].min(), curve["x"].max()) for curve in found.values() if len(curve)]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 0.0)


def what_differs(table: RunTable, chosen: Sequence[Group]) -> pd.DataFrame:
    """Only the settings that are not the same everywhere, a row for each group; `a | b` where a group mixes them."""
    names = selection.differing(table.params)
    several = any(len(group.ids) > 1 for group in chosen)
    settings = table.params[names].astype(object).to_dict("index")
    rows = []
    for group in chosen:
        row: dict[str, object] = {"group": group.label, "runs": len(group.ids)} if several else {"run": group.label}
        row |= {name: _values([settings[run][name] for run in group.ids]) for name in names}
        rows.append(row)
    return pd.DataFrame(rows)


def _values(column: Sequence[object]) -> str:
    values = list(dict.fromkeys(str(value) for value in column if not pd.isna(value)))
    return " | ".join(values[:6]) + (" | …" if len(values) > 6 else "")


def results(table: RunTable, chosen: Sequence[Group], metrics: Sequence[str]) -> pd.DataFrame:
    """Mean and standard deviation of the last values of each metric, a row for each group."""
    rows = []
    for group in chosen:
        row: dict[str, object] = {"group": group.label, "runs": len(group.ids)}
        for metric in metrics:
            if metric in table.metrics:
                values = table.metrics.loc[list(group.ids), metric].dropna()
                finite = values[np.isfinite(values)]
                row[metric] = finite.mean() if len(finite) else np.nan
                if len(group.ids) > 1:
                    row[f"{metric} ± sd"] = finite.std() if len(finite) > 1 else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def quantities(table: RunTable) -> pd.DataFrame:
    """Everything that can be an axis: settings that differ, last values of metrics, and the time a run took."""
    settings = table.params[selection.differing(table.params)].apply(selection.numeric)
    found = pd.concat([settings, table.metrics.loc[:, table.metrics.notna().any()]], axis=1)
    found = found.loc[:, ~found.columns.duplicated()]
    found["training seconds"] = run_table.seconds(table.info)
    return found


def curve_picture(
    found: Mapping[str, pd.DataFrame], chosen: Sequence[Group], metric: str, look: Look
) -> charts.Picture:
    """The curves of one metric as they are looked at."""
    return charts.curve_chart(lines(found, chosen, look), metric, look.axis, look.log)


def unfairness(table: RunTable, groups: Sequence[Group]) -> list[str]:
    """A sentence for each thing that the runs of a group, or else all groups together, should share and do not."""
    found = []
    for group in groups:
        if len(group.ids) > 1:
            part = table.only(group.ids)
            found += [f"{group.label}: {problem}" for problem in [*_mixed(part), *_repeated_seeds(part)]]
    if not found and len(groups) > 1:
        found = [f"these runs: {problem}" for problem in _mixed(table)]
    return found


def _mixed(table: RunTable) -> list[str]:
    found = []
    data = _distinct(table.tags, "data.fingerprint")
    if len(data) > 1:
        found.append(f"{len(data)} different versions of the data (data.fingerprint)")
    budgets = _distinct(table.params, "trainer.max_epochs")
    if len(budgets) > 1:
        found.append(f"different epoch budgets (trainer.max_epochs: {', '.join(sorted(budgets, key=_order))})")
    commits = _distinct(table.tags, COMMIT)
    if len(commits) > 1:
        found.append(f"{len(commits)} versions of the code ({', '.join(commit[:7] for commit in commits[:4])})")
    if "True" in _distinct(table.tags, "git.dirty"):
        found.append("uncommitted changes in the code of some runs")
    return found


def _repeated_seeds(table: RunTable) -> list[str]:
    if selection.SEED not in table.params:
        return []
    seeds = table.params[selection.SEED].dropna().value_counts()
    twice = sorted(str(seed) for seed in seeds[seeds > 1].index)
    return [f"seed {', '.join(twice[:5])} more than once, so its runs count double"] if twice else []


def _distinct(frame: pd.DataFrame, name: str) -> list[str]:
    return [words.short(str(value), 40) for value in frame[name].dropna().unique()] if name in frame else []


def _order(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value


def pareto_front(costs: np.ndarray, scores: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Whether each point is on the Pareto front of low cost and good score; NaN and infinity never are."""
    values = -scores if higher_is_better else scores
    usable = np.isfinite(costs) & np.isfinite(values)
    found = np.zeros(len(costs), bool)
    best = np.inf
    for place in sorted(np.flatnonzero(usable), key=lambda each: (costs[each], values[each])):
        if values[place] < best:
            found[place] = True
            best = values[place]
    return found
