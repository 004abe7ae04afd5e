"""Series: weekly to yearly ones that statsmodels and plotly ship, and series made by a recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import pandas as pd
from benchmarks.quality.sets import made_series

TIME, VALUE = "time", "value"
GERMAN = "interest_inflation"


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
    return made_series.monthly(values, "1950-01-01")


def _quarterly(name: str, column: str, start: str = "1959-01-01") -> Callable[[], pd.Series]:
    def read() -> pd.Series:
        values = _statsmodels(name)[column].to_numpy(float)
        return pd.Series(values, pd.date_range(start, periods=len(values), freq="QS"))

    return read


def _stock(name: str) -> Callable[[], pd.Series]:
    def read() -> pd.Series:
        import plotly.data

        prices = plotly.data.stocks()[name].to_numpy(float)
        return pd.Series(prices, pd.date_range("2018-01-01", periods=len(prices), freq="W-MON"))

    return read


def _yearly(name: str) -> Callable[[], pd.Series]:
    def read() -> pd.Series:
        frame = _statsmodels(name)
        return pd.Series(frame.iloc[:, 1].to_numpy(float), frame.iloc[:, 0].astype(int))

    return read


SERIES: dict[str, Series] = {
    "co2": Series(_carbon_dioxide, 12, "statsmodels: carbon dioxide by the month"),
    "electrical_equipment": Series(_electrical_equipment, 12, "statsmodels (elec_equip): turnover by the month"),
    "sea_temperature": Series(_sea_temperature, 12, "statsmodels (elnino): by the month"),
    "unemployment": Series(_quarterly("macrodata", "unemp"), 4, "statsmodels (macrodata): US rate by the quarter"),
    "treasury_bill": Series(_quarterly("macrodata", "tbilrate"), 4, "statsmodels (macrodata): US rate by the quarter"),
    "inflation": Series(_quarterly("macrodata", "infl"), 4, "statsmodels (macrodata): of the US by the quarter"),
    "gdp": Series(_quarterly("macrodata", "realgdp"), 4, "statsmodels (macrodata): of the US by the quarter"),
    "investment": Series(_quarterly("macrodata", "realinv"), 4, "statsmodels (macrodata): of the US by the quarter"),
    "prices": Series(_quarterly("macrodata", "cpi"), 4, "statsmodels (macrodata): of US consumers by the quarter"),
    "german_inflation": Series(_quarterly(GERMAN, "Dp", "1972-04-01"), 4, f"statsmodels ({GERMAN}): by the quarter"),
    "german_interest": Series(_quarterly(GERMAN, "R", "1972-04-01"), 4, f"statsmodels ({GERMAN}): by the quarter"),
    "google": Series(_stock("GOOG"), 1, "plotly (stocks): price by the week"),
    "amazon": Series(_stock("AMZN"), 1, "plotly (stocks): price by the week"),
    "sunspots": Series(_yearly("sunspots"), 1, "statsmodels: by the year"),
    "nile": Series(_yearly("nile"), 1, "statsmodels: flow by the year"),
    "load": Series(made_series.load, 24, "made: hours with a daily curve, weaker at weekends"),
    "drifting_load": Series(made_series.drifting_load, 24, "made: hours with a daily curve around a monthly one"),
    "growth": Series(made_series.growth, 12, "made: months whose season grows with the level"),
    "changing_season": Series(made_series.changing_season, 12, "made: months whose season changes, and drift"),
    "noisy_season": Series(made_series.noisy_season, 12, "made: months with a season as high as the noise"),
    "outliers": Series(made_series.outliers, 12, "made: months with a season, 4 % of them far off"),
    "visits": Series(made_series.visits, 7, "made: counts by the day, by weekday and half-year"),
    "walk": Series(made_series.walk, 7, "made: a random walk by the day"),
    "weekly_walk": Series(made_series.weekly_walk, 7, "made: a random walk by the day, with weekdays"),
    "shifts": Series(made_series.shifts, 12, "made: months with a season and a level that jumps"),
    "jumps_5_years": Series(
        made_series.jumps(31, 300, 60, 12.0, 2.0, 8.0), 12, "made: as shifts, at random, less often"
    ),
    "jumps_3_years": Series(
        made_series.jumps(32, 240, 40, 8.0, 1.5, 5.0), 12, "made: as shifts, at random, more often"
    ),
    "jumps_7_years": Series(made_series.jumps(33, 400, 80, 20.0, 2.0, 10.0), 12, "made: as shifts, at random, larger"),
    "cycle": Series(made_series.cycle, 1, "made: autoregressive, with a cycle of 14 steps"),
    "chaos": Series(made_series.chaos, 1, "made: Mackey-Glass with 2 % of noise"),
    "lorenz": Series(made_series.lorenz, 1, "made: Lorenz's equations, every tenth of a time unit"),
}


def frame_of(series: Series) -> pd.DataFrame:
    """The columns of its file."""
    return series.read().rename(VALUE).rename_axis(TIME).reset_index()
