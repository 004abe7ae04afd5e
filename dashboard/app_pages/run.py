"""Run: one run in full."""

import streamlit as st

from dashboard import frame, reads, run_views, selection, words
from lab.errors import LabError
from lab.tracking import edits
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable

VIEWS = ("curves", "outcome", "settings", "system", "profile", "environment", "files")
LATEST = 10


def page() -> None:
    """Show the run that the address names."""
    table = reads.runs()
    ids = frame.chosen_runs(table, "run")
    if not ids:
        st.title("Run")
        _ask_for_run(table)
        return
    run = ids[0]
    frame.follow(table, [run])
    _head(table, run)
    run_views.summary(table, run)
    view = st.segmented_control("View", VIEWS, default="curves", required=True, key="view", bind="query-params")
    try:
        _view(table, run, view or "curves")
    except LabError as error:
        st.warning(words.in_markdown(str(error), 400))


def _ask_for_run(table: RunTable) -> None:
    st.info("No run is chosen. These are the latest; the page Runs has all.")
    for run in table.ids[:LATEST]:
        frame.run_link(table, run)


def _head(table: RunTable, run: str) -> None:
    info, tags = table.info.loc[run], table.tags.loc[run]
    st.title(words.in_markdown(info["name"] or run), anchor=False)
    state = run_table.states(table.only([run]))[run]
    parts = [words.in_markdown(info["experiment"]), words.state_sentence(info, state), f"`{run}`"]
    st.markdown(" · ".join(parts))
    for tag in ("lab.question", edits.NOTE):
        if isinstance(tags.get(tag), str):
            st.markdown(f"*{words.in_markdown(tags[tag], 400)}*")
    if isinstance(tags.get("lab.failure"), str):
        st.error(words.in_markdown(tags["lab.failure"], 1000))
    _relatives(table, run)


def _relatives(table: RunTable, run: str) -> None:
    """Links to the run above, and to those below."""
    if "mlflow.parentRunId" not in table.tags:
        return
    parents = table.tags["mlflow.parentRunId"]
    children = [child for child in table.ids if parents[child] == run]
    with st.container(horizontal=True):
        if parents[run] in table.info.index:
            frame.run_link(table, parents[run], f"part of {table.info.at[parents[run], 'name']}")
        if children:
            link = {"runs": selection.written(children, table)}
            st.page_link("app_pages/compare.py", label=f"compare its {len(children)} runs", query_params=link)
        if isinstance(study := table.tags.loc[run].get("lab.study"), str):
            st.page_link("app_pages/studies.py", label="the study", query_params={"study": study})


def _view(table: RunTable, run: str, view: str) -> None:
    if view in ("curves", "system"):
        run_views.curves(table, run, system=view == "system")
    elif view in ("settings", "environment"):
        getattr(run_views, view)(table, run)
    else:
        getattr(run_views, view)(run)


page()
