"""The controls of the page Compare: metrics, groups, and how curves are drawn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import selection, store_reads
from dashboard.compare import comparison, views
from dashboard.compare.comparison import ALL_BUT_SEED, CurveOptions
from dashboard.figures import curve_math, group_curves
from lab.tracking.reading.run_table import RunTable

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

CURVES = "curves"  # a view
WITHOUT_METRICS = ("scatter", "confusion", "code")  # views
NO_SCALE = "nothing: a legend"


def show(table: RunTable, view: str) -> tuple[list[str], list[str], CurveOptions]:
    """The metrics, the settings to group by, and how curves are drawn; of these what has an effect in the view."""
    names = views.metric_names(table)
    columns = st.columns([3, 3, 2, 2] if view == CURVES else 2, vertical_alignment="bottom")
    metrics = names[:1] if view in WITHOUT_METRICS else _metrics(columns[0], names)
    group_by = _group_by(columns[0 if view in WITHOUT_METRICS else 1], table)
    return metrics, group_by, _curve_options(columns[2:], table, metrics, names) if view == CURVES else CurveOptions()


def _metrics(place: "DeltaGenerator", names: list[str]) -> list[str]:
    chosen = place.multiselect(
        "Metrics",
        names,
        default=names[:1],
        key="metric",
        bind="query-params",
        accept_new_options=True,
        help="with `*` several: `val/*`",
    )
    return selection.matching(names, chosen)


def _group_by(place: "DeltaGenerator", table: RunTable) -> list[str]:
    differing = selection.differing_settings(table.params)
    choices = [ALL_BUT_SEED, *differing, *(str(name) for name in table.params if name not in differing)]
    return place.multiselect(
        "Group by", choices, key="group", bind="query-params", placeholder="no groups: one line per run"
    )


def _curve_options(
    columns: "Sequence[DeltaGenerator]", table: RunTable, metrics: list[str], names: list[str]
) -> CurveOptions:
    third, fourth = columns
    switches = st.container(horizontal=True)
    axis = third.selectbox("x axis", [*curve_math.AXES, *names], key="axis", bind="query-params")
    smoothing = fourth.slider("Smoothing", 0.0, 0.99, 0.0, 0.01, key="smooth", bind="query-params")
    gaussian = switches.toggle("Gaussian", key="gaussian", bind="query-params", help="smoothing that does not lag")
    log = switches.toggle("log y", key="log", bind="query-params")
    robust = switches.toggle("no outliers", key="robust", bind="query-params", help="a y range from most of the values")
    x_range = _x_range(table, metrics, axis)
    return CurveOptions(axis, smoothing, "Gaussian" if gaussian else "average", log, x_range, robust)


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
