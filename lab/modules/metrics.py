"""Loss and metrics of an epoch, the lab's own metrics, and those that an experiment names."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.wrappers.abstract import WrapperMetric

from lab.config import schema
from lab.config.sections import Part
from lab.data.base import Sizes
from lab.errors import LabError

# Rows kept before they are handed to the metrics: one update costs as much as many rows do.
BUFFERED_ROWS = 8_192


class EpochScores:
    """Collects the batches of an epoch and gives the mean loss and the metrics over all its samples."""

    def __init__(self, metrics: MetricCollection):
        self.metrics = metrics
        self.metrics.persistent(True)  # a state_dict holds their state
        self.samples = 0  # in the last epoch that was computed
        self._clear()

    def _clear(self) -> None:
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []
        self._buffer: list[dict[str, Tensor]] = []
        self._buffered = 0

    def add(self, losses: list[Tensor], sizes: list[int], scored: dict[str, Tensor]) -> None:
        """One or several batches: mean loss and size of each, and what the metrics take of them all.

        That is `preds` and `target`, both (B, ...), and what else the task has.
        """
        self._losses += losses
        self._sizes += sizes
        self._buffer.append(scored)
        self._buffered += len(scored["target"])
        if self._buffered >= BUFFERED_ROWS:
            self._flush()

    def _joined_buffer(self) -> dict[str, Tensor]:
        names = self._buffer[0] if self._buffer else ()
        return {name: torch.cat([part[name] for part in self._buffer]) for name in names}

    def _flush(self) -> None:
        self.metrics.update(**self._joined_buffer())
        self._buffer, self._buffered = [], 0

    def state_dict(self) -> dict[str, Any]:
        """What was collected of an epoch that is not over."""
        return {
            "losses": torch.stack(self._losses) if self._losses else torch.empty(0),
            "sizes": torch.tensor(self._sizes),
            "buffer": self._joined_buffer(),
            "metrics": self.metrics.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on collecting."""
        self._losses = list(state["losses"].to(device))
        self._sizes = state["sizes"].tolist()
        buffer = {name: rows.to(device) for name, rows in state["buffer"].items()}
        self._buffer = [buffer] if buffer else []
        self._buffered = len(buffer["target"]) if buffer else 0
        self.metrics.load_state_dict(state["metrics"])
        self.metrics.to(device)

    def compute(self) -> dict[str, float]:
        """Loss and metrics of the epoch, and an empty start for the next."""
        if self._buffer:
            self._flush()
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        losses = torch.stack(self._losses).double().cpu()
        values = {"loss": float((losses * sizes).sum() / sizes.sum())}
        self.samples = sum(self._sizes)
        values |= as_floats(self.metrics.compute())
        self.metrics.reset()
        self._clear()
        return values


def as_floats(values: dict[str, Tensor]) -> dict[str, float]:
    """Metric values as the shortest decimals that stand for them: 0.462, not 0.4620000123977661."""
    return {name: float(str(value.cpu().numpy())) for name, value in values.items()}


class SkillScore(Metric):
    """1 − MSE(model) / MSE(reference forecast): 1 is perfect, 0 no better than the reference (Murphy 1988)."""

    higher_is_better = True
    squared: Tensor
    reference_squared: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("squared", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("reference_squared", torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor, reference: Tensor) -> None:
        """Predictions, targets and reference forecast, all (N, horizon)."""
        self.squared += (preds - target).square().sum()
        self.reference_squared += (reference - target).square().sum()

    def compute(self) -> Tensor:
        """The score over all samples seen."""
        return 1 - self.squared / self.reference_squared


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
