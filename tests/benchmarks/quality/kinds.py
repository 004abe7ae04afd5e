"""What is measured of each kind: its sets, how the lab gets them, its score, and the others on the same rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.quality.baselines import convolutions, forecasts, supervised
from benchmarks.quality.scores import Score
from benchmarks.quality.sets.images import IMAGES
from benchmarks.quality.sets.samples import Samples
from benchmarks.quality.sets.sequences import SEQUENCES
from benchmarks.quality.sets.series import SERIES, Series, frame_of
from benchmarks.quality.sets.tables import TABLES, Table
from PIL import Image

from lab.data.base import DataModule
from lab.data.time_series.series_base import SeriesDataModule

Metrics = Mapping[str, float]
MOST_NUMBERS = 10  # distinct numbers of a target that are classes


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    `write` writes a set into the current folder and gives the path and target for `lab new`; `score` is the lab's, from
    its test metrics; `others` yields those of the baselines, of the set's split with a seed. `described` gives a set's
    size, and what its score is.
    """

    sets: Mapping[str, Any]
    write: Callable[[str, Any], tuple[str, str | None]]
    score: Callable[[Any, Metrics], float]
    others: Callable[[str, Any, DataModule, int], Iterator[Score]]
    methods: tuple[str, ...]
    described: Callable[[Any], tuple[str, str]]
    note: str
    higher_is_better: bool = True


def _write_table(name: str, table: Table) -> tuple[str, str]:
    table.read().to_csv(f"{name}.csv", index=False)
    return f"{name}.csv", table.target


def _accuracy_or_r2(_: Any, metrics: Metrics) -> float:
    return metrics["test/accuracy"] if "test/accuracy" in metrics else metrics["test/r2"]


def _table_scores(name: str, table: Table, data: DataModule, seed: int) -> Iterator[Score]:
    frame = table.read()
    x, y = supervised.as_columns(frame.drop(columns=table.target)), frame[table.target].to_numpy()
    return supervised.scores(name, _split(x, y, data), seed, supervised.TABLE_METHODS)


def _size_of_table(table: Table) -> tuple[str, str]:
    frame = table.read()
    classes = frame[table.target].nunique()
    many = pd.api.types.is_numeric_dtype(frame[table.target].dtype) and classes > MOST_NUMBERS
    size = f"{len(frame):,} × {frame.shape[1] - 1}"
    return (size, "R²") if many else (f"{size}, {classes} classes", "accuracy")


def _split(x: Any, y: np.ndarray, data: DataModule) -> supervised.Split:
    """The rows that a method may learn from, which are the lab's for training and validation, and those of the test."""
    learnt = np.concatenate([data.split_indices["train"], data.split_indices["val"]])
    tested, classes = data.split_indices["test"], bool(data.class_names)
    test: Any = data.splits["test"]
    if classes and not all(
        _is(data.class_names[number], value) for number, value in zip(test.y, y[tested], strict=True)
    ):
        raise RuntimeError("the lab has the rows in another order")
    of = x.iloc if isinstance(x, pd.DataFrame) else x
    return supervised.Split(of[learnt], y[learnt], of[tested], y[tested], classes)


def _is(name: str, value: Any) -> bool:
    """Whether a class is a value of the table, of which 1.0 is named 1."""
    return name == str(value) or (isinstance(value, float) and name == f"{value:g}")


def _write_series(name: str, series: Series) -> tuple[str, None]:
    frame_of(series).to_csv(f"{name}.csv", index=False)
    return f"{name}.csv", None


def _before_test(values: np.ndarray) -> int:
    """The first step of the test, which is the last fifth."""
    return len(values) - round(0.2 * len(values))


def _scaled_error(series: Series, metrics: Metrics) -> float:
    values = series.read().to_numpy(float)
    return metrics["test/mae"] / forecasts.scale(values[: _before_test(values)], series.season)


def _series_scores(name: str, series: Series, data: DataModule, seed: int) -> Iterator[Score]:
    """Those of the first seed alone: nothing in them is random, and the steps are the same."""
    values = series.read().to_numpy(float)
    first = _before_test(values)
    assert isinstance(data, SeriesDataModule)
    if data.split_indices["test"][0] != first:
        raise RuntimeError("the lab has another test split")
    return forecasts.scores(name, values, first, data.horizon, series.season, seed) if seed == 0 else iter(())


def _size_of_series(series: Series) -> tuple[str, str]:
    season = f", season {series.season}" if series.season > 1 else ""
    return f"{len(series.read()):,} steps{season}", "MASE"


def _write_sequences(name: str, samples: Samples) -> tuple[str, None]:
    x, y = samples.make()
    np.savez(f"{name}.npz", x=x.astype(np.float32), y=y)
    return f"{name}.npz", None


def _sequence_scores(name: str, samples: Samples, data: DataModule, seed: int) -> Iterator[Score]:
    x, y = samples.make()
    whole = convolutions.continued(x)
    yield from supervised.scores(name, _split(whole, y, data), seed, convolutions.METHODS)
    yield from supervised.scores(name, _split(supervised.as_columns(whole), y, data), seed, convolutions.FLAT_METHODS)


def _in_folders(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """The samples in the order of their files: class by class."""
    x, y = samples.make()
    order = np.argsort(y, kind="stable")
    return x[order], y[order]


def _write_images(name: str, samples: Samples) -> tuple[str, None]:
    for number, (image, label) in enumerate(zip(*_in_folders(samples), strict=True)):
        Path(name, label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(Path(name, label, f"{number:05}.png"))
    return name, None


def _image_scores(name: str, samples: Samples, data: DataModule, seed: int) -> Iterator[Score]:
    x, y = _in_folders(samples)
    return supervised.scores(name, _split(supervised.as_columns(x), y, data), seed, supervised.IMAGE_METHODS)


def _size_of_samples(samples: Samples) -> tuple[str, str]:
    x, y = samples.make()
    shape = " · ".join(map(str, x.shape[1:]))
    return f"{len(x):,} × {shape}, {len(set(y))} classes", "accuracy"


KINDS: Mapping[str, Kind] = {
    "tables": Kind(
        TABLES,
        _write_table,
        _accuracy_or_r2,
        _table_scores,
        tuple(supervised.TABLE_METHODS),
        _size_of_table,
        "Linear is logistic regression, or ridge regression by cross-validation.",
    ),
    "series": Kind(
        SERIES,
        _write_series,
        _scaled_error,
        _series_scores,
        tuple(forecasts.METHODS),
        _size_of_series,
        "MASE: the mean absolute error of all forecasts from all steps of the test, over that of seasonal naive one "
        "step ahead before it; less is better. ETS is the model of least AICc of six (trend, damped trend, season), "
        "fitted before the test and updated at each step of it.",
        higher_is_better=False,
    ),
    "sequences": Kind(
        SEQUENCES,
        _write_sequences,
        _accuracy_or_r2,
        _sequence_scores,
        (*convolutions.METHODS, *convolutions.FLAT_METHODS),
        _size_of_samples,
        "Linear is logistic regression. For the others, shorter sequences go on with their last value.",
    ),
    "images": Kind(
        IMAGES,
        _write_images,
        _accuracy_or_r2,
        _image_scores,
        tuple(supervised.IMAGE_METHODS),
        _size_of_samples,
        "Linear is logistic regression; k-NN and SVC see standardised pixels, as it does.",
    ),
}
