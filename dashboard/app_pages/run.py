"""Run: everything about one run."""

import streamlit as st

from dashboard import components, links, store_reads, text
from dashboard.editing import runs as run_edits
from dashboard.outcome import view as outcome
from dashboard.run_page import explanation, files, summary, views, weights
from lab.errors import LabError
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable

VIEWS = {
    "curves": views.show_results,
    "outcome": outcome.show_outcome,
    "explanation": explanation.show_explanation,
    "weights": weights.show_weights,
    "settings": views.show_settings,
    "system": views.show_system,
    "profile": files.show_profile,
    "environment": views.show_environment,
    "files": files.show_files,
}
LATEST = 10


def page() -> None:
    """Show the run that the URL names."""
    table = store_reads.runs()
    ids = links.runs_from_url(table, "run")
    if not ids:
        st.title("Run")
        _show_latest(table)
        return
    run = ids[0]
    components.rerun_on_change(table, [run])
    _show_heading(table, run)
    summary.show_standing(table, run)
    view = components.choose_view(list(VIEWS))
    try:
        VIEWS[view](table, run)
    except LabError as error:
        st.warning(text.escape_markdown(str(error), 400))


def _show_latest(table: RunTable) -> None:
    st.info("No run is selected. These are the latest; the page Runs lists all.")
    for run in run_table.select(table)[:LATEST]:
        links.link_to_run(table, run)


def _show_heading(table: RunTable, run: str) -> None:
    """Name, state, question, note, the reason of a failure, and links."""
    info, tags = table.info.loc[run], table.tags.loc[run]
    name = text.short_numbers(info["name"] or run)
    st.set_page_config(page_title=text.truncate(f"{name} · The lab"))
    st.title(text.escape_markdown(name), anchor=False)
    state = run_table.states(table.only([run]))[run]
    parts = [text.escape_markdown(info["experiment"]), text.describe_state(info, state), f"`{run}`"]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(" · ".join(parts), width="content")
        run_edits.show_controls(table, [run], archived=False)
        _show_related_runs(table, run)
    run_edits.show_result()
    if isinstance(question := tags.get("lab.question"), str):
        st.markdown(f"*{text.escape_markdown(question, 400)}*")
    run_edits.show_note(table, run)
    if isinstance(tags.get("lab.failure"), str):
        st.error(text.escape_markdown(text.as_sentence(tags["lab.failure"]), 1000))


def _show_related_runs(table: RunTable, run: str) -> None:
    """Links to the parent run, the child runs and the study."""
    if "mlflow.parentRunId" not in table.tags:
        return
    parents = table.tags["mlflow.parentRunId"]
    children = [child for child in table.ids if parents[child] == run]
    if parents[run] in table.info.index:
        links.link_to_run(table, parents[run], f"part of {table.info.at[parents[run], 'name']}")
    if children:
        links.link_to_compare(table, children, f"compare its {len(children)} runs")
    if isinstance(study := table.tags.loc[run].get("lab.study"), str):
        st.page_link("app_pages/studies.py", label="the study", query_params={"study": study})


page()
