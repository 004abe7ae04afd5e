"""Runs: one table of all runs, to filter, sort, choose from and change."""

import hashlib

import pandas as pd
import streamlit as st

from dashboard import frame, reads, run_edits, run_list, selection, words
from dashboard.run_list import Filters
from lab.errors import LabError
from lab.tracking.reading import run_table
from lab.tracking.reading.run_table import RunTable


def page() -> None:
    """Show the runs that pass the filters."""
    archived = st.session_state.get("archived") or st.query_params.get("archived") == "true"
    table = reads.archived_runs() if archived else reads.runs()
    head, switch = st.columns([5, 1], vertical_alignment="bottom")
    head.title("Runs")
    switch.toggle("archived", key="archived", bind="query-params", help="show the archived runs instead")
    if not table.ids:
        st.info("No run is archived." if archived else "The store is empty. `make experiment NAME=lstm` makes a run.")
        return
    chosen, wanted = _controls(table)
    try:
        ids = run_list.shown(table, chosen)
    except LabError as error:
        st.error(words.in_markdown(str(error), 500))
        ids = table.ids
    actions = st.container()
    if ids:
        _choose(table, ids, run_list.view(table, ids, wanted))
    else:
        st.info("No run passes these filters.")
    picked = frame.chosen_runs(table, "select")
    with actions:
        _act(table, ids, picked, archived, wanted)
    if not archived:
        frame.follow(table)


def _controls(table: RunTable) -> tuple[Filters, list[str]]:
    """The filters, and the wanted columns."""
    experiment, state, kind, text = st.columns([2, 2, 2, 3])
    known = sorted(table.info["experiment"].unique())
    experiments = experiment.multiselect("Experiment", known, key="experiment", bind="query-params")
    words_of_state = sorted(run_table.states(table).unique())
    chosen_states = state.multiselect("State", words_of_state, key="state", bind="query-params")
    chosen_kinds = kind.multiselect("Kind", sorted(run_list.kinds(table).unique()), key="kind", bind="query-params")
    typed = text.text_input("Text", key="text", bind="query-params", placeholder="in name, settings, note, id")
    with st.expander("More filters, columns"):
        tag, query = st.columns([1, 2])
        chosen_tag = tag.text_input("Tag", key="tag", bind="query-params", placeholder="name, or name=value")
        filter_text = query.text_input(
            "MLflow filter",
            key="query",
            bind="query-params",
            placeholder="metrics.`val/loss` < 0.5 and params.seed = '1'",
        )
        wanted = _columns(table)
    return Filters(experiments, chosen_states, chosen_kinds, typed or "", chosen_tag or "", filter_text or ""), wanted


def _columns(table: RunTable) -> list[str]:
    default = run_list.default_columns(table)
    return st.multiselect("Columns", run_list.columns(table), default=default, key="columns", bind="query-params")


def _choose(table: RunTable, ids: list[str], view: pd.DataFrame) -> None:
    """The table; which rows are picked stands in the address, and outlives filters."""
    picked, _ = selection.resolved(table, st.query_params.get("select", ""))
    places = {run: place for place, run in enumerate(ids)}
    key = f"table-{hashlib.md5(','.join(ids).encode(), usedforsecurity=False).hexdigest()}"

    def pick() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        elsewhere = [run for run in picked if run not in places]
        st.query_params["select"] = selection.written([*elsewhere, *(ids[row] for row in rows)], table)

    st.dataframe(
        view,
        key=key,
        hide_index=True,
        height=620,
        placeholder="",
        on_select=pick,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [places[run] for run in picked if run in places]}},
        column_config=_config(view),
    )
    st.caption(f"{len(ids):,} of {words.count(len(table.ids), 'run')}")


def _config(view: pd.DataFrame) -> dict:
    found: dict = {name: st.column_config.NumberColumn(format="%.4g") for name in view.select_dtypes("float")}
    found["name"] = st.column_config.TextColumn(pinned=True, width="medium")
    found["state"] = st.column_config.TextColumn(pinned=True, width=100)
    found["seconds"] = st.column_config.NumberColumn("duration (s)", format="%.1f")
    found["started"] = st.column_config.DatetimeColumn("age", format="distance")
    return {name: config for name, config in found.items() if name in view}


def _act(table: RunTable, ids: list[str], picked: list[str], archived: bool, wanted: list[str]) -> None:
    bar = st.container(horizontal=True, vertical_alignment="center")
    with bar:
        st.markdown(f"**{len(picked)}** picked" if picked else "Pick runs by the boxes at the left of the table.")
        if picked and not archived:
            link = {"runs": selection.written(picked, table)}
            st.page_link(
                "app_pages/compare.py", label="Compare", icon=":material/stacked_line_chart:", query_params=link
            )
            if len(picked) == 1:
                frame.run_link(table, picked[0], "Open")
        if picked:
            run_edits.edit(table, picked, archived)
            st.button("Clear", on_click=_clear, icon=":material/close:")
        st.download_button(
            "CSV",
            lambda: run_list.view(table, picked or ids, ["id", *wanted]).to_csv(index=False),
            "runs.csv",
            "text/csv",
            icon=":material/download:",
            help="the picked runs, or else those shown",
            on_click="ignore",
        )
    run_edits.offer_undo()


def _clear() -> None:
    st.query_params.pop("select", None)
    for key in [key for key in st.session_state if str(key).startswith("table-")]:
        del st.session_state[key]


page()
