"""The view `code` of the page Compare: what differs in the code and the configuration of two runs."""

import difflib
from collections.abc import Mapping

import streamlit as st

from dashboard import store_reads, text
from dashboard.compare import comparison
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable


def show(table: RunTable, labels: Mapping[str, str]) -> None:
    """The differences in code and configuration between two runs."""
    if len(table.ids) < 2:
        st.info("This view compares two runs; choose at least two.")
        return
    left, right = st.columns(2)
    first = left.selectbox("From", table.ids, 0, format_func=labels.__getitem__, key="from", bind="query-params")
    second = right.selectbox("to", table.ids, 1, format_func=labels.__getitem__, key="to", bind="query-params")
    _show_commits(table, first, second)
    for path, title in (("config.yaml", "Configuration"), ("git.diff", "Uncommitted changes")):
        st.markdown(f"**{title}**")
        _show_diff(first, second, path)


def _show_commits(table: RunTable, first: str, second: str) -> None:
    commits = [
        table.tags[comparison.COMMIT].get(run) if comparison.COMMIT in table.tags else None for run in (first, second)
    ]
    if not all(isinstance(commit, str) for commit in commits):
        st.caption("At least one of these runs did not record its commit.")
    elif commits[0] == commits[1]:
        st.markdown("Code: the same commit")
        st.code(f"git show {commits[0]}", "bash")
    else:
        st.markdown("Code: different commits; in the repository:")
        st.code(f"git diff {commits[0]} {commits[1]}", "bash")


def _show_diff(first: str, second: str, path: str) -> None:
    """The unified diff of an artifact of two runs."""
    try:
        texts = [store_reads.artifact_text(run, path).splitlines() for run in (first, second)]
    except LabError as error:
        st.warning(text.escape_markdown(str(error), 300))
        return
    diff = "\n".join(difflib.unified_diff(texts[0], texts[1], "from", "to", lineterm="", n=2))
    if diff:
        st.code(diff, language="diff")
    else:
        st.caption("no difference" if any(texts) else f"neither run has {path}")
