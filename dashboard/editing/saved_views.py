"""Saved views on the pages: a button that names the present one, and the list of all on Home."""

from collections.abc import Callable
from urllib.parse import urlencode

import streamlit as st

from dashboard import text
from lab.errors import LabError
from lab.tracking import saved_views, store
from lab.tracking.saved_views import SavedView

ERROR = "view-error"  # a key of the session state
SECONDS = 30  # for which the list is remembered


def show_save(page: str) -> None:
    """A button that saves the filters, selection and pictures of this page, which its address holds, under a name."""
    with st.popover("Save view", icon=":material/bookmark_add:"):
        st.text_input("Name of the view", key=f"view-name-{page}", placeholder="what this view shows")
        st.button("Save", on_click=_save, args=(page,), key=f"view-save-{page}")
        st.caption("It keeps what the address of this page holds, and is listed on Home.")
    if said := st.session_state.pop(ERROR, None):
        st.error(text.escape_markdown(said, 300))


def _save(page: str) -> None:
    query = {name: _one_or_many(st.query_params.get_all(name)) for name in st.query_params}
    _apply(lambda: saved_views.save(st.session_state[f"view-name-{page}"], page, query))


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def show_list() -> None:
    """The saved views, each a link with a button that deletes it; nothing where there are none."""
    try:
        views = _views(store.tracking_uri())
    except LabError:
        return  # Home says already that the store does not answer
    if not views:
        return
    st.subheader("Saved views")
    for view in views:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"[{text.escape_markdown(view.name)}]({address(view)}) · {view.page}")
            st.button(
                "", key=f"delete-{view.key}", icon=":material/delete:", help="delete", on_click=_delete, args=(view,)
            )


def address(view: SavedView) -> str:
    """The address of a view, below that of the dashboard."""
    return f"/{view.page}?{urlencode(view.query, doseq=True)}".replace("(", "%28").replace(")", "%29")


@st.cache_data(ttl=SECONDS, max_entries=4, show_spinner=False)
def _views(uri: str) -> list[SavedView]:
    return saved_views.all_views()


def _delete(view: SavedView) -> None:
    _apply(lambda: saved_views.delete(view))


def _apply(change: Callable[[], None]) -> None:
    try:
        change()
    except LabError as error:
        st.session_state[ERROR] = str(error)
    _views.clear()
