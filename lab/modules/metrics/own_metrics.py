"""The metrics that an experiment names under `metrics:`, on what the task's predictions are."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from lab.config import schema
from lab.config.sections import Part
from lab.data.sizes import Sizes
from lab.errors import LabError


class Wrapped(WrapperMetric):
    """A metric that gets its arguments from a subclass's update."""

    def __init__(self, metric: Metric):
        super().__init__()
        self.metric = metric

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """As the metric says."""
        return self.metric.higher_is_better

    def compute(self) -> Tensor:
        """The value over all samples seen."""
        return self.metric.compute()

    def reset(self) -> None:
        """Forget them."""
        self.metric.reset()
        super().reset()


class OwnMetric(Wrapped):
    """A metric on what the task's predictions are: probabilities (N, classes), or values (N, T).

    A metric for two classes, as torchmetrics' Binary... are, gets the probability of the second one, (N,). One whose
    update takes `weight` gets the weights of the samples, where they have such.
    """

    def __init__(self, metric: Metric, second_class: bool):
        super().__init__(metric)
        self.second_class = second_class
        self.takes_weight = "weight" in inspect.signature(metric.update).parameters

    def update(self, preds: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Predictions and truth of some samples."""
        weights = {"weight": weight} if self.takes_weight and weight is not None else {}
        self.metric.update(preds[:, 1] if self.second_class else preds, target, **weights)


def build_all(parts: Mapping[str, Part], sizes: Sizes) -> dict[str, Metric]:
    """Fresh metrics by name; raises LabError for one that is none, or that does not fit the task."""
    return {name: _build(f"metrics.{name}", part, sizes) for name, part in parts.items()}


def _build(path: str, part: Part, sizes: Sizes) -> Metric:
    known = {"num_classes": sizes.classes, "classes": sizes.classes, "num_labels": sizes.labels}
    supplied: dict[str, Any] = {name: count for name, count in known.items() if count}
    for name in known.keys() - supplied.keys():
        if schema.requires(part.target, name):
            what = "labels" if name == "num_labels" else "classes"
            raise LabError(f"{path}: {part.kind} asks for `{name}`, but there are no {what} to predict")
    metric = part.build(**supplied)
    if not isinstance(metric, Metric):
        raise LabError(f"{path}: {part.kind} is no torchmetrics.Metric")
    if metric.higher_is_better is None:
        raise LabError(f"{path}: {part.kind} does not say whether higher is better; set its class's higher_is_better")
    binary = any(base.__name__.startswith("Binary") for base in type(metric).__mro__)
    if binary and sizes.classes != 2:
        given = f"{sizes.labels} labels" if sizes.labels else sizes.classes
        raise LabError(f"{path}: {part.kind} is for two classes, the data has {given}")
    return OwnMetric(metric, binary)
