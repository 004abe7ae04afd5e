"""Compare: any number of runs over each other, by what differs."""

import streamlit as st

from dashboard import compare_views, comparison, curves, frame, reads, report, run_list, selection, words
from dashboard.comparison import ALL_BUT_SEED, Group, Look
from lab.tracking.reading.run_table import RunTable

VIEWS = ("curves", "results", "scatter", "parallel", "time", "confusion", "code")
MOST_RUNS = 500
LATEST = 5


def page() -> None:
    """Compare the runs that the address names."""
    st.title("Compare")
    whole = reads.runs()
    ids = frame.chosen_runs(whole, "runs")
    if not ids:
        _ask_for_runs(whole)
        return
    if len(ids) > MOST_RUNS:
        st.warning(f"Only the first {MOST_RUNS} of {len(ids):,} runs are compared.")
    table = whole.only(ids[:MOST_RUNS])
    frame.follow(whole, table.ids)
    view = st.segmented_control("View", VIEWS, default="curves", required=True, key="view", bind="query-params")
    metrics, by, look = _controls(table, view == "curves")
    chosen = comparison.grouped(table, by)
    problems = comparison.unfairness(table, chosen)
    _head(whole, table, chosen, problems)
    pictures = _view(table, chosen, view or "curves", metrics, look)
    _export(table, chosen, problems, pictures, metrics)


def _ask_for_runs(table: RunTable) -> None:
    st.info("No runs are chosen. Pick some on the page Runs, then press Compare.")
    st.page_link("app_pages/runs.py", label="Choose runs", icon=":material/table_rows:")
    kinds = run_list.kinds(table)
    for experiment in table.info["experiment"].unique()[:10]:
        of_it = table.info.index[(table.info["experiment"] == experiment) & ~kinds.isin(["trial", "study"])]
        if len(of_it) > 1:
            latest = selection.written(of_it[:LATEST], table)
            label = f"the latest {min(LATEST, len(of_it))} runs of {experiment}"
            st.page_link("app_pages/compare.py", label=words.in_markdown(label), query_params={"runs": latest})


def _controls(table: RunTable, with_span: bool) -> tuple[list[str], list[str], Look]:
    names = compare_views.metric_names(table)
    differing = selection.differing(table.params)
    first, second, third, fourth, fifth = st.columns([3, 3, 2, 2, 1.3], vertical_alignment="bottom")
    metrics = first.multiselect("Metrics", names, default=names[:1], key="metric", bind="query-params")
    ways = [ALL_BUT_SEED, *differing, *(str(name) for name in table.params if name not in differing)]
    by = second.multiselect("Group by", ways, key="group", bind="query-params", placeholder="no groups: a line a run")
    axis = third.selectbox("x axis", curves.AXES, key="axis", bind="query-params")
    smoothing = fourth.slider("Smoothing", 0.0, 0.99, 0.0, 0.01, key="smooth", bind="query-params")
    log = fifth.toggle("log y", key="log", bind="query-params")
    span = _span(table, metrics, axis) if with_span else None
    return metrics, by, Look(axis, smoothing, log, span)


def _span(table: RunTable, metrics: list[str], axis: curves.Axis) -> tuple[float, float] | None:
    """The part of the x axis to look at: a closer look brings back the points that thinning left out."""
    if not metrics:
        return None
    low, high = comparison.extent(reads.curves_of(table, table.ids, metrics[0], axis))
    if not high > low:
        return None
    span = st.slider(
        f"{curves.TITLES[axis]} from … to (a closer look brings the points back)",
        float(low),
        float(high),
        (float(low), float(high)),
        key=f"span-{axis}-{low:.6g}-{high:.6g}",
    )
    return None if span == (low, high) else span


def _head(whole: RunTable, table: RunTable, chosen: list[Group], problems: list[str]) -> None:
    for problem in problems:
        st.warning(words.in_markdown(problem, 400), icon=":material/warning:")
    amount = words.count(len(table.ids), "run")
    several = [group for group in chosen if len(group.ids) > 1]
    st.caption(f"{amount} in {words.count(len(chosen), 'group')}" if several else f"{amount}, each by itself")
    differs = comparison.what_differs(table, chosen)
    if selection.differing(table.params):
        with st.expander("What differs", expanded=len(chosen) <= 8):
            frame.small_table(differs)
    else:
        st.caption("All settings are the same in these runs.")
    st.page_link(
        "app_pages/runs.py",
        label="change the choice of runs",
        icon=":material/table_rows:",
        query_params={"select": selection.written(table.ids, whole)},
    )


def _view(table: RunTable, chosen: list[Group], view: str, metrics: list[str], look: Look) -> list:
    labels = selection.labels(table)
    metric = metrics[0] if metrics else ""
    if view == "curves" and not table.metrics.shape[1]:
        st.info("These runs have no metrics.")
    elif view == "curves":
        return compare_views.curves(table, chosen, metrics, look)
    elif view == "results":
        frame.small_table(comparison.results(table, chosen, _result_metrics(table, metrics)))
    elif view == "scatter":
        compare_views.scatter(table, labels, metric)
    elif view == "parallel":
        compare_views.parallel(table, metric)
    elif view == "time":
        compare_views.cost(table, labels, metric)
    elif view == "confusion":
        compare_views.matrices(table, labels)
    else:
        compare_views.code(table, labels)
    return []


def _result_metrics(table: RunTable, metrics: list[str]) -> list[str]:
    summaries = [str(name) for name in table.metrics if str(name).startswith(("best/val/", "test/"))]
    return [*dict.fromkeys([*metrics, *summaries])][:12]


def _export(table: RunTable, chosen: list[Group], problems: list[str], pictures: list, metrics: list[str]) -> None:
    def written() -> str:
        tables = [
            ("What differs", comparison.what_differs(table, chosen)),
            ("Results", comparison.results(table, chosen, _result_metrics(table, metrics))),
        ]
        drawn = pictures or [
            (
                metric,
                comparison.curve_picture(reads.curves_of(table, table.ids, metric, "step"), chosen, metric, Look()),
            )
            for metric in metrics
        ]
        return report.page(f"Comparison of {words.count(len(table.ids), 'run')}", drawn, tables, problems)

    st.download_button(
        "Export report", written, "comparison.html", "text/html", icon=":material/ios_share:", on_click="ignore"
    )


page()
