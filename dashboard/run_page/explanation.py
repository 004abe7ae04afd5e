"""The view of a run's explanation: which inputs matter, and the samples that it gets most wrong."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import components, store_reads, text
from dashboard.figures.chart import COLOURS, Chart
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

FILE = "explain/explanation.json"
FIRST_COLUMNS = ("id", "true", "predicted", "confidence", "loss")
THUMBNAIL = 190  # pixels
FIGURE = 560
SHOWN = 20  # bars


def show_explanation(table: RunTable, run: str) -> None:
    """What `lab explain` found, with its figures."""
    try:
        content = json.loads(store_reads.artifact_text(run, FILE) or "null")
        if content is None:
            st.info("This run is not explained yet. This command does it:")
            st.code(f".venv/bin/lab explain {run[:8]}", "bash")
            return
        _show(run, content)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        st.warning(f"{text.escape_markdown(FILE)} cannot be read; `lab explain {run[:8]}` writes it anew.")


def _show(run: str, content: dict[str, Any]) -> None:
    st.markdown(_headline(content))
    for note in content["notes"]:
        st.caption(text.escape_markdown(note, 400))
    found = content["importance"]
    if found:
        title = f"fall of {content['metric']} when shuffled {found['repeats']} times"
        components.show_chart(importance_chart(found["parts"], title), "importance", "importance of the inputs")
    lists = {title: positions for title, positions in content["lists"].items() if positions}
    first = next(iter(lists))
    chosen = st.segmented_control(
        "Samples", list(lists), default=first, required=True, key="samples", bind="query-params"
    )
    samples = [content["samples"][position] for position in lists[chosen or first]]
    _show_images(run, samples)
    components.show_table(samples_table(samples))


def _headline(content: dict[str, Any]) -> str:
    """The number of errors and the metric."""
    samples = text.count(content["size"], "sample")
    score = f"{text.escape_markdown(content['metric'])} {text.number(content['score'])} on {samples}"
    if content["errors"] is None:
        return score
    return f"**{text.count(content['errors'], 'error')}** ({content['errors'] / content['size']:.1%}); {score}"


def importance_chart(parts: Sequence[dict[str, Any]], title: str) -> Chart:
    """Bars of the mean fall of the metric, with a standard deviation, the most important on top."""
    rows = pd.DataFrame(parts)[["name", "kind", "mean", "sd"]]
    drawn = rows.head(SHOWN)
    figure = go.Figure(
        go.Bar(
            x=drawn["mean"],
            y=[text.escape_html(str(name), 30) for name in drawn["name"]],
            error_x={"type": "data", "array": drawn["sd"], "color": COLOURS[-1]},
            orientation="h",
            marker={"color": COLOURS[0]},
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
        )
    )
    height = 90 + 24 * len(drawn)
    figure.update_layout(
        height=height, margin={"l": 10, "r": 10, "t": 10, "b": 10}, xaxis_title=text.escape_html(title)
    )
    figure.update_yaxes(autorange="reversed", type="category")
    more = [f"the first {SHOWN} of {len(rows)}"] if len(rows) > SHOWN else []
    shared = "inputs that say the same share their importance"
    return Chart(figure, (*more, shared), rows)


def samples_table(samples: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row per sample: where it is, truth, prediction and loss, and the row's own columns."""
    rows = []
    for sample in samples:
        known = {name: _cell(sample[name]) for name in FIRST_COLUMNS if name in sample}
        rows.append(known | {f"{name} (input)": value for name, value in sample.get("row", {}).items()})
    return pd.DataFrame(rows)


def _cell(value: Any) -> Any:
    """A value as it is; several, such as a forecast, as text."""
    return ", ".join(map(text.number, value)) if isinstance(value, list) else value


def _show_images(run: str, samples: Sequence[dict[str, Any]]) -> None:
    """The thumbnails of all samples, then the figures of those that are attributed."""
    pictured = [sample for sample in samples if "thumbnail" in sample]
    attributed = [sample for sample in samples if "attribution" in sample]
    for chosen, width, path_of in (
        (pictured, THUMBNAIL, lambda sample: sample["thumbnail"]),
        (attributed, FIGURE, lambda sample: sample["attribution"]["figure"]),
    ):
        try:
            images = [store_reads.artifact_bytes(run, path_of(sample)) for sample in chosen]
        except LabError as error:
            st.warning(text.escape_markdown(str(error), 300))
            continue
        if images:
            captions = [_caption(sample) if width == THUMBNAIL else "" for sample in chosen]
            st.image(images, captions, width=width)


def _caption(sample: dict[str, Any]) -> str:
    """The id of a sample, and for a class what it is and what was predicted."""
    shown = sample["id"]
    if isinstance(sample["true"], str):
        shown += f": true {sample['true']}, predicted {sample['predicted']}"
    return text.escape_markdown(shown)
