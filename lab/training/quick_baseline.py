"""The second baseline of a result: a linear model on the same training split, scored on the same test split."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch.utils.data import default_collate

from lab.data.base import DataModule
from lab.data.loaders import Batch
from lab.data.sizes import EmbeddedColumns
from lab.data.text.texts import Text
from lab.modules.linear_models import MOST_CATEGORIES, Features, logistic_regression, ridge_regression, summaries
from lab.modules.task import TaskModule
from lab.modules.text_models import TfIdf
from lab.tracking.reading.baselines import QUICK
from lab.tracking.writing.tracker import Tracker
from lab.training.building import Built

NAMES = {"classification": "logistic regression", "regression": "ridge regression"}
MOST_ROWS = 20_000
MOST_FEATURES = 4_000
MOST_VALUES = 30_000_000  # rows × features × classes of a logistic regression: about a second
MOST_PRODUCTS = 20_000_000_000  # rows × features² of a ridge regression, likewise
ROWS_PER_CLASS = 20  # at least


@dataclass(frozen=True)
class QuickBaseline:
    """The name of the model and its test metrics, by full name.

    `note` says why there are none, or that the model has seen but some of the training rows.
    """

    name: str
    metrics: dict[str, float] = field(default_factory=dict)
    note: str = ""


NONE = QuickBaseline("")


def record(built: Built, tracker: Tracker, epoch: int) -> QuickBaseline:
    """Measure the model, and record its metrics with the run, at the run's best epoch."""
    found = measure(built)
    if found.metrics:
        tracker.metrics({f"{QUICK}{name}": value for name, value in found.metrics.items()}, epoch)
    return found


def name_of(built: Built) -> str:
    """The name of the model; "" for forecasts, and for a module that measures in its own terms."""
    name = NAMES.get(built.data.task, "") if isinstance(built.module, TaskModule) else ""
    return f"TF-IDF and {name}" if name and isinstance(built.data, Text) else name


def measure(built: Built) -> QuickBaseline:
    """Fit and score the model; NONE where it has no name.

    The training rows are drawn where there are very many. Draws nothing from the global generators. One thread: the
    sums of such small matrices wait for each other, 20 s instead of 0.5 s where other processes use the cores too.
    """
    data, name = built.data, name_of(built)
    if not name:
        return NONE
    if isinstance(data, Text):
        return _of_texts(built, data, name)
    width, classes = features_of(data), data.sizes.classes
    rows, every = rows_for(width, classes), len(data.splits["train"])  # type: ignore[arg-type]
    if width > MOST_FEATURES or rows < ROWS_PER_CLASS * classes:
        size = f"{width:,} inputs and {classes} classes" if classes else f"{width:,} inputs"
        return QuickBaseline(name, note=f"no {name}: {size} take longer than a second or two")
    x, y = training_rows(data, rows)
    if classes and len(y.unique()) < 2:
        return QuickBaseline(name, note=f"no {name}: the training split has a single class")
    with threadpool_limits(1):
        return _scored(built, name, _fitted(built, x, y), rows, every)


def _scored(built: Built, name: str, outputs_of: Callable[[Tensor], Tensor], rows: int, every: int) -> QuickBaseline:
    """The scores of a model of inputs to raw outputs that has seen so many rows of every training sample."""
    scores = built.task_module.score_outputs(outputs_of, built.data.loader("test"))
    note = f"{name} is fitted on {rows:,} of {every:,} training samples" if rows < every else ""
    if built.data.sizes.padded and not isinstance(built.data, Text):
        said = f"{name} has mean, deviation, first, last, smallest and largest value of each channel, and the length"
        note = f"{said}; {note}" if note else said
    return QuickBaseline(name, {f"test/{metric}": value for metric, value in scores.items()}, note)


def _of_texts(built: Built, data: Text, name: str) -> QuickBaseline:
    """A model of the raw texts; the test split is served in order, so its outputs are handed out in order too."""
    train = data.split_indices["train"]
    rows = drawn_rows(len(train), MOST_ROWS)
    y = data.splits["train"].y[torch.from_numpy(rows)]  # type: ignore[attr-defined]
    if data.sizes.classes and len(y.unique()) < 2:
        return QuickBaseline(name, note=f"no {name}: the training split has a single class")
    with threadpool_limits(1):
        texts = [data.texts[index] for index in train[rows]]
        model = TfIdf(texts, y.numpy(), data.sizes.classes, _balanced(built))
        outputs = iter(model([data.texts[index] for index in data.split_indices["test"]]))
        return _scored(
            built, name, lambda x: torch.stack(list(itertools.islice(outputs, len(x)))), len(rows), len(train)
        )


def _balanced(built: Built) -> bool:
    """Whether each class counts as much as any other."""
    return built.experiment.part("loss").settings.get("class_weights") == "balanced"


def _fitted(built: Built, x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """The model of training rows x (N, ...) and y: inputs (B, ...) to raw outputs."""
    features = summaries if built.data.sizes.padded else Features.fit(_array(x), categories_of(built.data))
    if built.data.task == "regression":
        model = ridge_regression(features(_array(x)), _array(y))
    else:
        model = logistic_regression(features(_array(x)), y.numpy(), built.data.sizes.classes, _balanced(built))
    return lambda inputs: model(features(_array(inputs)))


def features_of(data: DataModule) -> int:
    """The number of features that a linear model of this data has."""
    if data.sizes.padded:
        return 6 * data.sizes.input_shape[0] + 1
    codes = categories_of(data)
    plain = int(np.prod(data.first_samples(1).shape[1:])) - len(codes)
    return plain + sum(count + 1 if count <= MOST_CATEGORIES else 1 for count in codes.values())


def categories_of(data: DataModule) -> dict[int, int]:
    """The columns of category codes, with the number of known categories."""
    return dict(data.input_adapter.categories) if isinstance(data.input_adapter, EmbeddedColumns) else {}


def rows_for(features: int, classes: int) -> int:
    """How many training rows can be used within about a second; `classes` is 0 for a regression."""
    size = max(features, 1)
    return min(MOST_ROWS, MOST_VALUES // (size * classes) if classes else MOST_PRODUCTS // size**2)


def training_rows(data: DataModule, most: int) -> Batch:
    """The training samples x (N, ...) and y, or as many of them drawn at random."""
    dataset: Any = data.splits["train"]
    rows = drawn_rows(len(dataset), most)
    if hasattr(dataset, "batch"):
        x, y = dataset.batch(torch.from_numpy(rows))
    else:
        x, y = default_collate([dataset[row] for row in rows.tolist()])
    return x, y


def drawn_rows(count: int, most: int) -> Any:
    """The numbers of all rows, or of as many drawn at random, in order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _array(values: Tensor) -> Any:
    return values.double().cpu().numpy()
