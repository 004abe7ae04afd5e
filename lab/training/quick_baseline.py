"""The second baseline of a result: a linear model on the same training split, scored on the same test split."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

from lab.data.base import DataModule, EmbeddedColumns
from lab.data.loaders import Batch
from lab.modules.linear_models import MOST_CATEGORIES, Features, logistic_regression, ridge_regression
from lab.modules.task import TaskModule
from lab.tracking.reading.baselines import QUICK
from lab.tracking.writing.tracker import Tracker
from lab.training.building import Built

NAMES = {"classification": "logistic regression", "regression": "ridge regression"}
MOST_ROWS = 20_000
MOST_FEATURES = 4_000
MOST_VALUES = 30_000_000  # rows × features × classes of a logistic regression: about a second on two cores
MOST_PRODUCTS = 10_000_000_000  # rows × features² of a ridge regression, likewise
ROWS_PER_CLASS = 20  # at least


@dataclass(frozen=True)
class QuickBaseline:
    """The name of the model and its test metrics, by full name; where there is none, `skipped` says why."""

    name: str
    metrics: dict[str, float] = field(default_factory=dict)
    skipped: str = ""


NONE = QuickBaseline("")


def record(built: Built, tracker: Tracker, epoch: int) -> QuickBaseline:
    """Measure the model, and record its metrics with the run, at the run's best epoch."""
    found = measure(built)
    if found.metrics:
        tracker.metrics({f"{QUICK}{name}": value for name, value in found.metrics.items()}, epoch)
    return found


def name_of(built: Built) -> str:
    """The name of the model; "" for forecasts, and for a module that measures in its own terms."""
    return NAMES.get(built.data.task, "") if isinstance(built.module, TaskModule) else ""


def measure(built: Built) -> QuickBaseline:
    """Fit and score the model; NONE where it has no name.

    The training rows are drawn where there are very many. Draws nothing from the global generators.
    """
    data, name = built.data, name_of(built)
    if not name:
        return NONE
    width = features_of(data)
    rows = rows_for(width, data.sizes.classes)
    if width > MOST_FEATURES or rows < ROWS_PER_CLASS * data.sizes.classes:
        classes = f" and {data.sizes.classes} classes" if data.sizes.classes else ""
        return QuickBaseline(name, skipped=f"{width:,} inputs{classes} take longer than a second or two")
    x, y = training_rows(data, rows)
    features = Features.fit(_array(x), categories_of(data))
    if data.task == "regression":
        model = ridge_regression(features(_array(x)), _array(y))
    elif len(y.unique()) < 2:
        return QuickBaseline(name, skipped="the training split has a single class")
    else:
        balanced = built.experiment.part("loss").settings.get("class_weights") == "balanced"
        model = logistic_regression(features(_array(x)), y.numpy(), data.sizes.classes, balanced)
    scores = built.task_module.score_outputs(lambda inputs: model(features(_array(inputs))), data.loader("test"))
    return QuickBaseline(name, {f"test/{metric}": value for metric, value in scores.items()})


def features_of(data: DataModule) -> int:
    """The number of features that a linear model of this data has."""
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
    rows = np.arange(len(dataset))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
    if hasattr(dataset, "batch"):
        x, y = dataset.batch(torch.from_numpy(rows))
    else:
        x, y = default_collate([dataset[row] for row in rows.tolist()])
    return x, y


def _array(values: Tensor) -> Any:
    return values.double().cpu().numpy()
