"""The second baseline of a result: a linear model on the same training split, scored on the same test split."""

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
from lab.modules.linear_models import MOST_CATEGORIES, Features, logistic_regression, one_vs_rest, ridge_regression
from lab.modules.ordinal import cumulative_logits
from lab.modules.task import TaskModule
from lab.modules.thresholds import ThresholdModule
from lab.tracking.reading.baselines import QUICK
from lab.tracking.writing.tracker import Tracker
from lab.training.building import Built

NAMES = {
    "classification": "logistic regression",
    "ordinal": "logistic regression",
    "multilabel": "one-vs-rest logistic regression",
    "regression": "ridge regression",
}
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
    return NAMES.get(built.data.task, "") if isinstance(built.module, TaskModule) else ""


def measure(built: Built) -> QuickBaseline:
    """Fit and score the model; NONE where it has no name.

    The training rows are drawn where there are very many. Draws nothing from the global generators. One thread: the
    sums of such small matrices wait for each other, 20 s instead of 0.5 s where other processes use the cores too.
    """
    data, name = built.data, name_of(built)
    if not name:
        return NONE
    width, classes = features_of(data), data.sizes.classes or data.sizes.labels
    rows, every = rows_for(width, classes), len(data.splits["train"])  # type: ignore[arg-type]
    if width > MOST_FEATURES or rows < ROWS_PER_CLASS * classes:
        size = f"{width:,} inputs and {classes} classes" if classes else f"{width:,} inputs"
        return QuickBaseline(name, note=f"no {name}: {size} take longer than a second or two")
    x, y = training_rows(data, rows)
    if classes and (y == y[:1]).all():
        return QuickBaseline(name, note=f"no {name}: the training split has a single class")
    with threadpool_limits(1):
        outputs_of = _fitted(built, x, y)
        scores = _scores(built.task_module, outputs_of, data)
    note = f"{name} is fitted on {rows:,} of {every:,} training samples" if rows < every else ""
    return QuickBaseline(name, {f"test/{metric}": value for metric, value in scores.items()}, note)


def _scores(module: TaskModule, outputs_of: Callable[[Tensor], Tensor], data: DataModule) -> dict[str, float]:
    """The test metrics of the model, with thresholds that are chosen for it as they are for the network."""
    if not isinstance(module, ThresholdModule):
        return module.score_outputs(outputs_of, data.loader("test"))
    of_network, undecided = module.thresholds, module.undecided
    try:
        module.thresholds = module.best_thresholds(outputs_of, data.loader("val"))
        return module.score_outputs(outputs_of, data.loader("test"))
    finally:
        module.thresholds, module.undecided = of_network, undecided


def _fitted(built: Built, x: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """The model of training rows x (N, ...) and y: inputs (B, ...) to raw outputs."""
    features = Features.fit(_array(x), categories_of(built.data))
    if built.data.task == "regression":
        model = ridge_regression(features(_array(x)), _array(y))
    elif built.data.task == "multilabel":
        model = one_vs_rest(features(_array(x)), y.numpy())
    else:
        balanced = built.experiment.part("loss").settings.get("class_weights") == "balanced"
        model = logistic_regression(features(_array(x)), y.numpy(), built.data.sizes.classes, balanced)
    if built.data.task == "ordinal":
        return lambda inputs: cumulative_logits(model(features(_array(inputs))))
    return lambda inputs: model(features(_array(inputs)))


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
