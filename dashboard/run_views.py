"""The views of the page Run, and the tables in them."""

import io
import shlex
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import charts, class_charts, components, selection, store_reads, text
from dashboard.charts import Line
from dashboard.curve_math import Axis
from lab.errors import LabError
from lab.tracking.reading import baselines, summaries
from lab.tracking.reading.metric_names import (
    SUMMARIES,
    SYSTEM,
    TEST,
    TRAIN,
    VALIDATION,
    chart_of,
    is_curve,
    split_of,
)
from lab.tracking.reading.run_table import RunTable

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
TEXT_SUFFIXES = (".txt", ".yaml", ".yml", ".json", ".csv", ".diff", ".md", ".log", ".py")
LANGUAGES = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".diff": "diff", ".py": "python"}
MAX_DOWNLOAD = 500_000_000  # bytes
MAX_PREDICTIONS = 2_000
MAX_CHARTS = 24
DEFAULT_CHARTS = 6  # where there are more than MAX_CHARTS
SPLITS = (TEST, VALIDATION, TRAIN)
OPTIONAL = ("low", "high", "baseline", "quick baseline")  # columns of the summary that not every run has
MAX_COMPUTED = 12  # metrics of a run whose best values are computed
ENVIRONMENT_TAGS = ("version.", "machine.", "git.", "data.", "mlflow.source", "mlflow.user")
PROVENANCE_TAGS = ("version.", "machine.", "git.", "data.", "mlflow.")


def show_standing(table: RunTable, run: str) -> None:
    """How a run stands against its baselines; nothing for a run that has none."""
    found = baselines.standing_of(dict(table.tags.loc[run]), dict(table.metrics.loc[run].dropna()))
    if found is not None:
        shown = {"no better": st.error, "not clearly better": st.warning, "better": st.success}[found.state]
        shown(text.escape_markdown(found.sentence, 400))


def show_summary(table: RunTable, run: str) -> None:
    """The metrics of each split beside the baselines'; the last values of a run that the lab did not write."""
    rows = summary_rows(_with_best_values(table, run), _recorded_metrics(table, run))
    curves = [name for name in _recorded_metrics(table, run) if is_curve(name)]
    values = table.metrics.loc[run, curves].map(text.number)
    if len(rows):
        components.show_table(rows.dropna(axis="columns", how="all"))
        seed = table.params.loc[run].dropna().get(selection.SEED)
        st.caption("from one seed, which the run did not record" if seed is None else f"from one seed ({seed})")
    elif len(values):
        components.show_table(pd.DataFrame({"metric": values.index, "last value": values.to_numpy()}))
    else:
        st.info("This run has no metrics.")


def _with_best_values(table: RunTable, run: str) -> pd.Series:
    """The metrics of a run, with the best values that it has not recorded."""
    recorded = _recorded_metrics(table, run)
    curves = [name for name in recorded if is_curve(name) and not name.endswith("_step")]
    splits = (VALIDATION, TRAIN)
    wanted = [name for name in curves if split_of(name)[0] in splits and f"best/{name}" not in recorded][:MAX_COMPUTED]
    if not wanted:
        return table.metrics.loc[run]
    return summaries.with_best_values(table.only([run]), store_reads.histories(table, [run], wanted), wanted).loc[run]


def summary_rows(metrics: pd.Series, recorded: Sequence[str] = ()) -> pd.DataFrame:
    """Each metric at the best epoch, with the baselines', its best and its last value.

    `recorded` are the metrics that the run has even where the last value is NaN, which is then shown as such.

    Test metrics are as tested, from `low` to `high` on other test sets of the same size (95 %): at the best epoch, or
    the last value where the run does not say which epoch is its best.
    """
    values = metrics[metrics.notna() | metrics.index.isin(recorded)].map(_shown)
    knows_best = any(str(key).startswith(("at_best/", "baseline/")) for key in values.index)
    rows = []
    for name in dict.fromkeys(_without_summary(str(key)) for key in values.index):
        split, _ = split_of(name)
        tested = split == TEST and knows_best
        if split in SPLITS and not name.endswith("_step"):
            rows.append(
                {
                    "metric": name,
                    "at the best epoch": values.get(f"at_best/{name}", values.get(name) if tested else None),
                    "low": values.get(f"low/{name}"),
                    "high": values.get(f"high/{name}"),
                    "baseline": values.get(f"baseline/{name}"),
                    "quick baseline": values.get(f"quick_baseline/{name}"),
                    "best": values.get(f"best/{name}"),
                    "last": values.get(name) if not tested else None,
                }
            )
    rows.sort(key=lambda row: SPLITS.index(split_of(str(row["metric"]))[0]))
    table = pd.DataFrame(rows, columns=["metric", "at the best epoch", *OPTIONAL, "best", "last"])
    for name in table:
        if table[name].map(type).eq(str).any():  # a column is of numbers, or of text
            table[name] = table[name].map(lambda cell: text.number(cell) if isinstance(cell, float) else cell)
    return table.drop(columns=[name for name in OPTIONAL if table[name].isna().all()])


def _shown(value: float) -> float | str:
    """A number as it is; one that is not finite as a word, since a table shows an empty cell for NaN."""
    return value if np.isfinite(value) else text.number(value)


def _without_summary(name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in SUMMARIES if name.startswith(prefix)), name)


def show_curves(table: RunTable, run: str) -> None:
    """A chart per metric, with the curves of all splits; a choice of metrics where there are very many."""
    _show_charts(table, run, metrics_by_chart(_recorded_metrics(table, run)), "step", key="curves")


def show_system(table: RunTable, run: str) -> None:
    """A chart per system metric, against wall time."""
    names = [name for name in _recorded_metrics(table, run) if name.startswith(SYSTEM)]
    _show_charts(table, run, {name: [name] for name in names}, "wall time", key="system")


def _recorded_metrics(table: RunTable, run: str) -> list[str]:
    return table.recorded(run) if run in table.metrics.index else []


def _show_charts(table: RunTable, run: str, metrics: dict[str, list[str]], axis: Axis, key: str) -> None:
    if not metrics:
        st.info("This run recorded no such metric (yet).")
        return
    shown = list(metrics)
    if len(shown) > MAX_CHARTS:
        st.caption(f"{len(shown)} metrics; choose up to {MAX_CHARTS}")
        default = shown[:DEFAULT_CHARTS]
        shown = st.multiselect("Metrics", shown, default, max_selections=MAX_CHARTS, key=f"metrics-{key}")
    log = st.toggle("log y", key=f"log-{key}")
    columns = st.columns(2)
    for index, name in enumerate(shown):
        lines = []
        for style, metric in enumerate(metrics[name]):
            found = store_reads.metric_curves(table, [run], metric, axis)
            lines += [Line(metric, curve, style) for curve in found.values()]
        with columns[index % 2]:
            chart = charts.curve_chart(lines, name, axis, log)
            components.show_chart(chart, f"curve-{name}", f"curves of {name}")


def metrics_by_chart(names: Sequence[str]) -> dict[str, list[str]]:
    """Metrics that share a chart: `train/loss` and `val/loss` under `loss`. Single values have no curve."""
    found: dict[str, list[str]] = {}
    for name in names:
        if is_curve(name) and split_of(name)[0] != TEST:
            found.setdefault(chart_of(name), []).append(name)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def show_outcome(table: RunTable, run: str) -> None:
    """The confusion matrix, the scores of each label, or the predictions against the true values."""
    scores = store_reads.label_scores(run)
    if scores is not None:
        components.show_chart(class_charts.label_bars(scores), "labels", "scores of each label of the test data")
        return
    matrix = store_reads.confusion_matrix(run)
    if matrix is not None:
        components.show_chart(class_charts.confusion_matrix(*matrix), "confusion", "confusion matrix of the test data")
        return
    content = store_reads.artifact_text(run, "predictions.csv")
    if not content:
        st.info("This run has no confusion matrix and no predictions.")
        return
    try:
        values = pd.read_csv(io.StringIO(content))
        points = pd.DataFrame({"x": values["true_1"], "y": values["predicted_1"]}).head(MAX_PREDICTIONS)
    except (ValueError, KeyError):
        st.warning("predictions.csv cannot be read.")
        return
    labels = [f"sample {index}" for index in points.index]
    chart = charts.scatter(points, "true", "predicted", labels)
    components.show_chart(chart, "predictions", "predictions against true values")
    if len(values) > len(points):
        st.caption(f"{len(points):,} of {text.count(len(values), 'sample')}")


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


def show_profile(table: RunTable, run: str) -> None:
    """The output of the profiler."""
    paths = [path for path in store_reads.artifact_sizes(run) if path.startswith("profile/")]
    if not paths:
        st.info("This run was not profiled. To profile one, add `trainer.profiler=simple` to its command.")
    for path in paths:
        st.markdown(text.escape_markdown(path))
        st.code(store_reads.artifact_text(run, path), language=None)


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
        path = st.selectbox("File", list(sizes), key="file", bind="query-params")
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
