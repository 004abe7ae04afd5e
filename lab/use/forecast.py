"""A forecast as a table: what comes after the end of a series, a row a step."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data import times
from lab.data.columns import date_format


def table(series: pd.DataFrame, values: NDArray[np.float32], names: list[str], time: str | None) -> pd.DataFrame:
    """Values (horizon, T) of the series `names` behind the times that follow; `time` is the column of times.

    The steps are counted where the series has no such column.
    """
    columns = ["prediction"] if len(names) == 1 else [f"prediction of {name}" for name in names]
    told = pd.DataFrame(values, columns=columns)
    if time not in series.columns:
        told.insert(0, "step", np.arange(1, len(values) + 1))
    else:
        told.insert(0, str(time), following(series[time], len(values)))
    return told


def following(column: pd.Series, count: int) -> list[object]:
    """The next `count` times of a regular column, written as it is."""
    moments = times.moments(column)
    if not pd.api.types.is_datetime64_any_dtype(moments.dtype):
        return _next_numbers(moments, count)
    dates = _next_dates(moments, count)
    return list(dates) if pd.api.types.is_datetime64_any_dtype(column.dtype) else _written(dates, column)


def _next_numbers(moments: pd.Series, count: int) -> list[object]:
    step = moments.diff().median()
    if pd.api.types.is_integer_dtype(moments.dtype) and step == int(step):
        step = int(step)
    return [moments.iloc[-1] + step * ahead for ahead in range(1, count + 1)]


def _next_dates(moments: pd.Series, count: int) -> pd.DatetimeIndex:
    """By the calendar where the dates follow it, as months and working days do; else by the usual step."""
    frequency = pd.DatetimeIndex(moments.to_numpy(), freq="infer").freq if len(moments) > 2 else None
    if frequency is not None:
        return pd.date_range(moments.iloc[-1], periods=count + 1, freq=frequency)[1:]
    step = moments.diff().median()
    return pd.DatetimeIndex([moments.iloc[-1] + step * ahead for ahead in range(1, count + 1)])


def _written(dates: pd.DatetimeIndex, column: pd.Series) -> list[object]:
    """Dates as text, in the format of a column."""
    format, last = date_format(column), str(column.iloc[-1])
    if format is not None:
        return [date.strftime(format) for date in dates]
    return [date.isoformat(sep="T" if "T" in last else " ")[: len(last)] for date in dates]
