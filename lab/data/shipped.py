"""Data sets that come with Python packages: MNIST-1D, digits, breast cancer, diabetes, sunspots."""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from lab.config.types import Count, Fraction, PositiveInt, Probability
from lab.data.base import SampleDataModule, Samples
from lab.data.loaders import ArrayDataset
from lab.data.series_base import SeriesDataModule, Steps
from lab.files import atomic_write

OUTLIER = 10.0  # standard deviations of the target
Arrays = dict[str, np.ndarray]


class MNIST1D(SampleDataModule):
    """Sequences (N, 1, 40), ten classes; the generator's 4,000 training and 1,000 test samples."""

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, num_workers=num_workers, seed=seed)

    def read(self) -> Samples:
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


class Digits(SampleDataModule):
    """Images (N, 1, 8, 8), ten classes."""

    def read(self) -> Samples:
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
        return Samples(source.data, source.target, class_names=[str(name) for name in source.target_names])


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
        return Samples(source.data, source.target[:, None])

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

        return Steps(sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(dtype=np.float64)[None], ("sunspots",))


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
