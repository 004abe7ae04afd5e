"""Curves from recorded values: their x axis, their smoothing, and fewer points without losing what stands out."""

from typing import Literal

import numpy as np
import pandas as pd

Axis = Literal["step", "epoch", "wall time"]
AXES: tuple[Axis, ...] = ("step", "epoch", "wall time")
TITLES = {"step": "step", "epoch": "epoch", "wall time": "seconds since the start"}
EPOCH_CLOCK = "seconds_per_epoch"  # recorded once an epoch by every run of the lab, the epoch as its step
EPOCH_METRIC = "epoch"  # recorded with every step by Lightning's own logger


def curve(history: pd.DataFrame, axis: Axis, started: float, clocks: pd.DataFrame) -> pd.DataFrame:
    """One metric of one run as columns x and y; `clocks` holds the histories that tell its epochs."""
    if axis == "wall time":
        x = (history["time"].to_numpy(float) - started) / 1000
    elif axis == "epoch":
        x = _epochs(history, clocks)
    else:
        x = history["step"].to_numpy(float)
    return pd.DataFrame({"x": x, "y": history["value"].to_numpy(float)}).sort_values(
        "x", kind="stable", ignore_index=True
    )


def _epochs(history: pd.DataFrame, clocks: pd.DataFrame) -> np.ndarray:
    """The epoch of each value: by the run's own record of epochs, else its step, which the lab counts in epochs."""
    told = clocks[clocks["metric"] == EPOCH_METRIC]
    if len(told):
        return np.interp(history["step"], told["step"], told["value"])
    ticks = clocks[clocks["metric"] == EPOCH_CLOCK]
    by_step = history["metric"].iloc[:1].str.endswith("_step").any()
    if by_step and len(ticks):
        first = ticks["time"].iloc[0] - 1000 * ticks["value"].iloc[0]
        return np.interp(history["time"], [first, *ticks["time"]], [0, *ticks["step"]])
    return history["step"].to_numpy(float)


def smoothed(y: np.ndarray, weight: float) -> np.ndarray:
    """An exponential moving average without its bias at the start; NaN and infinity stay where they are."""
    if weight <= 0:
        return y
    result = y.copy()
    total = amount = 0.0
    for place in np.flatnonzero(np.isfinite(y)):
        total = weight * total + (1 - weight) * y[place]
        amount = weight * amount + (1 - weight)
        result[place] = total / amount
    return result


def kept(y: np.ndarray, most: int) -> np.ndarray:
    """The places of at most `most` values: both ends, and the minimum and maximum of each of many equal stretches.

    Every NaN and infinite value, up to `most` of them, is kept besides.
    """
    if len(y) <= most:
        return np.arange(len(y))
    finite = np.flatnonzero(np.isfinite(y))
    broken = np.flatnonzero(~np.isfinite(y))[:most]
    stretches = max(1, most // 2 - 1)
    if len(finite) <= most:
        return np.union1d(finite, broken)
    size = -(-len(finite) // stretches)
    padded = np.full(size * stretches, finite[-1])
    padded[: len(finite)] = finite
    rows = padded.reshape(stretches, size)
    values = y[rows]
    each = np.arange(stretches)
    extremes = np.concatenate([rows[each, values.argmin(axis=1)], rows[each, values.argmax(axis=1)]])
    return np.unique(np.concatenate([extremes, finite[[0, -1]], broken]))
