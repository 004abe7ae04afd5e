"""Verdicts: every comparison with its question, its arms, and the evidence as it narrowed."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import frame, reads, run_list, selection, verdicts, words
from dashboard.charts import Picture
from lab.comparisons import figures
from lab.tracking.reading.run_table import RunTable


def page() -> None:
    """Show all comparisons, and in full the one that the address names, else the latest."""
    st.title("Verdicts")
    with frame.told():
        table = reads.runs()
        found = {run: reads.comparison(run) for run in verdicts.parents(table)}
        known = {run: content for run, content in found.items() if content}
        if not known:
            st.info("No comparisons yet. `make compare NAME=activations` makes one.")
            return
        frame.small_table(verdicts.overview(known))
        names = {f"{content['name']} ({run[:8]})": run for run, content in known.items()}
        if (asked := st.query_params.get("comparison")) and asked not in names:
            st.warning(f"There is no comparison {words.in_markdown(asked)} (any more).")
        chosen = st.selectbox("Comparison", list(names), key="comparison", bind="query-params")
        _one(table, names[chosen], known[names[chosen]])


def _one(table: RunTable, run: str, content: dict[str, Any]) -> None:
    st.subheader(words.in_markdown(content["question"] or content["name"], 400))
    for sentence in content["sentences"]:
        st.markdown(f"- {words.in_markdown(sentence, 400)}")
    for arm, rows in content["narrowing"].items():
        if rows:
            drawn = figures.figure(arm, rows, content["control"], content["measure"], content["margin"])
            what = f"{arm} minus {content['control']}, seed by seed"
            frame.show(Picture(drawn, (), pd.DataFrame(rows)), f"narrowing-{arm}", what)
    st.caption("Arms and their settings")
    frame.small_table(verdicts.arms(content))
    _link(table, run)


def _link(table: RunTable, parent: str) -> None:
    """A link to the runs of all arms, grouped by arm."""
    children = table.tags.get("mlflow.parentRunId", pd.Series(dtype=object)) == parent
    replicates = run_list.kinds(table) == "replicate"
    runs = list(table.info.index[children.reindex(table.info.index, fill_value=False) & replicates])
    if runs:
        link = {"runs": selection.written(runs[:100], table)}
        st.page_link("app_pages/compare.py", label=f"compare its {len(runs)} runs", query_params=link)


page()
