"""Compare: the curves and results of any number of runs, labelled by the settings in which they differ."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from dashboard import components, selection, store_reads, text
from dashboard.compare import comparison, fairness, report
from dashboard.compare import controls as compare_controls
from dashboard.compare import verdict as verdict_view
from dashboard.compare import views as compare_views
from dashboard.compare.comparison import CurveOptions, Group
from dashboard.editing import saved_views as view_links
from dashboard.figures import group_curves
from dashboard.figures.chart import Chart
from dashboard.figures.curves import MAX_IN_LEGEND
from dashboard.outcome import compared
from lab.tracking.reading import run_frame
from lab.tracking.reading.metric_names import TEST, VALIDATION, is_curve, split_of
from lab.tracking.reading.run_table import RunTable

VIEWS = ("curves", "verdict", "results", "scatter", "parallel", "time", "confusion", "code")
MAX_RUNS = 500
MAX_EXPERIMENTS = 10
LATEST = 5
MAX_RESULT_METRICS = 12


def page() -> None:
    """Compare the runs that the URL names."""
    st.title("Compare")
    all_runs = store_reads.runs()
    ids = components.runs_from_url(all_runs, "runs")
    if not ids:
        _suggest_runs(all_runs)
        return
    if len(ids) > MAX_RUNS:
        st.warning(f"Only the first {MAX_RUNS} of {len(ids):,} runs are compared.")
    table = all_runs.only(ids[:MAX_RUNS])
    components.rerun_on_change(all_runs, table.ids)
    view = st.segmented_control("View", VIEWS, default="curves", required=True, key="view", bind="query-params")
    above_controls = st.container()
    metrics, group_by, options = compare_controls.show(table, view == "curves")
    groups = comparison.group_runs(table, group_by)
    if view == "curves" and len(groups) > MAX_IN_LEGEND:
        options = replace(options, colour_by=compare_controls.colour_by(table))
    warnings = fairness.fairness_warnings(table, groups)
    with above_controls:
        for warning in warnings:
            st.warning(text.escape_markdown(warning, 400), icon=":material/warning:")
        charts = _show_view(table, groups, view or "curves", metrics, options)
    _show_groups(all_runs, table, groups)
    _show_export(table, groups, warnings, charts, metrics)


def _suggest_runs(table: RunTable) -> None:
    """Links to the page Runs and to the latest runs of each experiment."""
    st.info("No runs are selected. Select some on the page Runs, then press Compare.")
    st.page_link("app_pages/runs.py", label="Select runs", icon=":material/table_rows:")
    single_runs = ~run_frame.kinds(table).isin(["trial", "study"])
    for experiment in table.info["experiment"].unique()[:MAX_EXPERIMENTS]:
        runs = table.info.index[(table.info["experiment"] == experiment) & single_runs]
        if len(runs) > 1:
            label = f"the latest {min(LATEST, len(runs))} runs of {experiment}"
            components.link_to_compare(table, runs[:LATEST], text.escape_markdown(label))


def _show_groups(all_runs: RunTable, table: RunTable, groups: list[Group]) -> None:
    """The number of runs and groups, and the settings in which they differ."""
    runs = text.count(len(table.ids), "run")
    grouped = any(len(group.ids) > 1 for group in groups)
    st.caption(f"{runs} in {text.count(len(groups), 'group')}" if grouped else f"{runs}, not grouped")
    if selection.differing_settings(table.params):
        with st.expander("What differs", expanded=len(groups) <= 8):
            components.show_table(comparison.settings_by_group(table, groups))
    else:
        st.caption("All settings are the same in these runs.")
    st.page_link(
        "app_pages/runs.py",
        label="change the selection",
        icon=":material/table_rows:",
        query_params={"select": selection.format_ids(table.ids, all_runs)},
    )


def _show_view(
    table: RunTable, groups: list[Group], view: str, metrics: list[str], options: CurveOptions
) -> list[tuple[str, Chart]]:
    """The selected view; returns the charts of curves with their metrics, for the report."""
    labels = selection.run_labels(table)
    metric = metrics[0] if metrics else ""
    if view == "curves" and not table.metrics.shape[1]:
        st.info("These runs have no metrics.")
    elif view == "curves":
        return compare_views.show_curves(table, groups, metrics, options)
    elif view == "verdict":
        verdict_view.show(table, metric)
    elif view == "results":
        components.show_table(_results(table, groups, metrics))
    elif view == "scatter":
        compare_views.show_scatter(table, labels, metric)
    elif view == "parallel":
        compare_views.show_parallel_coordinates(table, metric)
    elif view == "time":
        compare_views.show_time(table, labels, metric)
    elif view == "confusion":
        compared.show_confusion_matrices(table, labels)
    else:
        compare_views.show_code(table, labels)
    return []


def _results(table: RunTable, groups: list[Group], metrics: list[str]) -> pd.DataFrame:
    """The selected metrics, best validation metrics and test metrics of each group."""
    full = compare_views.with_best_values(table)
    names = [str(name) for name in full.metrics]
    best = [
        name for name in names if name.startswith("best/") and split_of(name.removeprefix("best/"))[0] == VALIDATION
    ]
    tested = [name for name in names if split_of(name)[0] == TEST and is_curve(name) and not name.endswith("_step")]
    shown = [*dict.fromkeys([*metrics, *best, *tested])][:MAX_RESULT_METRICS]
    return comparison.results_by_group(full, groups, shown)


def _show_export(
    table: RunTable, groups: list[Group], warnings: list[str], charts: list[tuple[str, Chart]], metrics: list[str]
) -> None:
    """A button that downloads the comparison as HTML; the report is made when it is pressed."""

    def make_report() -> str:
        tables = [
            ("What differs", comparison.settings_by_group(table, groups)),
            ("Results", _results(table, groups, metrics)),
        ]
        curve_charts = charts or [(metric, _default_chart(table, groups, metric)) for metric in metrics]
        return report.to_html(f"Comparison of {text.count(len(table.ids), 'run')}", curve_charts, tables, warnings)

    with st.container(horizontal=True):
        st.download_button(
            "Export report", make_report, "comparison.html", "text/html", icon=":material/ios_share:", on_click="ignore"
        )
        view_links.show_save("compare")


def _default_chart(table: RunTable, groups: list[Group], metric: str) -> Chart:
    run_curves = store_reads.metric_curves(table, table.ids, metric, "step")
    return group_curves.group_chart(run_curves, groups, metric, CurveOptions())


page()
