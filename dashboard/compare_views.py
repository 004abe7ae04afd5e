"""The views of the page Compare."""

import difflib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import charts, comparison, frame, reads, selection, words
from dashboard.comparison import Group, Look
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

MOST_MATRICES = 12
MOST_DIMENSIONS = 8


def metric_names(table: RunTable) -> list[str]:
    """The metrics that have curves, validation first: the lab's summaries (best/...) are single values."""
    single = ("best/", "at_best/", "baseline/", "test/")
    names = [str(name) for name in table.metrics if not str(name).startswith(single) and name != "best_epoch"]
    return sorted(names, key=lambda name: (not name.startswith("val/"), name.startswith("system/"), name))


def curves(
    table: RunTable, chosen: Sequence[Group], metrics: Sequence[str], look: Look
) -> list[tuple[str, charts.Picture]]:
    """Draw the curves of each metric; the pictures, for a report."""
    drawn = []
    for metric in metrics:
        found = reads.curves_of(table, table.ids, metric, look.axis)
        if not found:
            st.info(f"None of these runs recorded {words.in_markdown(metric)}.")
            continue
        picture = comparison.curve_picture(found, chosen, metric, look)
        frame.show(picture, f"curves-{metric}", f"curves of {metric}")
        without = len(table.ids) - len(found)
        if without:
            st.caption(
                f"{words.count(without, 'run')} of {len(table.ids):,} did not record {words.in_markdown(metric)}"
            )
        drawn.append((metric, picture))
    return drawn


def parallel(table: RunTable, metric: str) -> None:
    """Parallel coordinates of what differs and one metric."""
    values = comparison.quantities(table)
    if metric not in values:
        st.info(f"None of these runs recorded {words.in_markdown(metric)}.")
        return
    names = [name for name in selection.differing(table.params) if name != metric][:MOST_DIMENSIONS]
    usable = values[np.isfinite(values[metric])]
    if not len(usable) or not names:
        st.info("Parallel coordinates need runs that differ in a setting and have a finite value of the metric.")
        return
    frame.show(charts.parallel(usable[[*names, metric]], metric), "parallel", "parallel coordinates")


def scatter(table: RunTable, labels: dict[str, str], metric: str) -> None:
    """Any setting or metric against any other."""
    values = comparison.quantities(table)
    names = [str(name) for name in values]
    left, right = st.columns(2)
    usual = next((name for name in selection.differing(table.params) if name != selection.SEED), names[0])
    x = left.selectbox("x axis", names, names.index(usual), key="x", bind="query-params")
    start = names.index(metric) if metric in names else len(names) - 1
    y = right.selectbox("y axis", names, start, key="y", bind="query-params")
    _scatter(values, x, y, labels, "scatter")


def cost(table: RunTable, labels: dict[str, str], metric: str) -> None:
    """A metric against the time of training, with the Pareto front."""
    values = comparison.quantities(table)
    if metric not in values:
        st.info(f"None of these runs recorded {words.in_markdown(metric)}.")
        return
    higher = selection.higher_is_better(metric)
    st.caption(f"Diamonds: no other run is both faster and better in {words.in_markdown(metric)}.")
    _scatter(values, "training seconds", metric, labels, "cost", higher)


def _scatter(
    values: pd.DataFrame, x: str, y: str, labels: dict[str, str], key: str, higher: bool | None = None
) -> None:
    points = pd.DataFrame({"x": values[x], "y": values[y]}, index=values.index).dropna()
    numeric = points.select_dtypes("number")
    points = points[np.isfinite(numeric).all(axis=1)]
    if not len(points):
        st.info("No run has a finite value of both.")
        return
    front = None if higher is None else comparison.pareto_front(points["x"].to_numpy(), points["y"].to_numpy(), higher)
    picture = charts.scatter(points, x, y, [labels[run] for run in points.index], front)
    frame.show(picture, key, f"{y} against {x}")


def matrices(table: RunTable, labels: dict[str, str]) -> None:
    """Confusion matrices side by side."""
    columns = st.columns(min(3, max(1, len(table.ids))))
    missing = []
    for number, run in enumerate(table.ids[:MOST_MATRICES]):
        found = reads.confusion(run)
        if found is None:
            missing.append(labels[run])
            continue
        with columns[number % len(columns)]:
            st.markdown(words.in_markdown(labels[run]))
            frame.show(charts.confusion(*found), f"matrix-{run}", f"confusion matrix of {labels[run]}")
    if missing:
        st.caption(f"without a confusion matrix: {words.in_markdown(', '.join(missing[:8]), 300)}")
    if len(table.ids) > MOST_MATRICES:
        st.caption(f"the first {MOST_MATRICES} of {len(table.ids)} runs")


def code(table: RunTable, labels: dict[str, str]) -> None:
    """The difference between the code and the configuration of two runs."""
    if len(table.ids) < 2:
        st.info("Two runs are needed.")
        return
    left, right = st.columns(2)
    one = left.selectbox("From", table.ids, 0, format_func=labels.__getitem__, key="from")
    other = right.selectbox("to", table.ids, 1, format_func=labels.__getitem__, key="to")
    commits = [
        table.tags["mlflow.source.git.commit"].get(run) if "mlflow.source.git.commit" in table.tags else None
        for run in (one, other)
    ]
    if all(isinstance(commit, str) for commit in commits):
        same = "the same commit" if commits[0] == commits[1] else "different commits; in the repository:"
        st.markdown(f"Code: {same}")
        st.code(f"git diff {commits[0]} {commits[1]}" if commits[0] != commits[1] else f"git show {commits[0]}", "bash")
    else:
        st.caption("At least one of these runs did not record its commit.")
    for path, what in (("config.yaml", "Configuration"), ("git.diff", "Uncommitted changes")):
        st.markdown(f"**{what}**")
        _difference(one, other, path)


def _difference(one: str, other: str, path: str) -> None:
    try:
        texts = [reads.artifact_text(run, path).splitlines() for run in (one, other)]
    except LabError as error:
        st.warning(words.in_markdown(str(error), 300))
        return
    changed = "\n".join(difflib.unified_diff(texts[0], texts[1], "from", "to", lineterm="", n=2))
    if changed:
        st.code(changed, language="diff")
    else:
        st.caption("no difference" if any(texts) else f"neither run has {path}")
