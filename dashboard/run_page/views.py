"""The views of the page Run that show curves, settings and the environment."""

import shlex
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboard import components, store_reads
from dashboard.figures.curve_math import EPOCH_SECONDS
from dashboard.figures.curves import Line, curve_chart
from dashboard.run_page import summary
from dashboard.run_page.summary import recorded_metrics
from dashboard.selection import matching
from lab.tracking.reading.metric_names import SYSTEM, TEST, chart_of, is_curve, split_of
from lab.tracking.reading.run_table import RunTable

MAX_CHARTS = 24
DEFAULT_CHARTS = 6  # where there are more than MAX_CHARTS
ENVIRONMENT_TAGS = ("version.", "machine.", "git.", "data.", "mlflow.source", "mlflow.user")
PROVENANCE_TAGS = ("version.", "machine.", "git.", "data.", "mlflow.")


def show_results(table: RunTable, run: str) -> None:
    """The metrics beside the baselines', then a chart per metric, with the curves of all splits."""
    summary.show_summary(table, run)
    recorded = recorded_metrics(table, run)
    axis = "epoch" if EPOCH_SECONDS in recorded else "step"  # the steps of the lab's own records are epochs
    if curves := metrics_by_chart(recorded):
        _show_charts(table, run, curves, axis, key="curves")


def show_system(table: RunTable, run: str) -> None:
    """A chart per system metric, against wall time."""
    names = [name for name in recorded_metrics(table, run) if name.startswith(SYSTEM)]
    _show_charts(table, run, {name: [name] for name in names}, "wall time", key="system")


def _show_charts(table: RunTable, run: str, metrics: dict[str, list[str]], axis: str, key: str) -> None:
    if not metrics:
        st.info("This run recorded no such metric (yet).")
        return
    shown = list(metrics)
    if len(shown) > MAX_CHARTS:
        st.caption(f"{len(shown)} metrics; choose up to {MAX_CHARTS}")
        default = shown[:DEFAULT_CHARTS]
        chosen = st.multiselect(
            "Metrics",
            shown,
            default,
            max_selections=MAX_CHARTS,
            key=f"metrics-{key}",
            bind="query-params",
            accept_new_options=True,
            help="with `*` several: `val/*`",
        )
        shown = matching(shown, chosen)[:MAX_CHARTS]
    log = st.toggle("log y", key=f"log-{key}", bind="query-params")
    columns = st.columns(2)
    for index, name in enumerate(shown):
        lines = []
        for style, metric in enumerate(metrics.get(name, ())):
            found = store_reads.metric_curves(table, [run], metric, axis)
            lines += [Line(metric, curve, style) for curve in found.values()]
        with columns[index % 2]:
            chart = curve_chart(lines, name, axis, log)
            components.show_chart(chart, f"curve-{name}", f"curves of {name}")


def metrics_by_chart(names: Sequence[str]) -> dict[str, list[str]]:
    """Metrics that share a chart: `train/loss` and `val/loss` under `loss`. Single values have no curve."""
    found: dict[str, list[str]] = {}
    for name in names:
        if is_curve(name) and split_of(name)[0] != TEST:
            found.setdefault(chart_of(name), []).append(name)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def show_settings(table: RunTable, run: str) -> None:
    """The command that repeats the run, and all of its settings."""
    params = table.params.loc[run].dropna()
    _show_command(table, run)
    if len(params):
        components.show_table(pd.DataFrame({"setting": params.index, "value": params.astype(str).to_numpy()}))
    else:
        st.info("This run recorded no settings.")


def _show_command(table: RunTable, run: str) -> None:
    tags = table.tags.loc[run]
    experiment = tags.get("lab.experiment")
    if not isinstance(experiment, str):
        st.caption("The lab did not write this run, so there is no command that repeats it.")
        return
    st.markdown("To train it again with the same settings:")
    commit = tags.get("mlflow.source.git.commit")
    lines = [f"git checkout {shlex.quote(commit)}"] if isinstance(commit, str) else []
    st.code("\n".join([*lines, run_command(experiment, table.params.loc[run])]), "bash", wrap_lines=True)
    if tags.get("git.dirty") == "True":
        st.caption(_changes(store_reads.artifact_sizes(run)))


def run_command(experiment: str, params: pd.Series) -> str:
    """The command that trains with the same settings, even if the experiment file has changed since."""
    settings = [f"{name}={value}" for name, value in params.dropna().items() if name != "search"]
    return shlex.join([".venv/bin/lab", "run", experiment, *settings])


def show_environment(table: RunTable, run: str) -> None:
    """Code, data, versions, machine, and the other tags."""
    tags = table.tags.loc[run].dropna()
    environment = {name: value for name, value in tags.items() if str(name).startswith(ENVIRONMENT_TAGS)}
    others = {name: value for name, value in tags.items() if not str(name).startswith(PROVENANCE_TAGS)}
    sections = (("Code, data, versions, machine", environment), ("Other tags", others))
    for column, (title, found) in zip(st.columns(2), sections, strict=True):
        with column:
            st.markdown(f"**{title}**")
            if found:
                components.show_table(pd.DataFrame({"tag": list(found), "value": list(found.values())}))
            else:
                st.caption("none")


def _changes(files: Mapping[str, int]) -> str:
    """Where the uncommitted code of a run is kept, as far as it is."""
    kept = []
    if "git.diff" in files:
        kept.append("changes are in the run's file git.diff (`git apply git.diff`)")
    if any(name.startswith("code/") for name in files):
        kept.append("new files that it imported are in its folder code")
    if not kept:
        return "The code was not committed, and this run kept no copy of it."
    return f"The code was not committed: {' and '.join(kept)}."
