"""Loss and metrics of an epoch, the lab's own metrics, and those that an experiment names."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection

from lab.errors import LabError
from lab.modules import reduction, sample_weights
from lab.modules.class_weights import WeightedBCE

# Rows kept before they are handed to the metrics: one update costs as much as many rows do.
BUFFERED_ROWS = 8_192
PREDICTED = ("preds", "quantiles", "nats")  # what the tasks score that comes from a network


class EpochScores:
    """Collects the batches of an epoch and gives the mean loss and the metrics over all its samples."""

    def __init__(self, metrics: MetricCollection):
        self.metrics = metrics
        for metric in self.metrics.modules():
            if isinstance(metric, Metric):
                metric.persistent(True)  # a state_dict holds its state
        self.samples = 0  # in the last epoch that was computed
        self._clear()

    def _clear(self) -> None:
        self._losses: list[Tensor] = []
        self._weights: list[float] = []
        self._samples = 0
        self._buffer: list[dict[str, Tensor]] = []
        self._buffered = 0
        self._undefined = False

    def add(self, losses: list[Tensor], weights: list[float], scored: dict[str, Tensor]) -> None:
        """One or several batches: mean loss and weight of each (see `weighted`), and what the metrics take of them.

        That is `preds` and `target`, both (B, ...), and what else the task has.
        """
        self._losses += losses
        self._weights += weights
        self._samples += len(scored["target"])
        self._buffer.append(scored)
        self._buffered += len(scored["target"])
        if self._buffered >= BUFFERED_ROWS:
            self._flush()

    def _joined_buffer(self) -> dict[str, Tensor]:
        names = self._buffer[0] if self._buffer else ()
        return {name: torch.cat([part[name] for part in self._buffer]) for name in names}

    def _flush(self) -> None:
        joined = self._joined_buffer()
        self._undefined |= has_nan(joined)
        self.metrics.update(**joined)
        self._buffer, self._buffered = [], 0

    def state_dict(self) -> dict[str, Any]:
        """What was collected of an epoch that is not over."""
        return {
            "losses": torch.stack(self._losses) if self._losses else torch.empty(0),
            "weights": torch.tensor(self._weights, dtype=torch.float64),
            "samples": self._samples,
            "buffer": self._joined_buffer(),
            "undefined": self._undefined,
            "metrics": self.metrics.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on collecting; raises LabError where an earlier version of the lab measured with other metrics."""
        if state["metrics"].keys() != self.metrics.state_dict().keys():
            if len(state["losses"]):
                raise LabError("a checkpoint from the middle of an epoch of an earlier version; train from the start")
            return
        self._losses = list(state["losses"].to(device))
        self._weights = (state["weights"] if "weights" in state else state["sizes"]).tolist()  # sizes: before 0.3
        self._samples = state.get("samples", round(sum(self._weights)))
        buffer = {name: rows.to(device) for name, rows in state["buffer"].items()}
        self._buffer = [buffer] if buffer else []
        self._buffered = len(buffer["target"]) if buffer else 0
        self._undefined = state.get("undefined", False)
        self.metrics.load_state_dict(state["metrics"])
        self.metrics.to(device)

    def compute(self) -> dict[str, float]:
        """Loss and metrics of the epoch, on all devices that train together, and an empty start for the next."""
        if self._buffer:
            self._flush()
        weights = torch.tensor(self._weights, dtype=torch.float64)
        losses = torch.stack(self._losses).double().cpu()
        counts = torch.tensor([self._samples, self._undefined], dtype=torch.float64)
        counted = losses[weights != 0] * weights[weights != 0]  # without weight a loss may be NaN, as 0 / 0
        sums = torch.stack([counted.sum(), weights.sum(), *counts])
        loss, weight, samples, undefined = reduction.summed(sums)
        values = {"loss": float(loss / weight)}
        self.samples = int(samples)
        values |= _measured(self.metrics, bool(undefined))  # torchmetrics reduces their states
        self.metrics.reset()
        self._clear()
        return values


def measured(metrics: MetricCollection, scored: Iterable[Mapping[str, Tensor]]) -> dict[str, float]:
    """The metrics, which are new, over all parts of what was scored; NaN where a prediction is."""
    undefined = False
    for part in scored:
        undefined |= has_nan(part)
        metrics.update(**part)
    return _measured(metrics, undefined)


def _measured(metrics: MetricCollection, undefined: bool) -> dict[str, float]:
    values = as_floats(metrics.compute())
    return dict.fromkeys(values, math.nan) if undefined else values


def has_nan(scored: Mapping[str, Tensor]) -> bool:
    """Whether a prediction is NaN: a metric of it says nothing, but many would take it for the first class or a no."""
    return any(bool(scored[name].isnan().any()) for name in PREDICTED if name in scored)


def as_floats(values: dict[str, Tensor]) -> dict[str, float]:
    """Metric values as the shortest decimals that stand for them: 0.462, not 0.4620000123977661."""
    for name, value in values.items():
        if not isinstance(value, Tensor) or value.numel() != 1:
            given = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"the metric {name} gave {given}; it must give one number")
    return {name: float(str(value.cpu().numpy())) for name, value in values.items()}


def weighted(
    loss: nn.Module, losses: list[Tensor], targets: Sequence[Tensor], weights: Sequence[Tensor] | None = None
) -> tuple[list[Tensor], list[float]]:
    """The mean loss of each batch, and its weight in the mean over an epoch, which no batch size then changes.

    That weight is what the sum over the batch is divided by: the number of samples; for a cross-entropy with class
    weights or an ignored class, the weights of the targets. A loss that adds up (`reduction: sum`) is divided by the
    number of samples here. Where the samples have `weights`, they count instead of the number of samples.
    """
    if weights is not None:
        return _by_samples(loss, losses, targets, weights)
    sizes = [float(len(target)) for target in targets]
    if getattr(loss, "reduction", "mean") == "sum":
        return [value / size for value, size in zip(losses, sizes, strict=True)], sizes
    if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) and (loss.weight is not None or loss.ignore_index >= 0):
        return losses, [_class_weights(loss, target) for target in targets]
    if isinstance(loss, WeightedBCE):
        return losses, [float(loss.weights_of(target).sum()) for target in targets]
    return losses, sizes


def _by_samples(
    loss: nn.Module, losses: list[Tensor], targets: Sequence[Tensor], weights: Sequence[Tensor]
) -> tuple[list[Tensor], list[float]]:
    """As `weighted`, for samples with weights."""
    if getattr(loss, "reduction", "mean") == "sum":
        sums = [float(weight.double().sum()) for weight in weights]
        return [value / (total or 1.0) for value, total in zip(losses, sums, strict=True)], sums
    pairs = zip(targets, weights, strict=True)
    return losses, [float(sample_weights.counted(loss, *pair).double().sum()) for pair in pairs]


def _class_weights(loss: nn.CrossEntropyLoss | nn.NLLLoss, target: Tensor) -> float:
    counted = target[target != loss.ignore_index]
    return float(len(counted) if loss.weight is None else loss.weight[counted].sum())
