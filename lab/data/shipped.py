"""Data sets that come with Python packages: MNIST-1D, digits, breast cancer, diabetes, sunspots."""

import os
import random
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lab.config.types import Count, Fraction, PositiveInt, Probability
from lab.data.base import SampleDataModule, Samples
from lab.data.loaders import ArrayDataset
from lab.data.time_series.series_base import SeriesDataModule, Steps
from lab.errors import LabError
from lab.files import atomic_write

OUTLIER = 10.0  # standard deviations of the target
Arrays = dict[str, np.ndarray]


class Digitlike(SampleDataModule):
    """Samples of the ten digits, or of some of them.

    `classes` are the digits that are read, numbered in that order. With `per_class` the training split has only so
    many samples of each, drawn by the seed of the split; validation and test stay as they are.
    """

    chosen: Sequence[int] | None
    per_class: int | None

    def choose(self, classes: Sequence[int] | None, per_class: int | None) -> None:
        """Take the settings; raises LabError for digits that there are not."""
        wrong = [digit for digit in classes or () if not 0 <= digit <= 9]
        if wrong or (classes is not None and len(set(classes)) < max(len(classes), 2)):
            raise LabError(f"data.classes: must be two or more different digits from 0 to 9, not {list(classes or ())}")
        self.chosen, self.per_class = classes, per_class

    @abstractmethod
    def read_all(self) -> Samples:
        """The samples of all ten digits."""

    def read(self) -> Samples:
        """The samples of the digits that are chosen."""
        every = self.read_all()
        if self.chosen is None:
            return every
        kept = np.flatnonzero(np.isin(every.y, self.chosen))
        tested = int((kept >= len(every.y) - every.test_size).sum())
        y = np.array([self.chosen.index(digit) for digit in every.y[kept]])
        return Samples(every.x[kept], y, test_size=tested, class_names=[str(digit) for digit in self.chosen])

    def split(self, samples: Samples) -> dict[str, NDArray[np.int64]]:
        """As of all samples, the training split thinned."""
        splits = super().split(samples)
        if self.per_class is None:
            return splits
        drawn = np.random.default_rng(self.seed).permutation(splits["train"])
        of_class = [drawn[samples.y[drawn] == number][: self.per_class] for number in range(len(samples.class_names))]
        return {**splits, "train": np.sort(np.concatenate(of_class))}


class MNIST1D(Digitlike):
    """Sequences (N, 1, 40), ten classes; the generator's 4,000 training and 1,000 test samples.

    `classes` and `per_class` take some of the classes, and some of their training samples.
    """

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        num_workers: Count = 0,
        classes: list[int] | None = None,
        per_class: PositiveInt | None = None,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, num_workers=num_workers, seed=seed)
        self.choose(classes, per_class)

    def read_all(self) -> Samples:
        """The sequences of the mnist1d package's generator with its default arguments."""
        arrays = cached(f"mnist1d-{version('mnist1d')}", _generate)
        return Samples(arrays["x"], arrays["y"], test_size=1_000, class_names=[str(d) for d in range(10)])


def _generate() -> dict[str, np.ndarray]:
    """Generate the sequences (about two seconds); restores the global generators that the package seeds."""
    from mnist1d.data import get_dataset_args, make_dataset

    random_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(get_dataset_args())
    finally:
        random.setstate(random_state)
        np.random.set_state(numpy_state)
    return {
        "x": np.concatenate([made["x"], made["x_test"]]).astype(np.float32)[:, None],
        "y": np.concatenate([made["y"], made["y_test"]]),
    }


PARTIES = [
    *("strong Democrat", "weak Democrat", "independent Democrat", "independent"),
    *("independent Republican", "weak Republican", "strong Republican"),
]


class Digits(Digitlike):
    """Images (N, 1, 8, 8), ten classes.

    `classes` and `per_class` take some of the classes, and some of their training samples.
    """

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        classes: list[int] | None = None,
        per_class: PositiveInt | None = None,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, num_workers, seed)
        self.choose(classes, per_class)

    def read_all(self) -> Samples:
        """All 1,797 images."""
        from sklearn.datasets import load_digits

        source = load_digits()
        return Samples(source.images[:, None], source.target, class_names=[str(d) for d in range(10)])


class BreastCancer(SampleDataModule):
    """Table (N, 30), two classes."""

    def read(self) -> Samples:
        """All 569 rows."""
        from sklearn.datasets import load_breast_cancer

        source = load_breast_cancer()
        names = [str(name) for name in source.target_names]
        features = [str(name) for name in source.feature_names]
        return Samples(source.data, source.target, class_names=names, feature_names=features)


# Of each digit: it is even, it is prime, it is written with a closed loop, it is 5 or more.
STATEMENTS = {"even": (0, 2, 4, 6, 8), "prime": (2, 3, 5, 7), "loop": (0, 6, 8, 9), "five_or_more": (5, 6, 7, 8, 9)}


class DigitStatements(SampleDataModule):
    """Images (N, 1, 8, 8) of digits, four statements that are true or not: even, prime, a closed loop, 5 or more."""

    def read(self) -> Samples:
        """All 1,797 images."""
        from sklearn.datasets import load_digits

        source = load_digits()
        labels = np.stack([np.isin(source.target, digits) for digits in STATEMENTS.values()], axis=1)
        return Samples(source.images[:, None], labels.astype(np.int64), class_names=list(STATEMENTS))


class PartyIdentification(SampleDataModule):
    """Table (N, 8) on voters in the American National Election Study of 1996, to their party, seven ordered classes.

    Who watches television news, and how left or right a voter stands and places the candidates, age, education,
    income, and the population of the place (statsmodels' `anes96`; the vote itself is left out).
    """

    def read(self) -> Samples:
        """All 944 voters."""
        from statsmodels.datasets import anes96

        rows = anes96.load_pandas().data
        inputs = ["TVnews", "selfLR", "ClinLR", "DoleLR", "age", "educ", "income", "logpopul"]
        return Samples(rows[inputs].to_numpy(np.float32), rows["PID"].to_numpy(int), class_names=PARTIES, ordered=True)


class Diabetes(SampleDataModule):
    """Table (N, 10), one value to predict.

    `outlier_fraction` of the training targets are shifted by 10 standard deviations, as a wrong unit might.
    """

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        outlier_fraction: Probability = 0.0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, num_workers, seed)
        self.outlier_fraction = outlier_fraction

    def read(self) -> Samples:
        """All 442 rows, in the original units."""
        from sklearn.datasets import load_diabetes

        source = load_diabetes(scaled=False)
        return Samples(source.data, source.target[:, None], feature_names=list(source.feature_names))

    def _prepare(self) -> None:
        super()._prepare()
        train = self.splits["train"]
        assert isinstance(train, ArrayDataset)
        drawn = np.random.default_rng(self.seed).permutation(len(train))
        train.y[drawn[: round(self.outlier_fraction * len(train))]] += OUTLIER


class Sunspots(SeriesDataModule):
    """Windows (N, 1, window) of yearly sunspot numbers, to the next `horizon` years (N, horizon)."""

    def __init__(
        self,
        window: PositiveInt = 33,
        horizon: PositiveInt = 6,
        relative: bool = False,
        batch_size: PositiveInt = 32,
        val_fraction: Fraction = 0.2,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(window, horizon, relative, batch_size, val_fraction, test_fraction, num_workers, seed)

    def read(self) -> Steps:
        """All 309 years."""
        from statsmodels.datasets import sunspots

        table = sunspots.load_pandas().data
        values = table["SUNACTIVITY"].to_numpy(dtype=np.float64)
        return Steps(values[None], ("sunspots",), times=table["YEAR"].astype(int).to_numpy())


def cached(name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays that `make` returns, read from the cache if they are there and intact."""
    path = cache_folder() / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except (OSError, ValueError, BadZipFile):
        arrays = make()
        _write(arrays, path)
        return arrays


def cache_folder() -> Path:
    """`LAB_CACHE` if set, else `lab` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lab"
    return Path(os.environ.get("LAB_CACHE") or default)


def _write(arrays: Arrays, path: Path) -> None:
    """Write the file atomically; without a writable cache the arrays are generated every time."""
    with suppress(OSError), atomic_write(path) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
