"""Compare: the curves and results of any number of runs, labelled by the settings in which they differ."""

from dataclasses import replace

import streamlit as st

from dashboard import components, links, selection, store_reads, text
from dashboard.compare import code, comparison, controls, export, fairness, suggestions, verdict, views
from dashboard.compare.comparison import CurveOptions, Group
from dashboard.figures.chart import Chart
from dashboard.figures.curves import MAX_IN_LEGEND
from dashboard.outcome import compared
from lab.tracking.reading.run_table import RunTable

VIEWS = ("curves", "verdict", "results", "scatter", "parallel", "time", "confusion", "code")
MAX_RUNS = 500


def page() -> None:
    """Compare the runs that the URL names."""
    st.title("Compare")
    all_runs = store_reads.runs()
    ids = links.runs_from_url(all_runs, "runs")
    if not ids:
        _suggest_runs(all_runs)
        return
    if len(ids) > MAX_RUNS:
        st.warning(f"Only the first {MAX_RUNS} of {len(ids):,} runs are compared.")
    table = comparison.chosen_runs(all_runs, tuple(ids[:MAX_RUNS]))
    components.rerun_on_change(all_runs, table.ids)
    view = components.choose_view(VIEWS)
    above_controls = st.container()
    metrics, group_by, options = controls.show(table, view)
    groups = comparison.group_runs(table, group_by)
    if view == "curves" and len(groups) > MAX_IN_LEGEND:
        options = replace(options, colour_by=controls.colour_by(table))
    warnings = fairness.fairness_warnings(table, groups)
    with above_controls:
        for warning in warnings:
            st.warning(text.escape_markdown(warning, 400), icon=":material/warning:")
        charts = _show_view(table, groups, view, metrics, options)
    _show_groups(all_runs, table, groups)
    export.show(table, groups, warnings, charts, metrics)


def _suggest_runs(table: RunTable) -> None:
    """Links to the page Runs, and to runs of each experiment that are worth comparing."""
    st.info("No runs are selected. Select some on the page Runs, then press Compare.")
    st.page_link("app_pages/runs.py", label="Select runs", icon=":material/table_rows:")
    suggestions.show(table)


def _show_groups(all_runs: RunTable, table: RunTable, groups: list[Group]) -> None:
    """The number of runs and groups, and the settings in which they differ."""
    runs = text.count(len(table.ids), "run")
    grouped = any(len(group.ids) > 1 for group in groups)
    st.caption(f"{runs} in {text.count(len(groups), 'group')}" if grouped else f"{runs}, not grouped")
    if selection.differing_settings(table.params):
        with st.expander("What differs", expanded=len(groups) <= 8):
            _show_settings(all_runs, table, groups)
    else:
        st.caption("All settings are the same in these runs.")
    st.page_link(
        "app_pages/runs.py",
        label="change the selection",
        icon=":material/table_rows:",
        query_params={"select": selection.format_ids(table.ids, all_runs)},
    )


def _show_settings(all_runs: RunTable, table: RunTable, groups: list[Group]) -> None:
    """What differs, with a link to the run of each row, or to the runs of each group."""
    rows = comparison.settings_by_group(table, groups)
    components.show_table(rows.assign(open=[_address(all_runs, group) for group in groups]), "settings")


def _address(table: RunTable, group: Group) -> str:
    """The address of a run, or of the runs of a group."""
    if len(group.ids) == 1:
        return selection.run_address(table, group.ids[0])
    return selection.compare_address(table, group.ids)


def _show_view(
    table: RunTable, groups: list[Group], view: str, metrics: list[str], options: CurveOptions
) -> list[tuple[str, Chart]]:
    """The selected view; returns its charts with their titles, for the report."""
    labels = selection.run_labels(table)
    metric = metrics[0] if metrics else ""
    if view == "curves" and not table.metrics.shape[1]:
        st.info("These runs have no metrics.")
    elif view == "curves":
        return views.show_curves(table, groups, metrics, options)
    elif view == "verdict":
        verdict.show(table, metric)
    elif view == "results":
        results = export.results(table, groups, metrics)
        addresses = {group.label: _address(table, group) for group in groups}
        components.show_table(results.assign(open=results[results.columns[0]].map(addresses)), "results")
    elif view == "scatter":
        return views.show_scatter(table, labels, metric)
    elif view == "parallel":
        return views.show_parallel_coordinates(table, metric)
    elif view == "time":
        return views.show_time(table, labels, metric)
    elif view == "confusion":
        return compared.show_confusion_matrices(table, labels)
    else:
        code.show(table, labels)
    return []


page()
