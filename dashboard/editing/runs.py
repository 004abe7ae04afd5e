"""Controls that change the selected runs: rename, note, pin, tag, archive, restore."""

from collections.abc import Callable

import streamlit as st

from dashboard import store_reads, text
from lab.errors import LabError
from lab.tracking import edits
from lab.tracking.reading.run_table import RunTable

PIN = "pinned"  # a tag
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
        _show_pin(table, selected)
        st.text_input("Tag", key="edit-tag", placeholder="a tag name of your choice")
        st.text_input("Value", key="edit-value", placeholder="empty removes the tag")
        st.button("Set tag", on_click=_tag, args=(selected,))
        runs = text.count(len(selected), "run")
        st.button(f"Archive {runs}", on_click=_archive, args=(selected,), icon=":material/archive:")


def _show_name_and_note(table: RunTable, run: str) -> None:
    st.text_input("Name", table.info.at[run, "name"], key=f"edit-name-{run}")
    st.button("Rename", on_click=_rename, args=(run,))
    _edit_note(table, run)


def _edit_note(table: RunTable, run: str) -> None:
    st.text_area("Note", _note_of(table, run), key=f"edit-note-{run}", help="Markdown")
    st.button("Save note", on_click=_note, args=(run,))


def _note_of(table: RunTable, run: str) -> str:
    note = table.tags[edits.NOTE].get(run) if edits.NOTE in table.tags else None
    return note if isinstance(note, str) else ""


def _show_pin(table: RunTable, selected: list[str]) -> None:
    """A button that pins the runs, so that Home lists them; of runs that are all pinned one that undoes it."""
    pinned = set(pinned_runs(table))
    value = "" if pinned >= set(selected) else "yes"
    st.button("Pin" if value else "Unpin", on_click=_pin, args=(selected, value), icon=":material/push_pin:")


def pinned_runs(table: RunTable) -> list[str]:
    """The runs with the tag PIN, latest first."""
    return list(table.tags.index[table.tags[PIN].notna()]) if PIN in table.tags else []


def show_note(table: RunTable, run: str) -> None:
    """The note of a run, as Markdown; nothing where it has none."""
    if note := _note_of(table, run).strip():
        with st.container(border=True):
            st.markdown(text.without_pictures(note))


def show_note_control(table: RunTable, run: str) -> None:
    """A menu that changes the note of the run that stands for a comparison or a study."""
    with st.popover("Note", icon=":material/edit_note:"):
        _edit_note(table, run)
    show_result()


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


def _pin(selected: list[str], value: str) -> None:
    _apply(edits.tag, selected, PIN, value)


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
