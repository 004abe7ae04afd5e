"""Tables: those that Python packages ship, as their users would bring them, and tables made by a recipe."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import pandas as pd
from sklearn import datasets


@dataclass(frozen=True)
class Table:
    """The rows, the column to predict, and where they are from."""

    read: Callable[[], pd.DataFrame]
    target: str
    about: str


def _statsmodels(name: str, **changed: Callable[[pd.DataFrame], object]) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        return import_module(f"statsmodels.datasets.{name}").load_pandas().data.assign(**changed)

    return read


def _scikit_learn(loader: Callable[..., object], named: bool = True) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        source = loader(as_frame=True)
        frame = source.frame  # type: ignore[attr-defined]
        names = getattr(source, "target_names", None)
        return frame.assign(target=np.asarray(names)[frame["target"]]) if named else frame

    return read


def _plotly(name: str, *dropped: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        import plotly.data

        return getattr(plotly.data, name)().drop(columns=list(dropped))

    return read


def _made(x: np.ndarray, target: object) -> pd.DataFrame:
    return pd.DataFrame(x, columns=[f"x{number}" for number in range(1, x.shape[1] + 1)]).assign(target=target)


def _letters(y: np.ndarray) -> np.ndarray:
    return np.array(list("abcdefghij"))[y]


def _friedman() -> pd.DataFrame:
    return _made(*datasets.make_friedman1(1_000, n_features=10, noise=1.0, random_state=0))


def _resistance() -> pd.DataFrame:
    return _made(*datasets.make_friedman2(1_000, noise=125.0, random_state=0))


def _hastie() -> pd.DataFrame:
    x, y = datasets.make_hastie_10_2(2_000, random_state=0)
    return _made(x, np.where(y > 0, "far", "near"))


def _madelon() -> pd.DataFrame:
    x, y = datasets.make_classification(
        1_500, 50, n_informative=5, n_redundant=10, n_clusters_per_class=8, flip_y=0.02, random_state=0
    )
    return _made(x, _letters(y))


def _clusters() -> pd.DataFrame:
    x, y = datasets.make_classification(
        2_000, 20, n_informative=8, n_redundant=4, n_classes=5, n_clusters_per_class=2, flip_y=0.05, random_state=1
    )
    return _made(x, _letters(y))


def _shells() -> pd.DataFrame:
    x, y = datasets.make_gaussian_quantiles(n_samples=1_500, n_features=6, n_classes=3, random_state=0)
    return _made(x, _letters(y))


def customers(rows: int = 3_000) -> pd.DataFrame:
    """Customers who leave or stay: skewed numbers, 40 towns, missing cells, and a rule with two interactions."""
    random = np.random.default_rng(0)
    plan = random.choice(["basic", "plus", "family", "business"], rows, p=[0.5, 0.25, 0.15, 0.1])
    town = random.integers(0, 40, rows)
    months = random.integers(1, 120, rows)
    bill = random.lognormal(3.5, 0.8, rows)
    calls = random.poisson(1.5, rows)
    of_town = random.normal(0, 0.8, 40)[town]
    logit = of_town + 0.7 * calls - 0.02 * months + np.where((plan == "basic") & (bill > 50), 1.5, 0) - 0.6
    leaves = random.random(rows) < 1 / (1 + np.exp(-logit))
    frame = pd.DataFrame({"plan": plan, "town": [f"town {each}" for each in town], "months": months, "bill": bill})
    frame["calls"] = calls
    for column in ("plan", "months", "bill"):
        frame[column] = frame[column].mask(random.random(rows) < 0.08)
    return frame.assign(leaves=np.where(leaves, "yes", "no"))


def cars(rows: int = 2_000) -> pd.DataFrame:
    """Prices of used cars: what a factor of the brand, age and distance leaves of a price, with 15 % of noise."""
    random = np.random.default_rng(0)
    brands = [f"brand {letter}" for letter in "ABCDEFGHIJKLMNOPQRST"]
    brand, fuel = random.integers(0, len(brands), rows), random.choice(["petrol", "diesel", "electric"], rows)
    age, distance = random.gamma(2.0, 3.0, rows), random.lognormal(10.8, 0.7, rows)
    factor = np.exp(random.normal(0, 0.4, len(brands)))[brand] * np.where(fuel == "electric", 1.3, 1.0)
    left = np.exp(-age / np.where(fuel == "electric", 6, 9)) * (1 - 0.3 * np.tanh(distance / 100_000))
    price = 30_000 * factor * left * np.exp(random.normal(0, 0.15, rows)) + 500
    frame = pd.DataFrame({"brand": np.array(brands)[brand], "fuel": fuel, "age": age.round(1), "distance": distance})
    frame["distance"] = frame["distance"].round().mask(random.random(rows) < 0.05)
    return frame.assign(price=price.round())


TABLES: dict[str, Table] = {
    "iris": Table(_scikit_learn(datasets.load_iris), "target", "scikit-learn"),
    "wine": Table(_scikit_learn(datasets.load_wine), "target", "scikit-learn"),
    "breast_cancer": Table(_scikit_learn(datasets.load_breast_cancer), "target", "scikit-learn"),
    "digits": Table(
        _scikit_learn(datasets.load_digits, named=False), "target", "scikit-learn, a column for each pixel"
    ),
    "affairs": Table(
        _statsmodels("fair", affairs=lambda rows: np.where(rows["affairs"] > 0, "yes", "no")),
        "affairs",
        "statsmodels (fair): whether there was an affair",
    ),
    "anes96": Table(
        _statsmodels("anes96", vote=lambda rows: rows["vote"].map({0: "Clinton", 1: "Dole"})),
        "vote",
        "statsmodels: the election of 1996",
    ),
    "modechoice": Table(_statsmodels("modechoice"), "choice", "statsmodels: four rows for each traveller"),
    "hastie": Table(_hastie, "target", "scikit-learn's make_hastie_10_2"),
    "madelon": Table(
        _madelon, "target", "scikit-learn's make_classification: 5 of 50 columns count, 8 clusters a class"
    ),
    "clusters": Table(_clusters, "target", "scikit-learn's make_classification: 5 classes, 5 % wrong labels"),
    "shells": Table(_shells, "target", "scikit-learn's make_gaussian_quantiles: 3 shells in 6 dimensions"),
    "customers": Table(customers, "leaves", "made: skewed numbers, 40 towns, 8 % of the cells missing"),
    "diabetes": Table(_scikit_learn(datasets.load_diabetes, named=False), "target", "scikit-learn"),
    "randhie": Table(_statsmodels("randhie"), "mdvis", "statsmodels: visits to a doctor"),
    "engel": Table(_statsmodels("engel"), "foodexp", "statsmodels: what households spend on food"),
    "grunfeld": Table(_statsmodels("grunfeld"), "invest", "statsmodels: investments of 11 firms in 20 years"),
    "statecrime": Table(_statsmodels("statecrime"), "murder", "statsmodels: a row for each US state"),
    "tips": Table(_plotly("tips"), "tip", "plotly: tips in a restaurant"),
    "gapminder": Table(_plotly("gapminder", "iso_alpha", "iso_num"), "lifeExp", "plotly: countries in 12 years"),
    "friedman1": Table(_friedman, "target", "scikit-learn's make_friedman1, noise 1"),
    "friedman2": Table(_resistance, "target", "scikit-learn's make_friedman2, noise 125"),
    "cars": Table(cars, "price", "made: prices of used cars, 20 brands, 15 % of noise"),
}
