"""What all pages share: how a picture is shown, how a page follows running runs, how trouble is told."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
import streamlit as st

from dashboard import reads, selection, words
from dashboard.charts import Picture
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

SECONDS_BETWEEN = 3
CHART_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}
ROWS_SHOWN = 5_000


@contextmanager
def told() -> Iterator[None]:
    """Trouble that a person can mend, as a sentence on the page."""
    try:
        yield
    except LabError as error:
        for line in error.lines:
            st.error(words.in_markdown(line, 500))


def show(picture: Picture, key: str, what: str) -> None:
    """A picture with what must be said of it, and, where a person asks for it, its table."""
    for_table = st.session_state.get(f"{key}-table", False)
    if for_table:
        rows = picture.table.head(ROWS_SHOWN)
        st.dataframe(rows, hide_index=True, height=charts_height(len(rows)))
        if len(rows) < len(picture.table):
            st.caption(f"the first {len(rows):,} of {words.count(len(picture.table), 'row')}")
    else:
        st.plotly_chart(picture.figure, key=key, config=CHART_CONFIG, alt=what)
    notes, switch = st.columns([5, 1])
    if picture.notes:
        notes.caption(words.in_markdown(" · ".join(picture.notes), 400))
    switch.toggle("table", key=f"{key}-table")


def charts_height(rows: int) -> int:
    """The height of a table of so many rows, at most that of a picture."""
    return min(420, 38 + 35 * max(1, rows))


def follow(table: RunTable, ids: Sequence[str] | None = None) -> None:
    """Show the page again when these runs, or any, have changed."""

    @st.fragment(run_every=SECONDS_BETWEEN)
    def look() -> None:
        with told():
            now = reads.runs()
            if now is not table and (ids is None or _changed(now, table, ids)):
                st.rerun()

    look()


def _changed(now: RunTable, before: RunTable, ids: Sequence[str]) -> bool:
    there = [run for run in ids if run in now.info.index]
    return len(there) < len(ids) or not now.info.loc[there].equals(before.info.loc[there])


def chosen_runs(table: RunTable, parameter: str) -> list[str]:
    """The runs that the address names; a sentence for each that is gone."""
    found, missing = selection.resolved(table, st.query_params.get(parameter, ""))
    if missing:
        gone = ", ".join(words.in_markdown(entry) for entry in missing[:10])
        st.warning(f"{words.count(len(missing), 'run')} of this link cannot be found, deleted or archived: {gone}")
    return found


def run_link(table: RunTable, run: str, label: str | None = None) -> None:
    """A link to the page of a run."""
    text = label or table.info.at[run, "name"] or run[: selection.SHORTEST_ID]
    target = {"run": selection.written([run], table)}
    st.page_link("app_pages/run.py", label=words.in_markdown(text), query_params=target)


def small_table(frame: pd.DataFrame) -> None:
    """A table as high as its rows; nothing stands where a value is missing."""
    st.dataframe(frame, hide_index=True, height=charts_height(len(frame)), placeholder="")


def guarded(page: Callable[[], None]) -> None:
    """Show a page, and its trouble in words."""
    with told():
        page()
