"""Controls that change the selected runs: rename, tag, note, archive, restore."""

from collections.abc import Callable

import streamlit as st

from dashboard import store_reads, text
from lab.errors import LabError
from lab.tracking import edits
from lab.tracking.reading.run_table import RunTable

# Keys of the session state.
LAST_ARCHIVED = "archived-last"
EDIT_ERROR = "edit-error"


def show_controls(table: RunTable, selected: list[str], archived: bool) -> None:
    """A menu that changes the selected runs; archived runs can only be restored."""
    if archived:
        st.button("Restore", on_click=_restore, args=(selected,), icon=":material/unarchive:")
        return
    with st.popover("Change", icon=":material/edit:"):
        if len(selected) == 1:
            _show_name_and_note(table, selected[0])
        st.text_input("Tag", key="edit-tag", placeholder="a tag name of your choice")
        st.text_input("Value", key="edit-value", placeholder="empty removes the tag")
        st.button("Set tag", on_click=_tag, args=(selected,))
        runs = text.count(len(selected), "run")
        st.button(f"Archive {runs}", on_click=_archive, args=(selected,), icon=":material/archive:")


def _show_name_and_note(table: RunTable, run: str) -> None:
    note = table.tags[edits.NOTE].get(run) if edits.NOTE in table.tags else None
    st.text_input("Name", table.info.at[run, "name"], key=f"edit-name-{run}")
    st.button("Rename", on_click=_rename, args=(run,))
    st.text_area("Note", note if isinstance(note, str) else "", key=f"edit-note-{run}")
    st.button("Save note", on_click=_note, args=(run,))


def show_result() -> None:
    """After archiving: a button to undo it. After a change that failed: the reason."""
    if reason := st.session_state.pop(EDIT_ERROR, None):
        st.error(text.escape_markdown(reason, 500))
    if archived := st.session_state.get(LAST_ARCHIVED):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(f"{text.count(len(archived), 'run')} archived.")
            st.button("Undo", on_click=_undo, args=(archived,), icon=":material/undo:")


def _rename(run: str) -> None:
    _apply(edits.rename, run, st.session_state[f"edit-name-{run}"])


def _note(run: str) -> None:
    _apply(edits.note, run, st.session_state[f"edit-note-{run}"])


def _tag(selected: list[str]) -> None:
    _apply(edits.tag, selected, st.session_state["edit-tag"], st.session_state["edit-value"])


def _archive(selected: list[str]) -> None:
    if _apply(edits.archive, selected):
        st.session_state[LAST_ARCHIVED] = selected
        st.query_params.pop("select", None)


def _restore(selected: list[str]) -> None:
    _apply(edits.restore, selected)


def _undo(archived: list[str]) -> None:
    if _apply(edits.restore, archived):
        del st.session_state[LAST_ARCHIVED]


def _apply(change: Callable[..., None], *arguments: object) -> bool:
    """Whether the change succeeded; if not, the reason is shown at the next rerun."""
    try:
        change(*arguments)
    except LabError as error:
        st.session_state[EDIT_ERROR] = str(error)
        return False
    finally:
        store_reads.invalidate_runs()
    return True
