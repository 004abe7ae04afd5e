"""Forecasts of a series at every step of its test: the last value, the last season, and exponential smoothing.

Errors are scaled as in MASE (Hyndman & Koehler 2006): by the mean absolute difference between values that are a season
apart, before the test.
"""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from benchmarks.quality.scores import Score

LAST, SEASONAL, ETS = "last value", "seasonal naive", "ETS"
Forecast = Callable[[int], np.ndarray]  # from the number of known values to the next `horizon` ones


def scale(values: np.ndarray, season: int) -> float:
    """The mean absolute error of seasonal naive, one step ahead, over `values` (T,)."""
    return float(np.abs(values[season:] - values[:-season]).mean())


def scores(name: str, values: np.ndarray, first: int, horizon: int, season: int, seed: int) -> Iterator[Score]:
    """The MASE of each method over all windows of the test, which is from the step `first` on."""
    for method, make in METHODS.items():
        began = time.perf_counter()
        forecast = make(values, first, horizon, season)
        origins = range(first, len(values) - horizon + 1)
        errors = [np.abs(forecast(origin) - values[origin : origin + horizon]).mean() for origin in origins]
        value = float(np.mean(errors)) / scale(values[:first], season)
        yield Score(name, method, seed, value, time.perf_counter() - began)


def _last_season(values: np.ndarray, first: int, horizon: int, season: int) -> Forecast:
    return lambda origin: values[origin - season + np.arange(horizon) % season]


def _last_value(values: np.ndarray, first: int, horizon: int, season: int) -> Forecast:
    return _last_season(values, first, horizon, 1)


def _smoothing(values: np.ndarray, first: int, horizon: int, season: int) -> Forecast:
    """The model of least AICc, fitted before the test; its states are updated to each origin."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    def model(known: int, form: Mapping[str, Any]) -> ETSModel:
        return ETSModel(values[:known].astype(float), **form)

    forms = [{"error": "add", **trend} for trend in TRENDS]
    forms += [{**form, "seasonal": "add", "seasonal_periods": season} for form in forms] if season > 1 else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [(form, model(first, form).fit(disp=False)) for form in forms]
    form, best = min(fits, key=lambda pair: pair[1].aicc)
    return lambda origin: np.asarray(model(origin, form).smooth(best.params).forecast(horizon))


TRENDS: tuple[Mapping[str, Any], ...] = ({}, {"trend": "add"}, {"trend": "add", "damped_trend": True})
METHODS = {LAST: _last_value, SEASONAL: _last_season, ETS: _smoothing}
