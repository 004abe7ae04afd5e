"""Verdicts: every comparison with its question, its arms, and the interval seed by seed."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import components, links, store_reads, text, verdicts
from dashboard.editing import runs as run_edits
from dashboard.figures.chart import Chart
from lab.comparisons import figures
from lab.tracking.reading import run_frame
from lab.tracking.reading.run_table import RunTable

MAX_LINKED_RUNS = 100


def page() -> None:
    """Show all verdicts, and in full the comparison that the URL names, else the latest."""
    st.title("Verdicts")
    table = store_reads.runs()
    loaded = {run: store_reads.comparison(run) for run in verdicts.comparison_runs(table)}
    comparisons = {run: content for run, content in loaded.items() if content}
    if not comparisons:
        st.info("No comparisons yet. To make one: `make compare NAME=activations`")
        return
    names = {f"{content['name']} ({run[:8]})": run for run, content in comparisons.items()}
    if (requested := st.query_params.get("comparison")) and requested not in names:
        st.warning(f"There is no comparison {text.escape_markdown(requested)}; it may have been deleted.")
    run = names[st.selectbox("Comparison", list(names), key="comparison", bind="query-params")]
    _show_comparison(table, run, comparisons[run])
    st.subheader("All verdicts")
    components.show_table(verdicts.verdict_table(comparisons), "verdicts")


def _show_comparison(table: RunTable, run: str, content: dict[str, Any]) -> None:
    """The question, the findings, a figure per arm, and the arms' settings."""
    st.subheader(text.escape_markdown(content["question"] or content["name"], 400))
    run_edits.show_note(table, run)
    for sentence in content["sentences"]:
        st.markdown(f"- {text.escape_markdown(sentence, 400)}")
    for arm, rows in content["narrowing"].items():
        if rows:
            figure = figures.figure(arm, rows, content["control"], content["measure"], content["margin"])
            description = f"{arm} minus {content['control']}, seed by seed"
            components.show_chart(Chart(figure, (), pd.DataFrame(rows)), f"narrowing-{arm}", description)
    run_edits.show_note_control(table, run)
    st.caption("Arms and their settings")
    components.show_table(verdicts.arm_table(content), "arms")
    _show_link(table, run)


def _show_link(table: RunTable, parent: str) -> None:
    """A link to the runs of all arms."""
    children = table.tags.get("mlflow.parentRunId", pd.Series(dtype=object)) == parent
    replicates = run_frame.kinds(table) == "replicate"
    runs = list(table.info.index[children.reindex(table.info.index, fill_value=False) & replicates])
    if runs:
        links.link_to_compare(table, runs[:MAX_LINKED_RUNS], f"compare its {len(runs)} runs")


page()
