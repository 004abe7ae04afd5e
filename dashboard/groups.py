"""Runs grouped by settings, and the mean curve of a group with its 95 % band."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from dashboard import selection, words
from lab.tracking.tables import RunTable

ALL_BUT_SEED = "all but the seed"


@dataclass(frozen=True)
class Group:
    """Runs that share settings."""

    label: str
    ids: tuple[str, ...]


def grouped(table: RunTable, by: Sequence[str]) -> list[Group]:
    """Groups of the runs that share the values of these settings; each run by itself where none is named."""
    if not by:
        return [Group(label, (run,)) for run, label in selection.labels(table).items()]
    if ALL_BUT_SEED in by:
        names = [name for name in selection.differing(table.params) if name != selection.SEED]
    else:
        names = [name for name in by if name in table.params]
    keys = table.params[names].astype(object).where(table.params[names].notna(), None)
    keys.insert(0, "experiment", table.info["experiment"])
    several = keys["experiment"].nunique() > 1
    short = selection.short_names(names)
    found = []
    for key, part in keys.groupby(list(keys), dropna=False, sort=False):
        experiment, *_ = key if isinstance(key, tuple) else (key,)
        text = selection.settings_text(part[names].iloc[0], short)
        label = f"{experiment} {text}" if several or not text else text
        found.append(Group(words.short(label.strip(), selection.LONGEST_LABEL), tuple(part.index)))
    return found


def with_band(curves: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The mean over curves (columns x, y) at each x, its 95 % band (low, high), and how many curves (n) it rests on.

    Where only one curve has a value there is no band: low and high are NaN. NaN and infinite values do not count.
    """
    joined = pd.concat([curve[np.isfinite(curve["y"])] for curve in curves])
    per_x = joined.groupby("x")["y"].agg(["mean", "std", "count"]).reset_index()
    n = per_x["count"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where(n > 1, stdtrit(np.maximum(n - 1, 1), 0.975) * per_x["std"] / np.sqrt(n), np.nan)
    mean = per_x["mean"]
    return pd.DataFrame({"x": per_x["x"], "y": mean, "low": mean - half, "high": mean + half, "n": n.astype(int)})


def on_common_x(curves: Sequence[pd.DataFrame], points: int = 200) -> list[pd.DataFrame]:
    """Curves brought to the same x where theirs differ (wall times do), within the span that each covers."""
    if all(len(curve) == len(curves[0]) and np.array_equal(curve["x"], curves[0]["x"]) for curve in curves):
        return list(curves)
    if all((curve["x"] == curve["x"].round()).all() for curve in curves):
        return list(curves)  # steps and epochs: those that several have are averaged as they are
    ends = [curve["x"].max() for curve in curves if len(curve)]
    common = np.linspace(0, max(ends, default=1), points)
    found = []
    for curve in curves:
        finite = curve[np.isfinite(curve["y"])]
        if len(finite):
            y = np.interp(common, finite["x"], finite["y"], left=np.nan, right=np.nan)
            found.append(pd.DataFrame({"x": common, "y": y}))
    return found
