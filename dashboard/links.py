"""Links between the pages: to a run, and to views of several runs."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import streamlit as st

from dashboard import selection, text
from lab.tracking.reading.run_table import RunTable

COMPARE_ICON = ":material/stacked_line_chart:"
LINKED_VIEWS = ("verdict", "confusion", "code")  # of the page Compare, linked where runs are chosen


def runs_from_url(table: RunTable, parameter: str) -> list[str]:
    """The ids of the runs that a query parameter names; warns about those that are not found."""
    found, missing = selection.parse_ids(table, st.query_params.get(parameter, ""))
    if missing:
        entries = ", ".join(text.escape_markdown(entry) for entry in missing[:10])
        st.warning(f"{text.count(len(missing), 'run')} of this link cannot be found, deleted or archived: {entries}")
    return found


def link_to_run(table: RunTable, run: str, label: str | None = None) -> None:
    """A link to the page of a run, labelled with the run's name by default."""
    label = label or table.info.at[run, "name"] or run[: selection.SHORT_ID]
    _link("run", text.escape_markdown(text.short_numbers(label)), {"run": selection.format_ids([run], table)})


def link_to_compare(table: RunTable, ids: Sequence[str], label: str, icon: str | None = None, **view: str) -> None:
    """A link to the page Compare with these runs, such as `view="results"`."""
    _link("compare", label, {"runs": selection.format_ids(ids, table), **view}, icon)


def link_to_views(table: RunTable, ids: Sequence[str], label: str) -> None:
    """Links to the page Compare with these runs: to their curves, named `label`, and to other views."""
    link_to_compare(table, ids, label, COMPARE_ICON)
    if len(ids) > 1:
        for view in LINKED_VIEWS:
            link_to_compare(table, ids, view, view=view)


def _link(page: str, label: str, query: dict[str, str], icon: str | None = None) -> None:
    """A link to a page; from a page to itself a button, since Streamlit's link would leave the address as it is."""
    if urlsplit(st.context.url or "").path.strip("/") == page:
        key = f"to-{','.join(query.values())}"
        st.button(label, key=key, icon=icon, type="tertiary", on_click=st.query_params.from_dict, args=(query,))
    else:
        st.page_link(f"app_pages/{page}.py", label=label, icon=icon, query_params=query)
