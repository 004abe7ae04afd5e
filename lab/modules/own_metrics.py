"""Metrics of one's own, from torchmetrics or from a file where one works."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from lab import schema
from lab.data.sizes import Sizes
from lab.errors import LabError
from lab.experiment import Part


class OwnMetric(WrapperMetric):
    """A metric on what the task's predictions are: probabilities (N, classes), or values (N, T).

    A metric for two classes, as torchmetrics' Binary... are, gets the probability of the second one, (N,).
    """

    def __init__(self, metric: Metric, second_class: bool):
        super().__init__()
        self.metric = metric
        self.second_class = second_class

    @property
    def higher_is_better(self) -> bool | None:  # type: ignore[override]
        """As the metric says."""
        return self.metric.higher_is_better

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Predictions and truth of some samples."""
        self.metric.update(preds[:, 1] if self.second_class else preds, target)

    def compute(self) -> Tensor:
        """The value over all samples seen."""
        return self.metric.compute()

    def reset(self) -> None:
        """Forget them."""
        self.metric.reset()
        super().reset()


def build_all(parts: Mapping[str, Part], sizes: Sizes) -> dict[str, Metric]:
    """Fresh metrics by name; raises LabError for one that is none, or that does not fit the task."""
    return {name: _build(f"metrics.{name}", part, sizes) for name, part in parts.items()}


def _build(path: str, part: Part, sizes: Sizes) -> Metric:
    supplied: dict[str, Any] = {"num_classes": sizes.classes, "classes": sizes.classes} if sizes.classes else {}
    for name in ("num_classes", "classes"):
        if schema.requires(part.target, name) and not sizes.classes:
            raise LabError(f"{path}: {part.kind} asks for `{name}`, but there are no classes to predict")
    metric = part.build(**supplied)
    if not isinstance(metric, Metric):
        raise LabError(f"{path}: {part.kind} is no torchmetrics.Metric")
    if metric.higher_is_better is None:
        raise LabError(f"{path}: {part.kind} does not say whether higher is better; set its class's higher_is_better")
    binary = any(base.__name__.startswith("Binary") for base in type(metric).__mro__)
    if binary and sizes.classes != 2:
        raise LabError(f"{path}: {part.kind} is for two classes, the data has {sizes.classes}")
    return OwnMetric(metric, binary)
