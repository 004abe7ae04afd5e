"""The parts of the page Run."""

import io
import shlex
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import charts, frame, reads, selection, words
from dashboard.charts import Line
from lab.errors import LabError
from lab.tracking.reading.run_table import RunTable

PICTURES = (".png", ".jpg", ".jpeg")
TEXTS = (".txt", ".yaml", ".yml", ".json", ".csv", ".diff", ".md", ".log", ".py")
LARGEST_DOWNLOAD = 500_000_000
MOST_PREDICTIONS = 2_000
SPLITS = ("train", "val", "test")
SUMMARIES = ("best/", "at_best/", "baseline/")
SYSTEM = "system/"
MOST_CHARTS = 24


def curves(table: RunTable, run: str, system: bool = False) -> None:
    """All curves, those of one theme on one picture; few themes at a time where there are very many."""
    names = [str(name) for name in table.metrics.loc[run].dropna(how="all").index] if run in table.metrics.index else []
    own = {name: [name] for name in names if name.startswith(SYSTEM)}
    themes = own if system else themes_of(names)
    if not themes:
        st.info("This run recorded no such metric (yet).")
        return
    shown = list(themes)
    if len(shown) > MOST_CHARTS:
        st.caption(f"{len(shown)} metrics; choose up to {MOST_CHARTS}")
        shown = st.multiselect("Metrics", shown, shown[:6], max_selections=MOST_CHARTS, key=f"themes-{system}")
    log = st.toggle("log y", key=f"log-{system}")
    columns = st.columns(2)
    for number, theme in enumerate(shown):
        lines = []
        for style, metric in enumerate(themes[theme]):
            found = reads.curves_of(table, [run], metric, "wall time" if system else "step")
            lines += [Line(metric, data, style) for data in found.values()]
        with columns[number % 2]:
            picture = charts.curve_chart(lines, theme, "wall time" if system else "step", log)
            frame.show(picture, f"curve-{theme}", f"curves of {theme}")


def summary(table: RunTable, run: str) -> None:
    """The metrics beside the baseline's."""
    found = summary_rows(table.metrics.loc[run])
    if len(found):
        frame.small_table(found)
        seed = table.params.loc[run].dropna().get(selection.SEED)
        st.caption("from one seed, which it did not record" if seed is None else f"from one seed ({seed})")
    elif table.metrics.loc[run].notna().any():
        values = table.metrics.loc[run].dropna()
        frame.small_table(pd.DataFrame({"metric": values.index, "last value": values.to_numpy()}))
    else:
        st.info("This run has no metrics.")


def outcome(run: str) -> None:
    """The confusion matrix, or predictions against the truth."""
    matrix = reads.confusion(run)
    if matrix is not None:
        frame.show(charts.confusion(*matrix), "confusion", "confusion matrix of the test data")
        return
    text = reads.artifact_text(run, "predictions.csv")
    if not text:
        st.info("This run has no confusion matrix and no predictions.")
        return
    try:
        values = pd.read_csv(io.StringIO(text))
        points = pd.DataFrame({"x": values["true_1"], "y": values["predicted_1"]}).head(MOST_PREDICTIONS)
    except (ValueError, KeyError):
        st.warning("predictions.csv cannot be read.")
        return
    labels = [f"sample {number}" for number in points.index]
    frame.show(charts.scatter(points, "true", "predicted", labels), "predictions", "predictions against the truth")
    if len(values) > len(points):
        st.caption(f"{len(points):,} of {words.count(len(values), 'sample')}")


def settings(table: RunTable, run: str) -> None:
    """All settings, and the command that repeats the run."""
    params = table.params.loc[run].dropna()
    repeat(table, run)
    if len(params):
        frame.small_table(pd.DataFrame({"setting": params.index, "value": params.astype(str).to_numpy()}))
    else:
        st.info("This run recorded no settings.")


def repeat(table: RunTable, run: str) -> None:
    """The command that repeats a run of the lab."""
    tags = table.tags.loc[run]
    experiment = tags.get("lab.experiment")
    if not isinstance(experiment, str):
        st.caption("The lab did not write this run, so it knows no command that repeats it.")
        return
    st.markdown("To train it again, with every setting as it was:")
    commit = tags.get("mlflow.source.git.commit")
    lines = [f"git checkout {shlex.quote(commit)}"] if isinstance(commit, str) else []
    st.code("\n".join([*lines, command(experiment, table.params.loc[run])]), "bash", wrap_lines=True)
    if tags.get("git.dirty") == "True":
        st.caption("The code had uncommitted changes: they are in the run's file git.diff (`git apply git.diff`).")


def environment(table: RunTable, run: str) -> None:
    """Code, data, versions, machine, and the other tags."""
    left, right = st.columns(2)
    for column, title, found in (
        (left, "Code, data, versions, machine", environment_rows(table.tags.loc[run])),
        (right, "Other tags", own_tags(table.tags.loc[run])),
    ):
        with column:
            st.markdown(f"**{title}**")
            if len(found):
                frame.small_table(found)
            else:
                st.caption("none")


def profile(run: str) -> None:
    """The tables that a profiler left."""
    paths = [path for path in reads.artifact_sizes(run) if path.startswith("profile/")]
    if not paths:
        st.info("This run was not profiled; `trainer.profiler=simple` does it.")
    for path in paths:
        st.markdown(words.in_markdown(path))
        st.code(reads.artifact_text(run, path), language=None)


def files(run: str) -> None:
    """The files to look at and download."""
    sizes = reads.artifact_sizes(run)
    if not sizes:
        st.info("This run left no files.")
        return
    listed = pd.DataFrame({"file": list(sizes), "bytes": list(sizes.values())})
    left, right = st.columns([1, 2])
    with left:
        frame.small_table(listed)
    with right:
        path = st.selectbox("Look at", list(sizes), key="file", bind="query-params")
        if path:
            _look(run, path, sizes[path])


def _look(run: str, path: str, size: int) -> None:
    try:
        local = reads.artifact_file(run, path)
        if path.endswith(PICTURES):
            st.image(str(local))
        elif path.endswith(TEXTS):
            kinds = {".json": "json", ".yaml": "yaml", ".yml": "yaml", ".diff": "diff", ".py": "python"}
            st.code(reads.artifact_text(run, path), language=kinds.get(local.suffix), height=400)
        else:
            st.caption("This kind of file cannot be shown; it can be downloaded.")
        if size <= LARGEST_DOWNLOAD:
            name = path.rpartition("/")[2]
            st.download_button("Download", local.read_bytes, name, icon=":material/download:", on_click="ignore")
    except (LabError, OSError) as error:
        st.warning(words.in_markdown(str(error), 300))


def summary_rows(metrics: pd.Series) -> pd.DataFrame:
    """Each metric of each split: at the best epoch (test: as tested), its best, its last, and the baseline's."""
    values = metrics.dropna()
    rows = []
    for name in dict.fromkeys(_plain(str(key)) for key in values.index):
        split, slash, _ = name.partition("/")
        if slash and split in SPLITS:
            rows.append(
                {
                    "metric": name,
                    "at the best epoch": values.get(f"at_best/{name}", values.get(name) if split == "test" else None),
                    "baseline": values.get(f"baseline/{name}"),
                    "best": values.get(f"best/{name}"),
                    "last": values.get(name) if split != "test" else None,
                }
            )
    order = {"test": 0, "val": 1, "train": 2}
    rows.sort(key=lambda row: order[str(row["metric"]).partition("/")[0]])
    return pd.DataFrame(rows, columns=["metric", "at the best epoch", "baseline", "best", "last"])


def _plain(name: str) -> str:
    return next((name.removeprefix(start) for start in SUMMARIES if name.startswith(start)), name)


def themes_of(names: Sequence[str]) -> dict[str, list[str]]:
    """Metrics that belong on one picture: `train/loss` and `val/loss` under `loss`; single values are left out."""
    found: dict[str, list[str]] = {}
    for name in names:
        split, slash, rest = name.partition("/")
        if name.startswith((*SUMMARIES, SYSTEM, "test/")) or name == "best_epoch":
            continue
        found.setdefault(rest if slash and split in SPLITS else name, []).append(name)
    return dict(sorted(found.items(), key=lambda theme: (-len(theme[1]), theme[0])))


def environment_rows(tags: pd.Series) -> pd.DataFrame:
    """Code, data, versions and machine."""
    starts = ("version.", "machine.", "git.", "data.", "mlflow.source", "mlflow.user")
    found = {str(name): value for name, value in tags.dropna().items() if str(name).startswith(starts)}
    return pd.DataFrame({"tag": list(found), "value": list(found.values())})


def own_tags(tags: pd.Series) -> pd.DataFrame:
    """The tags that say neither where a run came from nor what MLflow keeps for itself."""
    starts = ("version.", "machine.", "git.", "data.", "mlflow.")
    found = {str(name): value for name, value in tags.dropna().items() if not str(name).startswith(starts)}
    return pd.DataFrame({"tag": list(found), "value": list(found.values())})


def command(experiment: str, params: pd.Series) -> str:
    """The command that trains with the same settings again, whatever the experiment's file says by now."""
    settings = [f"{name}={value}" for name, value in params.dropna().items() if name != "search"]
    return shlex.join([".venv/bin/lab", "run", experiment, *settings])
