"""Curves from recorded values: the x axis, smoothing, and downsampling that keeps the extremes."""

from typing import Literal

import numpy as np
import pandas as pd

AXES = ("step", "epoch", "wall time", "date")  # or the name of a metric
DATE = "date"
AXIS_TITLES = {"wall time": "seconds since the start"}
Smoothing = Literal["average", "Gaussian"]
EPOCH_METRIC = "epoch"  # logged with every step by Lightning's own logger
EPOCH_SECONDS = "seconds_per_epoch"  # logged once per epoch by every run of the lab, with the epoch as its step


def build_curve(history: pd.DataFrame, axis: str, started: float, others: pd.DataFrame) -> pd.DataFrame:
    """One metric of one run as columns x and y, sorted by x.

    `axis` is one of AXES, or another metric, whose value at the same step is x. `history` has the columns metric,
    step, time (milliseconds) and value; `started` is the start of the run in milliseconds, and so are dates; `others`
    holds that other metric, or the metrics EPOCH_METRIC and EPOCH_SECONDS, which date the epochs. But over time, what a
    training repeated after a restart is drawn once, as recorded last.
    """
    if axis not in ("wall time", DATE):
        history = without_repeated(history)
    if axis == DATE:
        x = history["time"].to_numpy(float)
    elif axis == "wall time":
        x = (history["time"].to_numpy(float) - started) / 1000
    elif axis == "epoch":
        x = _epochs(history, others)
    elif axis == "step":
        x = history["step"].to_numpy(float)
    else:
        at_step = without_repeated(others[others["metric"] == axis]).groupby("step")["value"].last()
        x = history["step"].map(at_step).to_numpy(float)
        history, x = history[np.isfinite(x)], x[np.isfinite(x)]
    curve = pd.DataFrame({"x": x, "y": history["value"].to_numpy(float)})
    return curve.sort_values("x", kind="stable", ignore_index=True)


def without_repeated(history: pd.DataFrame) -> pd.DataFrame:
    """Without the values that a training recorded before it went back to an earlier step.

    Values that were all recorded at the same step, as a logger without steps does, are all kept.
    """
    in_time = history.sort_values(["time", "step"], kind="stable")
    steps = in_time["step"].to_numpy()
    earliest_later = np.minimum.accumulate(steps[::-1])[::-1] if len(steps) else steps
    repeated = np.zeros(len(steps), bool)
    repeated[:-1] = steps[:-1] > earliest_later[1:]
    if not repeated.any():
        return history
    kept = in_time[~repeated]
    return kept[~kept["step"].duplicated(keep="last")]


def _epochs(history: pd.DataFrame, epoch_history: pd.DataFrame) -> np.ndarray:
    """The epoch of each value: from the recorded epochs if there are any, else the step, which the lab counts so."""
    recorded = epoch_history[epoch_history["metric"] == EPOCH_METRIC]
    if len(recorded):
        return np.interp(history["step"], recorded["step"], recorded["value"])
    epoch_ends = epoch_history[epoch_history["metric"] == EPOCH_SECONDS]
    per_step = history["metric"].iloc[:1].str.endswith("_step").any()
    if per_step and len(epoch_ends):
        first = epoch_ends["time"].iloc[0] - 1000 * epoch_ends["value"].iloc[0]
        return np.interp(history["time"], [first, *epoch_ends["time"]], [0, *epoch_ends["step"]])
    return history["step"].to_numpy(float)


def smooth(y: np.ndarray, weight: float, by: Smoothing = "average") -> np.ndarray:
    """An exponential moving average, bias-corrected as in Adam, or a Gaussian one; NaN and infinity stay in place.

    `weight` is that of the previous average, from 0 (no smoothing) to below 1; the Gaussian is as wide as the average
    lags behind: its standard deviation is weight / (1 - weight) points. It does not lag.
    """
    if weight <= 0:
        return y
    if by == "Gaussian":
        return _gaussian(y, weight / (1 - weight))
    result, finite = y.copy(), np.isfinite(y)
    result[finite] = pd.Series(y[finite]).ewm(alpha=1 - weight, adjust=True).mean()
    return result


def _gaussian(y: np.ndarray, sigma: float) -> np.ndarray:
    """The mean of the finite values around each, weighted by a Gaussian of `sigma` points."""
    from scipy.ndimage import gaussian_filter1d

    finite = np.isfinite(y)
    total = gaussian_filter1d(np.where(finite, y, 0.0), sigma, mode="constant")
    weights = gaussian_filter1d(finite.astype(float), sigma, mode="constant")
    return np.where(finite, total / np.where(finite, weights, 1.0), y)


def downsample(y: np.ndarray, max_points: int) -> np.ndarray:
    """The indices of at most `max_points` values: both ends, and the minimum and maximum of each equal-sized bin.

    NaN and infinite values, up to `max_points` of them, are kept in addition.
    """
    if len(y) <= max_points:
        return np.arange(len(y))
    finite = np.flatnonzero(np.isfinite(y))
    non_finite = np.flatnonzero(~np.isfinite(y))[:max_points]
    if len(finite) <= max_points:
        return np.union1d(finite, non_finite)
    bins = max(1, max_points // 2 - 1)
    size = -(-len(finite) // bins)
    padded = np.full(size * bins, finite[-1])
    padded[: len(finite)] = finite
    binned = padded.reshape(bins, size)
    values = y[binned]
    rows = np.arange(bins)
    extremes = np.concatenate([binned[rows, values.argmin(axis=1)], binned[rows, values.argmax(axis=1)]])
    return np.unique(np.concatenate([extremes, finite[[0, -1]], non_finite]))


def envelope(data: pd.DataFrame, bins: int) -> pd.DataFrame:
    """The mean (y), minimum (low) and maximum (high) of the finite y in bins of equally many values.

    `data` has columns x and y, and more finite values than bins; others, at most `bins` of them, are kept as they are.
    The first and the last x are kept.
    """
    finite = np.isfinite(data["y"].to_numpy())
    x, y = data["x"].to_numpy(float)[finite], data["y"].to_numpy(float)[finite]
    edges = np.linspace(0, len(y), bins + 1).astype(int)
    starts, sizes = edges[:-1], np.diff(edges)
    middle = x[starts + sizes // 2]
    middle[0], middle[-1] = x[0], x[-1]
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    binned = pd.DataFrame({"x": middle, "y": np.add.reduceat(y, starts) / sizes, "low": low, "high": high})
    others = data.loc[~finite, ["x", "y"]].head(bins)
    return pd.concat([binned, others]).sort_values("x", kind="stable", ignore_index=True) if len(others) else binned


def robust_range(y: np.ndarray) -> tuple[float, float] | None:
    """A range of y without its outliers; None where nothing finite lies outside of it.

    It goes from the 2nd to the 98th percentile, and half as far beyond.
    """
    finite = y[np.isfinite(y)]
    if not len(finite):
        return None
    low, high = np.percentile(finite, [2, 98])
    margin = (high - low) / 2
    low, high = max(float(finite.min()), low - margin), min(float(finite.max()), high + margin)
    outside = finite.min() < low or finite.max() > high
    return (float(low), float(high)) if outside and high > low else None
