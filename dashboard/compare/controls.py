"""The controls of the page Compare: metrics, groups, and how curves are drawn."""

import streamlit as st

from dashboard import selection, store_reads
from dashboard.compare import comparison, views
from dashboard.compare.comparison import ALL_BUT_SEED, CurveOptions
from dashboard.figures import curve_math, group_curves
from lab.tracking.reading.run_table import RunTable

NO_SCALE = "nothing: a legend"


def show(table: RunTable, show_range: bool) -> tuple[list[str], list[str], CurveOptions]:
    """The metrics, the settings to group by, and how curves are drawn."""
    names = views.metric_names(table)
    differing = selection.differing_settings(table.params)
    first, second, third, fourth, fifth = st.columns([3, 3, 2, 2, 1.3], vertical_alignment="bottom")
    chosen = first.multiselect(
        "Metrics",
        names,
        default=names[:1],
        key="metric",
        bind="query-params",
        accept_new_options=True,
        help="with `*` several: `val/*`",
    )
    metrics = selection.matching(names, chosen)
    choices = [ALL_BUT_SEED, *differing, *(str(name) for name in table.params if name not in differing)]
    group_by = second.multiselect(
        "Group by", choices, key="group", bind="query-params", placeholder="no groups: one line per run"
    )
    axis = third.selectbox("x axis", [*curve_math.AXES, *names], key="axis", bind="query-params")
    smoothing = fourth.slider("Smoothing", 0.0, 0.99, 0.0, 0.01, key="smooth", bind="query-params")
    gaussian = fifth.toggle("Gaussian", key="gaussian", bind="query-params", help="smoothing that does not lag")
    log = fifth.toggle("log y", key="log", bind="query-params")
    robust = fifth.toggle("no outliers", key="robust", bind="query-params", help="a y range from most of the values")
    x_range = _x_range(table, metrics, axis) if show_range else None
    return metrics, group_by, CurveOptions(axis, smoothing, "Gaussian" if gaussian else "average", log, x_range, robust)


def colour_by(table: RunTable) -> str:
    """The setting or metric by which many lines are coloured."""
    choices = comparison.colour_choices(table)
    help_text = "so many lines have shades of one scale, and their labels where the mouse is"
    chosen = st.selectbox("Colour by", [*choices, NO_SCALE], key="colour", bind="query-params", help=help_text)
    return "" if chosen == NO_SCALE else str(chosen)


def _x_range(table: RunTable, metrics: list[str], axis: str) -> tuple[float, float] | None:
    """The selected range of the x axis; None for all of it. A smaller range is drawn with more of its points."""
    if not metrics or axis == curve_math.DATE:
        return None  # of dates, the picture itself has a zoom
    low, high = group_curves.x_range(store_reads.metric_curves(table, table.ids, metrics[0], axis))
    if not high > low:
        return None
    selected = st.slider(
        f"Range of the x axis: {curve_math.AXIS_TITLES.get(axis, axis)} (a smaller range shows more points)",
        float(low),
        float(high),
        (float(low), float(high)),
        key=f"span-{axis}-{low:.6g}-{high:.6g}",
        bind="query-params",
    )
    return None if selected == (low, high) else selected
