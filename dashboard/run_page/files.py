"""The views of a run's files and of its profile."""

import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import components, store_reads, text
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
TEXT_SUFFIXES = (".txt", ".yaml", ".yml", ".json", ".csv", ".diff", ".md", ".log", ".py")
SHOWN_SUFFIXES = (*IMAGE_SUFFIXES, *TEXT_SUFFIXES)
LANGUAGES = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".diff": "diff", ".py": "python"}
MAX_DOWNLOAD = 500_000_000  # bytes


def show_files(table: RunTable, run: str) -> None:
    """The artifacts, to view and download."""
    sizes = store_reads.artifact_sizes(run)
    if not sizes:
        st.info("This run has no files.")
        return
    left, right = st.columns([1, 2])
    with left:
        components.show_table(pd.DataFrame({"file": list(sizes), "bytes": list(sizes.values())}))
    with right:
        shown = next((number for number, name in enumerate(sizes) if name.endswith(SHOWN_SUFFIXES)), 0)
        path = st.selectbox("File", list(sizes), shown, key="file", bind="query-params")
        if path:
            _show_file(run, path, sizes[path])


def _show_file(run: str, path: str, size: int) -> None:
    try:
        local = store_reads.artifact_file(run, path)
        if path.endswith(IMAGE_SUFFIXES):
            st.image(str(local))
        elif path.endswith(TEXT_SUFFIXES):
            st.code(store_reads.artifact_text(run, path), language=LANGUAGES.get(local.suffix), height=400)
        else:
            st.caption("This kind of file cannot be shown here; download it instead.")
        if size <= MAX_DOWNLOAD:
            name = path.rpartition("/")[2]
            st.download_button("Download", local.read_bytes, name, icon=":material/download:", on_click="ignore")
    except (LabError, OSError, ValueError, Image.DecompressionBombError) as error:  # a picture too large, or damaged
        st.warning(text.escape_markdown(str(error), 300))


def show_profile(table: RunTable, run: str) -> None:
    """The output of the profiler."""
    paths = [path for path in store_reads.artifact_sizes(run) if path.startswith("profile/")]
    if not paths:
        st.info("This run was not profiled. To profile one, add `trainer.profiler=simple` to its command.")
    for path in paths:
        st.markdown(text.escape_markdown(path))
        st.code(store_reads.artifact_text(run, path), language=None)
