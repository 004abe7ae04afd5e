"""A comparison of runs: groups, their curves, tables of settings and results, and fairness checks. No Streamlit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dashboard import charts, curve_math, selection, text
from dashboard.charts import Line
from lab.tracking.reading import run_frame, run_table
from lab.tracking.reading.run_table import RunTable

ALL_BUT_SEED = "all but the seed"
MAX_RAW_LINES = 12  # with more, the curves before smoothing are not drawn
CONFIDENCE = 0.95
RESAMPLED_POINTS = 200
COMMIT = "mlflow.source.git.commit"


@dataclass(frozen=True)
class Group:
    """Runs that share settings."""

    label: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class CurveOptions:
    """How curves are drawn: x axis, smoothing weight (0: none), logarithmic y axis, range of the x axis."""

    axis: curve_math.Axis = "step"
    smoothing: float = 0.0
    log: bool = False
    x_range: tuple[float, float] | None = None
    colour_by: str = ""  # a setting or metric, where there are too many groups for a legend


def group_runs(table: RunTable, by: Sequence[str]) -> list[Group]:
    """The runs grouped by the values of these settings; a group for each run if none is given."""
    if not by:
        return [Group(label, (run,)) for run, label in selection.run_labels(table).items()]
    if ALL_BUT_SEED in by:
        names = [name for name in selection.differing_settings(table.params) if name != selection.SEED]
    else:
        names = [name for name in by if name in table.params]
    keys = table.params[names].astype(object).where(table.params[names].notna(), None)
    keys.insert(0, "experiment", table.info["experiment"])
    several_experiments = keys["experiment"].nunique() > 1
    short = selection.short_names(names)
    groups = []
    for key, part in keys.groupby(list(keys), dropna=False, sort=False):
        experiment, *_ = key if isinstance(key, tuple) else (key,)
        settings = selection.format_settings(part[names].iloc[0], short)
        label = f"{experiment} {settings}" if several_experiments or not settings else settings
        groups.append(Group(text.truncate(label.strip(), selection.MAX_LABEL), tuple(part.index)))
    return groups


def group_chart(
    run_curves: Mapping[str, pd.DataFrame],
    groups: Sequence[Group],
    metric: str,
    options: CurveOptions,
    values: Mapping[str, float] | None = None,
) -> charts.Chart:
    """The curves of one metric: of a group with one run its curve, of others the mean with a confidence band.

    `values` are those of `options.colour_by` by label, from which the groups take their colours.
    """
    lines = group_lines(run_curves, groups, options)
    finite = [value for value in (values or {}).values() if np.isfinite(value)]
    if not finite:
        return charts.curve_chart(lines, metric, options.axis, options.log)
    bar = charts.ColourBar(options.colour_by, min(finite), max(finite))
    shades = _shades(values or {}, bar)
    shaded = [replace(line, shade=shades.get(line.label.rpartition(" (n=")[0] or line.label)) for line in lines]
    return charts.curve_chart(shaded, metric, options.axis, options.log, bar)


def _shades(values: Mapping[str, float], bar: charts.ColourBar) -> dict[str, float]:
    """The place of each value between the lowest and the highest, 0 to 1."""
    span = (bar.high - bar.low) or 1.0
    return {label: (value - bar.low) / span for label, value in values.items() if np.isfinite(value)}


def colour_choices(table: RunTable) -> list[str]:
    """What many groups can be coloured by: settings that differ and are numbers, then last values of metrics."""
    columns = scatter_columns(table)
    numeric = [str(name) for name in columns if pd.api.types.is_numeric_dtype(columns[name])]
    return sorted(numeric, key=lambda name: name == selection.SEED)


def colour_values(table: RunTable, groups: Sequence[Group], name: str) -> dict[str, float]:
    """The mean value of a setting or metric over the runs of each group, by label."""
    column = scatter_columns(table)[name].astype(float)
    return {group.label: float(column.loc[list(group.ids)].mean()) for group in groups}


def group_lines(run_curves: Mapping[str, pd.DataFrame], groups: Sequence[Group], options: CurveOptions) -> list[Line]:
    """A line for each group that has a curve in the x range."""
    lines = []
    for style, group in enumerate(groups):
        parts = [_crop(run_curves[run], options.x_range) for run in group.ids if run in run_curves]
        parts = [part for part in parts if len(part)]
        if not parts:
            continue
        smoothed = [part.assign(y=curve_math.smooth(part["y"].to_numpy(), options.smoothing)) for part in parts]
        if len(group.ids) > 1:
            label = f"{group.label} (n={len(parts)})"
            lines.append(Line(label, mean_with_band(resample_to_common_x(smoothed)), style))
        else:
            raw = parts[0] if options.smoothing > 0 and len(groups) <= MAX_RAW_LINES else None
            lines.append(Line(group.label, smoothed[0], style, raw))
    return lines


def _crop(curve: pd.DataFrame, x_range: tuple[float, float] | None) -> pd.DataFrame:
    return curve if x_range is None else curve[curve["x"].between(*x_range)].reset_index(drop=True)


def x_range(run_curves: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    """The smallest and the largest x of the curves; (0, 0) if there are none."""
    ends = [(curve["x"].min(), curve["x"].max()) for curve in run_curves.values() if len(curve)]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 0.0)


def resample_to_common_x(curves: Sequence[pd.DataFrame], points: int = RESAMPLED_POINTS) -> list[pd.DataFrame]:
    """Curves interpolated to common x values where theirs differ (wall times do), each within its own range.

    Curves over whole numbers (steps, epochs) are returned unchanged.
    """
    if all(len(curve) == len(curves[0]) and np.array_equal(curve["x"], curves[0]["x"]) for curve in curves):
        return list(curves)
    if all((curve["x"] == curve["x"].round()).all() for curve in curves):
        return list(curves)
    ends = [curve["x"].max() for curve in curves if len(curve)]
    common = np.linspace(0, max(ends, default=1), points)
    resampled = []
    for curve in curves:
        finite = curve[np.isfinite(curve["y"])]
        if len(finite):
            y = np.interp(common, finite["x"], finite["y"], left=np.nan, right=np.nan)
            resampled.append(pd.DataFrame({"x": common, "y": y}))
    return resampled


def mean_with_band(curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean of the curves at each x (y), its 95 % confidence interval (low, high), and the number of curves (n).

    The interval is that of Student's t distribution, NaN where n is 1. Non-finite values are left out.
    """
    joined = pd.concat([curve[np.isfinite(curve["y"])] for curve in curves])
    per_x = joined.groupby("x")["y"].agg(["mean", "std", "count"]).reset_index()
    n = per_x["count"].to_numpy(float)
    quantile = stdtrit(np.maximum(n - 1, 1), (1 + CONFIDENCE) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where(n > 1, quantile * per_x["std"] / np.sqrt(n), np.nan)
    mean = per_x["mean"]
    return pd.DataFrame({"x": per_x["x"], "y": mean, "low": mean - half, "high": mean + half, "n": n.astype(int)})


def settings_by_group(table: RunTable, groups: Sequence[Group]) -> pd.DataFrame:
    """The settings that differ, one row per group; `a | b` where the runs of a group differ."""
    names = selection.differing_settings(table.params)
    several = any(len(group.ids) > 1 for group in groups)
    settings = table.params[names].astype(object).to_dict("index")
    rows = []
    for group in groups:
        row: dict[str, object] = {"group": group.label, "runs": len(group.ids)} if several else {"run": group.label}
        row |= {name: _join_values([settings[run][name] for run in group.ids]) for name in names}
        rows.append(row)
    return pd.DataFrame(rows)


def _join_values(column: Sequence[object]) -> str:
    values = list(dict.fromkeys(str(value) for value in column if not pd.isna(value)))
    return " | ".join(values[:6]) + (" | …" if len(values) > 6 else "")


def results_by_group(table: RunTable, groups: Sequence[Group], metrics: Sequence[str]) -> pd.DataFrame:
    """The mean and the standard deviation of the last value of each metric, one row per group."""
    rows = []
    for group in groups:
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


def scatter_columns(table: RunTable) -> pd.DataFrame:
    """What a scatter plot can show: settings that differ, last values of metrics, and the duration in seconds."""
    settings = table.params[selection.differing_settings(table.params)].apply(run_frame.to_numeric)
    columns = pd.concat([settings, table.metrics.loc[:, table.metrics.notna().any()]], axis=1)
    columns = columns.loc[:, ~columns.columns.duplicated()]
    columns["training seconds"] = run_table.seconds(table.info)
    return columns


def pareto_front(costs: np.ndarray, scores: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """Whether each point is on the Pareto front of low cost and good score; non-finite points never are."""
    values = -scores if higher_is_better else scores
    usable = np.isfinite(costs) & np.isfinite(values)
    on_front = np.zeros(len(costs), bool)
    best = np.inf
    for index in sorted(np.flatnonzero(usable), key=lambda index: (costs[index], values[index])):
        if values[index] < best:
            on_front[index] = True
            best = values[index]
    return on_front


def fairness_warnings(table: RunTable, groups: Sequence[Group]) -> list[str]:
    """A sentence for each thing that the runs of a group, or of all groups, should share and do not."""
    warnings = []
    for group in groups:
        if len(group.ids) > 1:
            part = table.only(group.ids)
            warnings += [f"{group.label}: {problem}" for problem in [*_differences(part), *_repeated_seeds(part)]]
    if not warnings and len(groups) > 1:
        warnings = [f"these runs: {problem}" for problem in _differences(table)]
    return warnings


def _differences(table: RunTable) -> list[str]:
    """Differences in data, training budget and code."""
    found = []
    data = _distinct(table.tags, "data.fingerprint")
    if len(data) > 1:
        found.append(f"{len(data)} different versions of the data (data.fingerprint)")
    budgets = _distinct(table.params, "trainer.max_epochs")
    if len(budgets) > 1:
        found.append(f"different epoch budgets (trainer.max_epochs: {', '.join(sorted(budgets, key=_numeric_first))})")
    commits = _distinct(table.tags, COMMIT)
    if len(commits) > 1:
        found.append(f"{len(commits)} versions of the code ({', '.join(commit[:7] for commit in commits[:4])})")
    if "True" in _distinct(table.tags, "git.dirty"):
        found.append("uncommitted changes in the code of some runs")
    return found


def _repeated_seeds(table: RunTable) -> list[str]:
    if selection.SEED not in table.params:
        return []
    counts = table.params[selection.SEED].dropna().value_counts()
    repeated = sorted(str(seed) for seed in counts[counts > 1].index)
    return [f"seed {', '.join(repeated[:5])} more than once, so its runs are counted twice"] if repeated else []


def _distinct(frame: pd.DataFrame, name: str) -> list[str]:
    return [text.truncate(str(value), 40) for value in frame[name].dropna().unique()] if name in frame else []


def _numeric_first(value: str) -> tuple[float, str]:
    """A sort key: numbers by value, then other text."""
    try:
        return float(value), value
    except ValueError:
        return float("inf"), value
