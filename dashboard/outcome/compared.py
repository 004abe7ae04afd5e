"""The confusion matrices of several runs, and the difference of two."""

from collections.abc import Mapping

import streamlit as st

from dashboard import components, text
from dashboard.figures.chart import Chart
from dashboard.outcome import class_charts, class_curves, reads
from lab.tracking.reading.run_table import RunTable

MAX_MATRICES = 12


def show_confusion_matrices(table: RunTable, labels: Mapping[str, str]) -> list[tuple[str, Chart]]:
    """The difference of two confusion matrices, then all of them side by side; returns them for the report."""
    shown = _show_difference(table, labels)
    columns = st.columns(min(3, max(1, len(table.ids))))
    missing = []
    for number, run in enumerate(table.ids[:MAX_MATRICES]):
        matrix = reads.confusion_matrix(run)
        if matrix is None:
            missing.append(labels[run])
            continue
        with columns[number % len(columns)]:
            st.markdown(text.escape_markdown(labels[run]))
            chart = class_charts.confusion_matrix(*matrix)
            title = f"confusion matrix of {labels[run]}"
            components.show_chart(chart, f"matrix-{run}", title)
            shown.append((title, chart))
    if missing:
        st.caption(f"without a confusion matrix: {text.escape_markdown(', '.join(missing[:8]), 300)}")
    if len(table.ids) > MAX_MATRICES:
        st.caption(f"the first {MAX_MATRICES} of {len(table.ids)} runs")
    return shown


def _show_difference(table: RunTable, labels: Mapping[str, str]) -> list[tuple[str, Chart]]:
    """The second of two chosen runs minus the first, where they have the same classes."""
    found = {run: matrix for run in table.ids[:MAX_MATRICES] if (matrix := reads.confusion_matrix(run))}
    if len(found) < 2:
        return []
    left, right = st.columns(2)
    second = left.selectbox(
        "This run", list(found), 0, format_func=labels.__getitem__, key="matrix", bind="query-params"
    )
    first = right.selectbox(
        "minus this one", list(found), 1, format_func=labels.__getitem__, key="minus", bind="query-params"
    )
    (counts, names), (others, other_names) = found[second], found[first]
    if names != other_names:
        st.info("These two runs have different classes.")
        return []
    chart = class_curves.difference_chart(counts, others, names)
    title = f"{labels[second]} minus {labels[first]}"
    components.show_chart(chart, "matrix-difference", title)
    return [(title, chart)]
