"""Changes to picked runs: rename, tag, note, archive, and the way back."""

from collections.abc import Callable

import streamlit as st

from dashboard import reads, words
from lab.errors import LabError
from lab.tracking import edits
from lab.tracking.reading.run_table import RunTable

UNDO = "archived-last"
TROUBLE = "edit-trouble"


def edit(table: RunTable, picked: list[str], archived: bool) -> None:
    """A box to change the picked runs."""
    if archived:
        st.button("Restore", on_click=_restore, args=(picked,), icon=":material/unarchive:")
        return
    with st.popover("Change", icon=":material/edit:"):
        if len(picked) == 1:
            _edit_one(table, picked[0])
        st.text_input("Tag", key="edit-tag", placeholder="a name of yours")
        st.text_input("Value", key="edit-value", placeholder="empty removes the tag")
        st.button("Set tag", on_click=_tag, args=(picked,))
        what = words.count(len(picked), "run")
        st.button(f"Archive {what}", on_click=_archive, args=(picked,), icon=":material/archive:")


def _edit_one(table: RunTable, run: str) -> None:
    note = table.tags[edits.NOTE].get(run) if edits.NOTE in table.tags else None
    st.text_input("Name", table.info.at[run, "name"], key=f"edit-name-{run}")
    st.button("Rename", on_click=_rename, args=(run,))
    st.text_area("Note", note if isinstance(note, str) else "", key=f"edit-note-{run}")
    st.button("Save note", on_click=_note, args=(run,))


def offer_undo() -> None:
    """After archiving: a way back; after a change that failed: why."""
    if reason := st.session_state.pop(TROUBLE, None):
        st.error(words.in_markdown(reason, 500))
    if archived := st.session_state.get(UNDO):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.success(f"{words.count(len(archived), 'run')} archived.")
            st.button("Undo", on_click=_undo, args=(archived,), icon=":material/undo:")


def _change(change: Callable[..., None], *arguments: object) -> bool:
    """Do it, keep the reason where it fails, and read again."""
    try:
        change(*arguments)
    except LabError as error:
        st.session_state[TROUBLE] = str(error)
        return False
    finally:
        reads.forget_runs()
    return True


def _rename(run: str) -> None:
    _change(edits.rename, run, st.session_state[f"edit-name-{run}"])


def _note(run: str) -> None:
    _change(edits.note, run, st.session_state[f"edit-note-{run}"])


def _tag(picked: list[str]) -> None:
    _change(edits.tag, picked, st.session_state["edit-tag"], st.session_state["edit-value"])


def _archive(picked: list[str]) -> None:
    if _change(edits.archive, picked):
        st.session_state[UNDO] = picked
        st.query_params.pop("select", None)


def _restore(picked: list[str]) -> None:
    _change(edits.restore, picked)


def _undo(archived: list[str]) -> None:
    if _change(edits.restore, archived):
        del st.session_state[UNDO]
