"""The views of the page Compare."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import components, links, selection, store_reads, text
from dashboard.compare import comparison
from dashboard.compare.comparison import CurveOptions, Group
from dashboard.figures import group_curves
from dashboard.figures.chart import Chart
from dashboard.figures.parallel import parallel_coordinates
from dashboard.figures.scatter import scatter
from dashboard.figures.stack import stacked
from lab.tracking.reading import run_table, summaries
from lab.tracking.reading.metric_names import SYSTEM, TEST, VALIDATION, is_curve, split_of
from lab.tracking.reading.run_table import RunTable

MAX_CLICKED = 5  # points that are linked
MAX_DIMENSIONS = 8
MAX_SUMMARIES = 6  # metrics whose best values are computed


def metric_names(table: RunTable) -> list[str]:
    """The metrics that have curves: validation metrics first, system metrics last."""
    curves = [str(name) for name in table.metrics if is_curve(str(name)) and split_of(str(name))[0] != TEST]
    system = sorted(str(name) for name in table.metrics if str(name).startswith(SYSTEM))
    return [*sorted(curves, key=lambda name: (split_of(name)[0] != VALIDATION, name)), *system]


def with_best_values(table: RunTable) -> RunTable:
    """The runs with the best values of validation metrics, as `best/NAME`, also where no tool has recorded them."""
    metrics = [name for name in metric_names(table) if split_of(name)[0] == VALIDATION and not name.endswith("_step")]
    histories = store_reads.histories(table, table.ids, metrics[:MAX_SUMMARIES])
    return dataclasses.replace(table, metrics=summaries.with_best_values(table, histories, metrics[:MAX_SUMMARIES]))


def show_curves(
    table: RunTable, groups: Sequence[Group], metrics: Sequence[str], options: CurveOptions
) -> list[tuple[str, Chart]]:
    """The curves of each metric, of several over one x axis; returns the metrics with their charts, for the report."""
    shown, without = [], []
    for metric in metrics:
        run_curves = store_reads.metric_curves(table, table.ids, metric, options.axis)
        if not run_curves:
            _show_unrecorded(metric)
            continue
        values = comparison.colour_values(table, groups, options.colour_by) if options.colour_by else None
        chart = group_curves.group_chart(run_curves, groups, metric, options, values)
        if missing := len(table.ids) - len(run_curves):
            without.append(f"{text.count(missing, 'run')} of {len(table.ids):,} did not record {metric}")
        shown.append((metric, chart))
    if len(shown) > 1:
        components.show_chart(stacked(shown), "curves", f"curves of {', '.join(metric for metric, _ in shown)}")
    elif shown:
        components.show_chart(shown[0][1], f"curves-{shown[0][0]}", f"curves of {shown[0][0]}")
    for sentence in without:
        st.caption(text.escape_markdown(sentence, 200))
    return shown


def _show_unrecorded(metric: str) -> None:
    st.info(f"None of these runs recorded {text.escape_markdown(metric)}.")


def show_scatter(table: RunTable, labels: Mapping[str, str], metric: str) -> list[tuple[str, Chart]]:
    """Any setting or metric against any other."""
    columns = comparison.scatter_columns(table)
    names = [str(name) for name in columns]
    left, right = st.columns(2)
    y_index = names.index(metric) if metric in names else len(names) - 1
    default = _first_with_values(table, columns, names[y_index])
    x = left.selectbox("x axis", names, names.index(default), key="x", bind="query-params")
    y = right.selectbox("y axis", names, y_index, key="y", bind="query-params")
    return _scatter(table, columns, x, y, labels, "scatter")


def _first_with_values(table: RunTable, columns: pd.DataFrame, y: str) -> str:
    """The setting beside the seed that most runs with a value of y have and in which these differ; a number, if any."""
    settings = [name for name in selection.trained_otherwise(table.params) if name != selection.SEED]
    known = columns.loc[columns[y].notna(), settings]
    varied = known.loc[:, known.nunique() > 1]
    numbers = varied.select_dtypes("number")
    amounts = (numbers if len(numbers.columns) else varied).notna().sum()
    return str(amounts.idxmax()) if len(amounts) else str(columns.columns[0])


def show_time(table: RunTable, labels: Mapping[str, str], metric: str) -> list[tuple[str, Chart]]:
    """A metric against the training time, with the Pareto front."""
    columns = comparison.scatter_columns(table)
    if metric not in columns:
        _show_unrecorded(metric)
        return []
    higher = selection.higher_is_better(table, metric)
    name = text.escape_markdown(metric)
    unknown = f"Nothing says whether a higher {name} is better, so no run is marked as the best for its time."
    st.caption(unknown if higher is None else f"Diamonds: no other run is both faster and better in {name}.")
    return _scatter(table, columns, "training seconds", metric, labels, "cost", higher, _unfinished(table))


def _unfinished(table: RunTable) -> list[str]:
    """The runs whose values are not those of a whole training: pruned, stopped, failed or running ones."""
    finished = run_table.MARKS["FINISHED"]
    states = run_table.states(table)
    return [str(run) for run in states.index[states != finished]]


def _scatter(
    table: RunTable,
    columns: pd.DataFrame,
    x: str,
    y: str,
    labels: Mapping[str, str],
    key: str,
    higher: bool | None = None,
    unfinished: Sequence[str] = (),
) -> list[tuple[str, Chart]]:
    """A scatter plot; with the Pareto front of finished runs if `higher` says which direction of y is better."""
    points = pd.DataFrame({"x": columns[x], "y": columns[y]}, index=columns.index).dropna()
    points = points[np.isfinite(points.select_dtypes("number")).all(axis=1)]
    if not len(points):
        st.info("No run has a finite value of both.")
        return []
    front = None
    if higher is not None:
        costs = points["x"].where(~points.index.isin(unfinished)).to_numpy(float)
        front = comparison.pareto_front(costs, points["y"].to_numpy(), higher)
    chart = scatter(points, x, y, [labels[run] for run in points.index], front)
    title = f"{y} against {x}"
    for point in components.show_chart(chart, key, title, selectable=True)[:MAX_CLICKED]:
        if (run := point.get("customdata")) in labels:
            links.link_to_run(table, str(run))
    return [(title, chart)]


def show_parallel_coordinates(table: RunTable, metric: str) -> list[tuple[str, Chart]]:
    """Parallel coordinates of the settings that differ and one metric."""
    columns = comparison.scatter_columns(table)
    if metric not in columns:
        _show_unrecorded(metric)
        return []
    names = [name for name in selection.trained_otherwise(table.params) if name != metric][:MAX_DIMENSIONS]
    usable = columns[np.isfinite(columns[metric])]
    if not len(usable) or not names:
        st.info("Parallel coordinates need runs that differ in a setting and have a finite value of the metric.")
        return []
    chart = parallel_coordinates(usable[[*names, metric]], metric)
    components.show_chart(chart, "parallel", "parallel coordinates")
    return [("parallel coordinates", chart)]
