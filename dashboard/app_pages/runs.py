"""Runs: one table of all runs, to filter, sort, select and edit."""

import hashlib

import pandas as pd
import streamlit as st

from dashboard import components, links, run_list, selection, store_reads, text
from dashboard.editing import runs as run_edits
from dashboard.editing import saved_views as view_links
from dashboard.run_list import Filters
from lab.errors import LabError
from lab.tracking.reading import run_frame, run_table
from lab.tracking.reading.run_table import RunTable

TABLE_HEIGHT = 620
MAX_COMPARED = 100  # filtered runs that one link compares, without selecting them


def page() -> None:
    """Show the runs that match the filters."""
    archived = st.session_state.get("archived") or st.query_params.get("archived") == "true"
    table = store_reads.archived_runs() if archived else store_reads.runs()
    head, switch = st.columns([5, 1], vertical_alignment="bottom")
    head.title("Runs")
    switch.toggle("archived", key="archived", bind="query-params", help="show the archived runs instead")
    if not table.ids:
        empty = "The store is empty. To make a run: `make experiment NAME=lstm`"
        st.info("No run is archived." if archived else empty)
        return
    filters, columns = _controls(table)
    try:
        ids = run_list.filter_runs(table, filters)
    except LabError as error:
        st.error(text.escape_markdown(str(error), 500))
        return
    actions = st.container()
    if ids:
        _show_table(table, ids, run_list.with_nan(table, run_frame.to_frame(table, ids, columns)))
    else:
        st.info("No run matches these filters.")
    selected = links.runs_from_url(table, "select")
    with actions:
        _show_actions(table, ids, selected, archived, columns)
    if not archived:
        components.rerun_on_change(table)


def _controls(table: RunTable) -> tuple[Filters, list[str]]:
    """The filters and the selected columns."""
    first, second, third, fourth = st.columns([2, 2, 2, 3])
    experiments = sorted(table.info["experiment"].unique())
    experiment = first.multiselect("Experiment", experiments, key="experiment", bind="query-params")
    states = sorted(run_table.states(table).unique())
    state = second.multiselect("State", states, key="state", bind="query-params")
    kinds = sorted(run_frame.kinds(table).unique())
    kind = third.multiselect("Kind", kinds, key="kind", bind="query-params")
    words = fourth.text_input("Text", key="text", bind="query-params", placeholder="name, note, id, dropout=0.3")
    with st.expander("More filters, columns"):
        left, right = st.columns([1, 2])
        tag = left.text_input("Tag", key="tag", bind="query-params", placeholder="name, or name=value")
        query = right.text_input(
            "MLflow filter",
            key="query",
            bind="query-params",
            placeholder="metrics.`val/loss` < 0.5 and params.seed = '1'",
        )
        default = run_list.default_columns(table)
        columns = st.multiselect(
            "Columns", run_frame.all_columns(table), default=default, key="columns", bind="query-params"
        )
    return Filters(experiment, state, kind, words or "", tag or "", query or ""), columns


def _show_table(table: RunTable, ids: list[str], frame: pd.DataFrame) -> None:
    """The table of runs. The selection is kept in the URL, so that it survives a change of the filters."""
    selected, _ = selection.parse_ids(table, st.query_params.get("select", ""))
    row_of = {run: row for row, run in enumerate(ids)}
    key = f"table-{hashlib.md5(','.join(ids).encode(), usedforsecurity=False).hexdigest()}"

    def update_url() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        hidden = [run for run in selected if run not in row_of]
        st.query_params["select"] = selection.format_ids([*hidden, *(ids[row] for row in rows)], table)

    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=TABLE_HEIGHT,
        placeholder="",
        on_select=update_url,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [row_of[run] for run in selected if run in row_of]}},
        column_config=_column_config(frame),
    )
    st.caption(f"{len(ids):,} of {text.count(len(table.ids), 'run')}")


def _column_config(frame: pd.DataFrame) -> dict:
    config: dict = {name: st.column_config.NumberColumn(format="%.4g") for name in frame.select_dtypes("float")}
    config["name"] = st.column_config.TextColumn(pinned=True, width="medium")
    config["state"] = st.column_config.TextColumn(pinned=True, width=100)
    config["seconds"] = st.column_config.NumberColumn("duration (s)", format="%.1f")
    config["started"] = st.column_config.DatetimeColumn("age", format="distance")
    return {name: column for name, column in config.items() if name in frame}


def _show_actions(table: RunTable, ids: list[str], selected: list[str], archived: bool, columns: list[str]) -> None:
    """What can be done with the selected runs: compare, open, edit, download."""
    with st.container(horizontal=True, vertical_alignment="center"):
        help_text = "Select runs with the boxes at the left of the table."
        st.markdown(f"**{len(selected)}** selected" if selected else help_text)
        if selected and not archived:
            links.link_to_views(table, selected, "Compare")
            if len(selected) == 1:
                links.link_to_run(table, selected[0], "Open")
        elif not archived and 1 < len(ids) <= MAX_COMPARED:
            links.link_to_views(table, ids, f"Compare these {len(ids)}")
        if selected:
            run_edits.show_controls(table, selected, archived)
            st.button("Clear", on_click=_clear_selection, icon=":material/close:")
        st.download_button(
            "CSV",
            lambda: run_frame.to_frame(table, selected or ids, ["id", *columns]).to_csv(index=False),
            "runs.csv",
            "text/csv",
            icon=":material/download:",
            help="the selected runs, or all that are shown",
            on_click="ignore",
        )
        view_links.show_save("runs")
    run_edits.show_result()


def _clear_selection() -> None:
    st.query_params.pop("select", None)
    for key in [key for key in st.session_state if str(key).startswith("table-")]:
        del st.session_state[key]


page()
