"""The view of a run's weights and gradients over its epochs."""

import zipfile

import streamlit as st

from dashboard import components, store_reads, text
from dashboard.figures import histograms
from dashboard.figures.histograms import Rows
from dashboard.outcome import reads
from dashboard.selection import matching
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

FILE = "histograms.npz"
KINDS = ("weights", "gradients")
SHOWN = 4  # parameters, until others are chosen
MOST = 24


def show_weights(table: RunTable, run: str) -> None:
    """Heat maps of each parameter and of its gradients."""
    if FILE not in store_reads.artifact_sizes(run):
        st.info("This run kept no histograms of its weights. To keep them, add this to its command:")
        st.code("trainer.histograms=true", "bash")
        return
    found = read_histograms(run)
    if not found:
        st.warning(f"{FILE} cannot be read.")
        return
    names = list(found)
    place = st.container()
    chosen = names[:SHOWN]
    if len(names) > SHOWN:
        chosen = st.multiselect(
            "Parameters",
            names,
            chosen,
            max_selections=MOST,
            key="parameters",
            bind="query-params",
            accept_new_options=True,
            help="with `*` several: `*.weight`",
        )
    with place:
        for name in [name for name in matching(names, chosen) if name in found][:MOST]:
            _show_parameter(name, found[name])
    st.caption(
        "The colour is the share of the values after so many epochs, 0 for the initial weights; gradients are "
        "those of the batch that follows, before they are clipped."
    )


def _show_parameter(name: str, kinds: dict[str, Rows]) -> None:
    for column, kind in zip(st.columns(2), KINDS, strict=True):
        if kind in kinds:
            with column:
                st.markdown(f"{text.escape_markdown(name)}: {kind}")
                chart = histograms.heat_map(kinds[kind], "")
                components.show_chart(chart, f"{kind}-{name}", f"{kind} of {name} over the epochs")


def read_histograms(run: str) -> dict[str, dict[str, Rows]]:
    """Parameter to kind to its rows, in the order of the file; nothing where the file is not valid."""
    found: dict[str, dict[str, Rows]] = {}
    try:
        for key, rows in reads.arrays(store_reads.artifact_bytes(run, FILE)).items():
            kind, _, name = key.partition("/")
            if kind in KINDS and rows.ndim == 2 and len(rows) and rows.shape[1] > histograms.COUNTS:
                found.setdefault(name, {})[kind] = rows.astype(float)
    except (LabError, ValueError, TypeError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return {}
    return found
