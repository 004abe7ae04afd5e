"""Taking away what the page Compare shows: results as a table, and a report with the text that somebody wrote."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from dashboard import selection, store_reads, text
from dashboard.compare import comparison, report, verdict, views
from dashboard.compare.comparison import CurveOptions, Group
from dashboard.editing import saved_views
from dashboard.figures import group_curves
from dashboard.figures.chart import Chart
from lab.tracking.reading.metric_names import TEST, VALIDATION, is_curve, split_of
from lab.tracking.reading.run_table import RunTable

MAX_RESULT_METRICS = 12
MAX_LINKS = 50
WRITTEN = "report-text"  # a key of the session state


def show(
    table: RunTable,
    groups: Sequence[Group],
    warnings: Sequence[str],
    charts: Sequence[tuple[str, Chart]],
    metrics: Sequence[str],
) -> None:
    """The text of the report and a button that downloads it, and the button that saves the view."""
    address, unpaired = st.context.url or "", bool(st.session_state.get("unpaired"))
    with st.container(horizontal=True):
        with st.popover("Report", icon=":material/ios_share:"):
            written = st.text_area("Your text", key=WRITTEN, placeholder="what these runs show, in your words")
            written = written or ""
            st.caption(f"{text.count(len(written.split()), 'word')} of yours will be in the report")

            def page() -> str:
                return report.to_html(
                    report.Report(
                        f"Comparison of {text.count(len(table.ids), 'run')}",
                        charts or _default_charts(table, groups, metrics),
                        [
                            ("What differs", comparison.settings_by_group(table, groups)),
                            ("Results", results(table, groups, metrics)),
                        ],
                        warnings,
                        written,
                        verdict.said(table, metrics[0], unpaired) if metrics else (),
                        _links(table, address),
                    )
                )

            st.download_button(
                "Export report",
                page,
                "comparison.html",
                "text/html",
                icon=":material/download:",
                on_click="ignore",
                help="one file that opens offline and prints",
            )
        saved_views.show_save("compare")


def results(table: RunTable, groups: Sequence[Group], metrics: Sequence[str]) -> pd.DataFrame:
    """The selected metrics, best validation metrics and test metrics of each group, the best group first."""
    full = views.with_best_values(table)
    names = [str(name) for name in full.metrics]
    best = [
        name for name in names if name.startswith("best/") and split_of(name.removeprefix("best/"))[0] == VALIDATION
    ]
    tested = [name for name in names if split_of(name)[0] == TEST and is_curve(name) and not name.endswith("_step")]
    shown = [*dict.fromkeys([*metrics, *best, *tested])][:MAX_RESULT_METRICS]
    found = comparison.results_by_group(full, groups, shown)
    higher = selection.higher_is_better(table, metrics[0]) if metrics else None
    if higher is None or metrics[0] not in found:
        return found
    return found.sort_values(metrics[0], ascending=not higher, kind="stable", ignore_index=True)


def _default_charts(table: RunTable, groups: Sequence[Group], metrics: Sequence[str]) -> list[tuple[str, Chart]]:
    """The curves of the chosen metrics, where the view has no picture."""
    curves = {metric: store_reads.metric_curves(table, table.ids, metric, "step") for metric in metrics}
    return [
        (metric, group_curves.group_chart(found, groups, metric, CurveOptions())) for metric, found in curves.items()
    ]


def _links(table: RunTable, address: str) -> list[tuple[str, str]]:
    """The address of the view, and of each run."""
    place = urlsplit(address)
    if place.scheme not in ("http", "https"):
        return []
    root = f"{place.scheme}://{place.netloc}"
    runs = [(run, table.info.at[run, "name"] or run) for run in table.ids[:MAX_LINKS]]
    ids = selection.format_ids(table.ids, table)
    named = [(name, f"{root}/run?run={selection.format_ids([run], table)}") for run, name in runs]
    return [("all of these runs", f"{root}/compare?runs={ids}"), *named]
