"""The second baseline of a result: a linear model on the same training split, scored on the same test split.

That of a forecast which is combined with several naive ones is their best mean without the network.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from lab.data.base import DataModule
from lab.data.loaders import Batch, batch_of
from lab.data.sizes import EmbeddedColumns
from lab.data.text.characters import Characters
from lab.data.text.texts import Text
from lab.modules import class_weights
from lab.modules.tasks import combination
from lab.modules.tasks.ordinal import cumulative_logits
from lab.modules.tasks.quantiles import QuantileRegression
from lab.modules.tasks.task import TaskModule
from lab.modules.tasks.thresholds import ThresholdModule
from lab.tracking.reading.baselines import QUICK
from lab.tracking.writing.tracker import Tracker
from lab.training.baselines.features import MOST_CATEGORIES, Features, Span, summaries
from lab.training.baselines.linear_models import (
    logistic_regression,
    one_vs_rest,
    quantile_regression,
    ridge_regression,
)
from lab.training.baselines.ngram import NGrams
from lab.training.baselines.text_models import WEAK_PENALTY, TfIdf, most_terms
from lab.training.building import Built
from lab.training.own_modules.own_module import OwnObserver

NAMES = {
    "classification": "logistic regression",
    "ordinal": "logistic regression",
    "multilabel": "one-vs-rest logistic regression",
    "regression": "ridge regression",
    "language": "5-gram",
}
OF_TEXTS = ("classification", "ordinal", "multilabel", "regression")
QUANTILES = "linear quantile regression"
NAIVE_MEAN = "a mean of naive forecasts"
MOST_ROWS = 20_000
MOST_FEATURES = 4_000
MOST_VALUES = 30_000_000  # rows × features × classes of a logistic regression: about a second
MOST_PRODUCTS = 20_000_000_000  # rows × features² of a ridge regression, likewise
MOST_CELLS = 60_000  # rows × features × outputs of a quantile regression, likewise
ORDER = 5  # of the n-gram model
MOST_TOKENS = 500_000  # of its text
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
    """The name of the model; "" for a forecast that is not combined, and a module that measures in its own terms."""
    if built.judge is None:
        return ""
    if len(combination.shares_of(built.judge.architecture)) > 2:  # the network's, and those of several naive forecasts
        return NAIVE_MEAN
    if isinstance(built.data, Text):
        return f"TF-IDF and {NAMES[built.data.task]}" if built.data.task in OF_TEXTS else ""
    if isinstance(built.judge, QuantileRegression):
        return QUANTILES
    name = NAMES.get(built.data.task, "")
    return f"TF-IDF and {name}" if texts_of(built.data) else name


def measure(built: Built) -> QuickBaseline:
    """Fit and score the model, by the names that a user's own module has for the metrics; NONE where it has no name.

    The training rows are drawn where there are very many. Draws nothing from the global generators. One thread: the
    sums of such small matrices wait for each other, 20 s instead of 0.5 s where other processes use the cores too.
    """
    name = name_of(built)
    if not name:
        return NONE
    found, observer = _measured(built, name), built.observer
    own = observer.task_scores if isinstance(observer, OwnObserver) else None
    return replace(found, metrics=own.renamed(found.metrics)) if own else found


def _measured(built: Built, name: str) -> QuickBaseline:
    data = built.data
    if isinstance(data, Characters):
        return _of_language(built, data, name)
    if name == NAIVE_MEAN:
        outputs_of = combination.naive_mean(_judge(built).architecture, data.loader("val"))
        return _scored(built, name, outputs_of, rows=0, every=0)
    if isinstance(data, Text):
        return _of_texts(built, data, name)
    width, classes = features_of(data), data.sizes.classes or data.sizes.labels
    rows, every = _rows_for(built, width), len(data.splits["train"])  # type: ignore[arg-type]
    if width > MOST_FEATURES or rows < ROWS_PER_CLASS * max(classes, 1):
        size = f"{width:,} inputs and {classes} classes" if classes else f"{width:,} inputs"
        return QuickBaseline(name, note=f"no {name}: {size} take longer than a second or two")
    if texts_of(data) and isinstance(built.judge, QuantileRegression):
        return QuickBaseline(name, note=f"no {name}: the words of texts take longer than a second or two")
    x, y, *weight = _that_count(training_rows(data, rows))
    if classes and (y == y[:1]).all():
        return QuickBaseline(name, note=f"no {name}: the training split has a single class")
    with threadpool_limits(1):
        return _scored(built, name, _fitted(built, x, y, _array(weight[0]) if weight else None), rows, every)


def _scored(built: Built, name: str, outputs_of: Callable[[Tensor], Tensor], rows: int, every: int) -> QuickBaseline:
    """The scores of a model of inputs to raw outputs that has seen so many rows of every training sample."""
    scores = _scores(_judge(built), outputs_of, built.data)
    note = f"{name} is fitted on {rows:,} of {every:,} training samples" if rows < every else ""
    if built.data.sizes.padded and not isinstance(built.data, Text):
        said = f"{name} has mean, deviation, first, last, smallest and largest value of each channel, and the length"
        note = f"{said}; {note}" if note else said
    return QuickBaseline(name, {f"test/{metric}": value for metric, value in scores.items()}, note)


def _judge(built: Built) -> TaskModule:
    assert built.judge is not None, "else the model has no name"
    return built.judge


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


def _of_texts(built: Built, data: Text, name: str) -> QuickBaseline:
    """A model of the raw texts; validation and test are served in order, so its outputs are handed out in order too."""
    train = data.split_indices["train"]
    rows = drawn_rows(len(train), MOST_ROWS)
    _, y, *weight = batch_of(data.splits["train"], torch.from_numpy(rows))
    if weight:
        rows, y, weight = rows[weight[0] > 0], y[weight[0] > 0], [weight[0][weight[0] > 0]]
    classes = data.sizes.classes or data.sizes.labels
    if classes and (y == y[:1]).all():
        return QuickBaseline(name, note=f"no {name}: the training split has a single class")
    served = ["test"]
    judge = built.judge
    if isinstance(judge, ThresholdModule) and judge.chosen_by is not None:
        served = ["val", "test"]
    with threadpool_limits(1):
        texts = [data.texts[index] for index in train[rows]]
        model = TfIdf(texts, y.numpy(), classes, _of_class(built), _array(weight[0]) if weight else None)
        found = model([data.texts[index] for split in served for index in data.split_indices[split]])
        outputs = iter(cumulative_logits(found) if data.task == "ordinal" else found)
        return _scored(
            built, name, lambda x: torch.stack(list(itertools.islice(outputs, len(x)))), len(rows), len(train)
        )


def _of_language(built: Built, data: Characters, name: str) -> QuickBaseline:
    """An n-gram model of the training text, or of its end where that is very long."""
    text = data.splits["train"].numbers.numpy()  # type: ignore[attr-defined]
    grams = NGrams(text[-MOST_TOKENS:], data.sizes.vocabulary, ORDER)

    def outputs_of(x: Tensor) -> Tensor:
        return torch.from_numpy(grams.log_probabilities(x.long().numpy())).float()

    scores = _scores(_judge(built), outputs_of, data)
    note = (
        f"{name} is fitted on the last {MOST_TOKENS:,} of {len(text):,} characters" if len(text) > MOST_TOKENS else ""
    )
    return QuickBaseline(name, {f"test/{metric}": value for metric, value in scores.items()}, note)


def _of_class(built: Built) -> Any:
    """The weights of classes in the loss, as scikit-learn takes them."""
    loss = built.experiment.loss
    chosen = loss.settings.get("class_weights") if loss else None
    return dict(enumerate(class_weights.of(chosen, built.data.class_names))) if isinstance(chosen, dict) else chosen


def _fitted(built: Built, x: Tensor, y: Tensor, weight: Any) -> Callable[[Tensor], Tensor]:
    """The model of training rows x (N, ...) and y, with their weights (N,) or None: inputs (B, ...) to raw outputs."""
    classes = built.data.sizes.classes or built.data.sizes.labels
    texts = dict.fromkeys(texts_of(built.data), most_terms(classes))
    features = summaries if built.data.sizes.padded else Features.fit(_array(x), categories_of(built.data), texts)
    penalty = WEAK_PENALTY if texts else 1.0
    if isinstance(built.judge, QuantileRegression):
        model = quantile_regression(features(_array(x)), _array(y), built.judge.levels, weight)
    elif built.data.task == "regression":
        model = ridge_regression(features(_array(x)), _array(y), weight)
    elif built.data.task == "multilabel":
        model = one_vs_rest(features(_array(x)), y.numpy(), weight, penalty)
    else:
        model = logistic_regression(features(_array(x)), y.numpy(), classes, _of_class(built), weight, penalty)
    if built.data.task == "ordinal":
        return lambda inputs: cumulative_logits(model(features(_array(inputs))))
    return lambda inputs: model(features(_array(inputs)))


def features_of(data: DataModule) -> int:
    """The number of features that a linear model of this data has."""
    if data.sizes.padded:
        return 6 * data.sizes.input_shape[0] + 1
    codes = categories_of(data)
    tokens = sum(end - first for first, end in texts_of(data))  # sparse, and fast in any number
    plain = int(np.prod(data.first_samples(1).shape[1:])) - len(codes) - tokens
    return plain + sum(count + 1 if count <= MOST_CATEGORIES else 1 for count in codes.values())


def categories_of(data: DataModule) -> dict[int, int]:
    """The columns of category codes, with the number of known categories."""
    return dict(data.input_adapter.categories) if isinstance(data.input_adapter, EmbeddedColumns) else {}


def texts_of(data: DataModule) -> list[Span]:
    """The columns of the tokens of each text."""
    return list(data.input_adapter.texts) if isinstance(data.input_adapter, EmbeddedColumns) else []


def rows_for(features: int, classes: int) -> int:
    """How many training rows can be used within about a second; `classes` is 0 for a regression."""
    size = max(features, 1)
    return min(MOST_ROWS, MOST_VALUES // (size * classes) if classes else MOST_PRODUCTS // size**2)


def _rows_for(built: Built, features: int) -> int:
    """As `rows_for`; of quantiles, each a linear program, there are fewer."""
    if isinstance(built.judge, QuantileRegression):
        return MOST_CELLS // (max(features, 1) * built.data.sizes.out_features)
    return rows_for(features, built.data.sizes.classes)


def training_rows(data: DataModule, most: int) -> Batch:
    """The training samples x (N, ...), y and their weights if they have any, or as many of them drawn at random."""
    dataset: Any = data.splits["train"]
    return batch_of(dataset, torch.from_numpy(drawn_rows(len(dataset), most)))


def _that_count(rows: Batch) -> Batch:
    """The rows whose weight is not 0."""
    return tuple(part[rows[2] > 0] for part in rows) if len(rows) > 2 else rows


def drawn_rows(count: int, most: int) -> Any:
    """The numbers of all rows, or of as many drawn at random, in order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _array(values: Tensor) -> Any:
    return values.double().cpu().numpy()
