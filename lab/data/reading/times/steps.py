"""The step of a regular series: found from its times, which may have gaps; counts steps, and continues them."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Unit = Literal["months", "business_days", "days", "numbers"]
CALENDAR = ((1, 28.0, 31.0), (3, 89.0, 92.0), (6, 180.0, 184.0), (12, 365.0, 366.0))  # months, least and most days
USUAL = 0.3  # share of the differences from which the most frequent one is the step
LEAST_BUSINESS_DAYS = 6
FIRST_LAST_DAY = 28  # of a month
# Days in a step, and steps in a season: weeks in a year, days in a week, (parts of) hours in a day, minutes in an hour.
SEASONS = ((7.0, 52), (1.0, 7), (1 / 24, 24), (1 / 48, 48), (1 / 96, 96), (1 / 144, 144), (1 / 1440, 60))


@dataclass(frozen=True)
class TimeStep:
    """`size` units from one step to the next: calendar months, working days, days, or the numbers of the column."""

    size: float
    unit: Unit

    @classmethod
    def of(cls, times: pd.Series) -> "TimeStep":
        """The step of ascending times, at least two, which may have gaps."""
        if not pd.api.types.is_datetime64_any_dtype(times.dtype):
            return cls(_usual(np.diff(times.to_numpy(dtype=np.float64))), "numbers")
        size = _usual(_days_between(times))
        months = next((months for months, low, high in CALENDAR if low <= size <= high), 0)
        on_same_day = times.dt.day.nunique() == 1 or times.dt.day.min() >= FIRST_LAST_DAY
        if months and on_same_day and (_months_between(times) > 0).all():
            return cls(months, "months")
        if size == 1 and len(times) >= LEAST_BUSINESS_DAYS and (times.dt.day_of_week < 5).all():
            return cls(1, "business_days")
        return cls(size, "days")

    @classmethod
    def parse(cls, text: str) -> "TimeStep":
        """The step that `str` described."""
        size, _, unit = text.partition(" ")
        return cls(float(size), next(known for known in get_args(Unit) if known == unit))

    def __str__(self) -> str:
        return f"{self.size:.17g} {self.unit}"

    def between(self, times: pd.Series) -> NDArray[np.int64]:
        """The number of steps from each of N ascending times to the next, (N − 1,); 0 if less than half a step."""
        if self.unit == "months":
            counts = _months_between(times) / self.size
        elif self.unit == "business_days":
            days = times.to_numpy().astype("datetime64[D]")
            counts = np.busday_count(days[:-1], days[1:]).astype(np.float64)
        elif self.unit == "days":
            counts = _days_between(times) / self.size
        else:
            counts = np.diff(times.to_numpy(dtype=np.float64)) / self.size
        return np.rint(counts).astype(np.int64)

    def after(self, last: pd.Timestamp, count: int) -> pd.DatetimeIndex:
        """The next `count` dates; the last day of a month is followed by last days."""
        if self.unit == "business_days":
            return pd.bdate_range(last + pd.Timedelta(days=1), periods=count)
        if self.unit == "days":
            return pd.DatetimeIndex([last + ahead * self.size * pd.Timedelta(days=1) for ahead in range(1, count + 1)])
        offsets = [pd.DateOffset(months=round(ahead * self.size)) for ahead in range(1, count + 1)]
        following = pd.DatetimeIndex([last + offset for offset in offsets])
        return following + pd.offsets.MonthEnd(0) if last.is_month_end else following

    def season(self) -> int | None:
        """The number of steps in a season, such as 12 months; None if unknown."""
        if self.unit == "months":
            return round(12 / self.size) if self.size < 12 else None
        if self.unit == "business_days":
            return 5
        if self.unit == "numbers":
            return None
        return next((steps for days, steps in SEASONS if abs(self.size / days - 1) < 0.1), None)


def _usual(differences: NDArray[np.float64]) -> float:
    """The most frequent difference, or the median if none is frequent."""
    values, counts = np.unique(differences.round(9), return_counts=True)
    most = counts.argmax()
    return float(values[most] if counts[most] >= USUAL * len(differences) else np.median(differences))


def _days_between(times: pd.Series) -> NDArray[np.float64]:
    return (times.diff().iloc[1:] / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)


def _months_between(times: pd.Series) -> NDArray[np.float64]:
    return np.diff((times.dt.year * 12 + times.dt.month).to_numpy(dtype=np.float64))
