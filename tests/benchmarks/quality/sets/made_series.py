"""Series that are made by a recipe, each with a seed of its own; values (T,) by their times."""

from collections.abc import Callable

import numpy as np
import pandas as pd


def monthly(values: np.ndarray, start: str = "1980-01-01") -> pd.Series:
    """Values by the month."""
    return pd.Series(values, pd.date_range(start, periods=len(values), freq="MS"))


def load(days: int = 60) -> pd.Series:
    """A load by the hour: a daily curve that weekends flatten, and noise that carries over (0.7)."""
    hours = np.arange(24 * days)
    weekend = hours // 24 % 7 >= 5
    day = np.sin(2 * np.pi * (hours - 7) / 24) + 0.4 * np.sin(4 * np.pi * hours / 24)
    values = 100 + 20 * day * np.where(weekend, 0.5, 1.0) - 10 * weekend + _carried(len(hours), 0.7, 3.0)
    return pd.Series(values, pd.date_range("2025-01-06", periods=len(hours), freq="h"))


def walk(days: int = 600) -> pd.Series:
    """A random walk by the day, of which the last value is the best forecast."""
    return _daily(50 + np.random.default_rng(1).normal(0, 1, days).cumsum())


def shifts(months: int = 300) -> pd.Series:
    """A yearly season around a level that jumps by about 15 every 50 months."""
    random = np.random.default_rng(2)
    levels = random.normal(0, 15, months // 50 + 1).cumsum()[np.arange(months) // 50]
    return monthly(100 + levels + 8 * _wave(months, 12) + random.normal(0, 2, months))


def chaos(steps: int = 1_000) -> pd.Series:
    """The Mackey-Glass equation (1977), x' = 0.2 x(t-17) / (1 + x(t-17)^10) - 0.1 x, every sixth step, and noise."""
    x = [1.2] * 18
    for _ in range(6 * (steps + 100)):
        x.append(x[-1] + 0.2 * x[-18] / (1 + x[-18] ** 10) - 0.1 * x[-1])
    values = np.array(x[18::6][-steps:]) + np.random.default_rng(3).normal(0, 0.02, steps)
    return pd.Series(values, range(steps))


def jumps(seed: int, months: int, every: int, size: float, noise: float, season: float) -> Callable[[], pd.Series]:
    """A yearly season around a level that jumps with probability 1 / `every`, by N(0, size²)."""

    def read() -> pd.Series:
        random = np.random.default_rng(seed)
        level = (random.normal(0, size, months) * (random.random(months) < 1 / every)).cumsum()
        return monthly(100 + level + season * _wave(months, 12) + random.normal(0, noise, months))

    return read


def growth(months: int = 240) -> pd.Series:
    """A linear trend times a yearly season times noise of 3 %."""
    random, month = np.random.default_rng(21), np.arange(months)
    season = 1 + 0.2 * _wave(months, 12) + 0.1 * np.cos(4 * np.pi * month / 12)
    return monthly((50 + 0.3 * month) * season * np.exp(random.normal(0, 0.03, months)))


def changing_season(months: int = 360) -> pd.Series:
    """A yearly season whose height and phase are random walks, as is the level."""
    random = np.random.default_rng(22)
    height, phase = 8 + random.normal(0, 0.5, months).cumsum(), random.normal(0, 0.05, months).cumsum()
    season = height * np.sin(2 * np.pi * np.arange(months) / 12 + phase)
    return monthly(100 + season + random.normal(0, 1.5, months) + random.normal(0, 0.7, months).cumsum())


def noisy_season(months: int = 300) -> pd.Series:
    """A yearly season of height 3, and noise of deviation 3."""
    return monthly(20 + 3 * _wave(months, 12) + np.random.default_rng(28).normal(0, 3, months))


def outliers(months: int = 300) -> pd.Series:
    """A yearly season, of which 4 % of the months are off by 25 in the mean square."""
    random = np.random.default_rng(25)
    usual = 60 + 10 * _wave(months, 12) + random.normal(0, 1.5, months)
    return monthly(usual + (random.random(months) < 0.04) * random.normal(0, 25, months))


def visits(days: int = 500) -> pd.Series:
    """Poisson counts whose mean depends on the weekday, and rises and falls within 180 days."""
    weekday = np.array([9, 10, 10, 11, 14, 5, 3])[np.arange(days) % 7]
    counts = np.random.default_rng(23).poisson(weekday * (1 + 0.3 * _wave(days, 180)))
    return _daily(counts.astype(float))


def weekly_walk(days: int = 500) -> pd.Series:
    """A random walk by the day, and what the weekday adds to it."""
    weekday = np.array([0.0, 2, 3, 3, 4, -5, -7])[np.arange(days) % 7]
    return _daily(100 + np.random.default_rng(26).normal(0, 1, days).cumsum() + weekday)


def drifting_load(days: int = 70) -> pd.Series:
    """A load by the hour: a daily curve around a curve of 30 days, and noise that carries over (0.85)."""
    hours = np.arange(24 * days)
    day = 15 * np.sin(2 * np.pi * (hours - 8) / 24) + 6 * np.sin(4 * np.pi * hours / 24 + 1)
    values = 50 + day + 10 * _wave(len(hours), 24 * 30) + _carried(len(hours), 0.85, 1.5)
    return pd.Series(values, pd.date_range("2025-03-03", periods=len(hours), freq="h"))


def cycle(steps: int = 400) -> pd.Series:
    """x(t) = 1.6 x(t-1) - 0.8 x(t-2) + N(0, 1), without the first 100 steps."""
    random, x = np.random.default_rng(27), [0.0, 0.0]
    for _ in range(steps + 100):
        x.append(1.6 * x[-1] - 0.8 * x[-2] + random.normal())
    return pd.Series(x[-steps:], range(steps))


def lorenz(steps: int = 900) -> pd.Series:
    """The first variable of Lorenz (1963; 10, 28, 8/3): every twentieth of Euler's steps of 0.005, and noise of 0.1."""
    place, found = np.ones(3), []
    for step in range(20 * (steps + 600)):
        x, y, z = place
        place = place + 0.005 * np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
        if step % 20 == 0:
            found.append(place[0])
    return pd.Series(np.array(found[-steps:]) + np.random.default_rng(24).normal(0, 0.1, steps), range(steps))


def _daily(values: np.ndarray) -> pd.Series:
    return pd.Series(values, pd.date_range("2024-01-01", periods=len(values), freq="D"))


def _wave(steps: int, period: int) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(steps) / period)


def _carried(steps: int, share: float, deviation: float) -> np.ndarray:
    """Normal noise of which a share carries over to the next step."""
    noise = np.random.default_rng(0).normal(0, deviation, steps)
    for step in range(1, steps):
        noise[step] += share * noise[step - 1]
    return noise
