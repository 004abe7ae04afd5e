"""Series: monthly, quarterly and yearly ones that statsmodels ships, and series made by a recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pandas as pd

TIME, VALUE = "time", "value"


@dataclass(frozen=True)
class Series:
    """The values (T,) by their times, the season of the errors' scale in steps (1: none), and where they are from."""

    read: Callable[[], pd.Series]
    season: int
    about: str


def _statsmodels(name: str) -> pd.DataFrame:
    return import_module(f"statsmodels.datasets.{name}").load_pandas().data


def _carbon_dioxide() -> pd.Series:
    return _statsmodels("co2")["co2"].resample("MS").mean().interpolate()


def _electrical_equipment() -> pd.Series:
    return _statsmodels("elec_equip").iloc[:, 0]


def _sea_temperature() -> pd.Series:
    values = _statsmodels("elnino").set_index("YEAR").to_numpy().ravel()
    return _monthly(values, "1950-01-01")


def _unemployment() -> pd.Series:
    values = _statsmodels("macrodata")["unemp"]
    return pd.Series(values.to_numpy(), pd.date_range("1959-01-01", periods=len(values), freq="QS"))


def _yearly(name: str) -> Callable[[], pd.Series]:
    def read() -> pd.Series:
        frame = _statsmodels(name)
        return pd.Series(frame.iloc[:, 1].to_numpy(float), frame.iloc[:, 0].astype(int))

    return read


def _monthly(values: np.ndarray, start: str = "1980-01-01") -> pd.Series:
    return pd.Series(values, pd.date_range(start, periods=len(values), freq="MS"))


def _load(days: int = 60) -> pd.Series:
    """A load by the hour: a daily curve that weekends flatten, and noise that carries over (0.7)."""
    hours = np.arange(24 * days)
    weekend = hours // 24 % 7 >= 5
    day = np.sin(2 * np.pi * (hours - 7) / 24) + 0.4 * np.sin(4 * np.pi * hours / 24)
    values = 100 + 20 * day * np.where(weekend, 0.5, 1.0) - 10 * weekend + _carried(len(hours), 0.7, 3.0)
    return pd.Series(values, pd.date_range("2025-01-06", periods=len(hours), freq="h"))


def _walk(days: int = 600) -> pd.Series:
    """A random walk by the day, of which the last value is the best forecast."""
    values = 50 + np.random.default_rng(1).normal(0, 1, days).cumsum()
    return pd.Series(values, pd.date_range("2024-01-01", periods=days, freq="D"))


def _shifts(months: int = 300) -> pd.Series:
    """A yearly season around a level that jumps by about 15 every 50 months."""
    random = np.random.default_rng(2)
    levels = random.normal(0, 15, months // 50 + 1).cumsum()[np.arange(months) // 50]
    return _monthly(100 + levels + 8 * np.sin(2 * np.pi * np.arange(months) / 12) + random.normal(0, 2, months))


def _chaos(steps: int = 1_000) -> pd.Series:
    """The Mackey-Glass equation (1977), x' = 0.2 x(t-17) / (1 + x(t-17)^10) - 0.1 x, every sixth step, and noise."""
    x = [1.2] * 18
    for _ in range(6 * (steps + 100)):
        x.append(x[-1] + 0.2 * x[-18] / (1 + x[-18] ** 10) - 0.1 * x[-1])
    values = np.array(x[18::6][-steps:]) + np.random.default_rng(3).normal(0, 0.02, steps)
    return pd.Series(values, range(steps))


def _carried(steps: int, share: float, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, steps)
    for step in range(1, steps):
        noise[step] += share * noise[step - 1]
    return noise


SERIES: dict[str, Series] = {
    "co2": Series(_carbon_dioxide, 12, "statsmodels: carbon dioxide by the month"),
    "electrical_equipment": Series(_electrical_equipment, 12, "statsmodels (elec_equip): turnover by the month"),
    "sea_temperature": Series(_sea_temperature, 12, "statsmodels (elnino): by the month"),
    "unemployment": Series(_unemployment, 4, "statsmodels (macrodata): US rate by the quarter"),
    "sunspots": Series(_yearly("sunspots"), 1, "statsmodels: by the year"),
    "nile": Series(_yearly("nile"), 1, "statsmodels: flow by the year"),
    "load": Series(_load, 24, "made: hours with a daily curve, weaker at weekends"),
    "walk": Series(_walk, 7, "made: a random walk by the day"),
    "shifts": Series(_shifts, 12, "made: months with a season and a level that jumps"),
    "chaos": Series(_chaos, 1, "made: Mackey-Glass with 2 % of noise"),
}


def frame_of(series: Series) -> pd.DataFrame:
    """The columns of its file."""
    return series.read().rename(VALUE).rename_axis(TIME).reset_index()
