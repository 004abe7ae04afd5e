"""The first screen of a run: how it stands against its baselines, and its metrics in one table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import components, selection, store_reads, text
from lab.tracking.reading import baselines, summaries
from lab.tracking.reading.metric_names import SUMMARIES, TEST, TRAIN, VALIDATION, is_curve, split_of
from lab.tracking.reading.run_table import RunTable

SPLITS = (TEST, VALIDATION, TRAIN)
OPTIONAL = ("low", "high", "baseline", "quick baseline")  # columns of the summary that not every run has
SHOWN = 5  # metrics, so that the first curves are on the first screen; the table scrolls
MAX_COMPUTED = 12  # metrics of a run whose best values are computed


def show_standing(table: RunTable, run: str) -> None:
    """How a run stands against its baselines; nothing for a run that has none."""
    found = baselines.standing_of(dict(table.tags.loc[run]), dict(table.metrics.loc[run].dropna()))
    if found is not None:
        shown = {"no better": st.error, "not clearly better": st.warning, "better": st.success}[found.state]
        shown(text.escape_markdown(found.sentence, 400))


def show_summary(table: RunTable, run: str) -> None:
    """The metrics of each split beside the baselines'; the last values of a run that the lab did not write."""
    rows = summary_rows(_with_best_values(table, run), recorded_metrics(table, run))
    curves = [name for name in recorded_metrics(table, run) if is_curve(name)]
    values = table.metrics.loc[run, curves].map(text.number)
    if len(rows):
        seed = table.params.loc[run].dropna().get(selection.SEED)
        note = "from one seed, which the run did not record" if seed is None else f"from one seed ({seed})"
        components.show_table(rows.dropna(axis="columns", how="all"), "metrics", SHOWN, note)
    elif len(values):
        components.show_table(pd.DataFrame({"metric": values.index, "last value": values.to_numpy()}))
    else:
        st.info("This run has no metrics.")


def _with_best_values(table: RunTable, run: str) -> pd.Series:
    """The metrics of a run, with the best values that it has not recorded."""
    recorded = recorded_metrics(table, run)
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


def recorded_metrics(table: RunTable, run: str) -> list[str]:
    """The metrics that a run recorded; none where the table has no metrics."""
    return table.recorded(run) if run in table.metrics.index else []
