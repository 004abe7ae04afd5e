"""The LightningModules of the tasks: classification, regression, forecasting; and what they give to a user."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from lab.config.types import Threshold
from lab.data import baselines
from lab.data.loaders import Batch
from lab.data.preparation import Scale
from lab.modules import class_metrics, coverage, value_metrics, weighted_metrics
from lab.modules.class_metrics import Decided, SecondClassAUROC
from lab.modules.conformal import UnscaledInterval
from lab.modules.task import TaskModule, weight_of
from lab.modules.thresholds import ThresholdModule


class ClassificationModule(ThresholdModule):
    """Accuracy, balanced accuracy, macro F1, calibration error and (two classes) the area under the ROC curve.

    The trivial baseline says `majority`, the most frequent class of the training split. The test also has the recall
    of each class in `class_names`. Where the training samples of each class, `counts`, are `imbalanced`, the balanced
    accuracy is the main metric. With a `threshold`, for two classes, the second is said where it is more probable;
    the metric by which that is chosen is the main metric.
    """

    trivial_name = "majority class"

    def __init__(
        self,
        classes: int,
        majority: int,
        class_names: Sequence[str] = (),
        counts: Sequence[float] = (),
        threshold: Threshold | None = None,
        **task: Any,
    ):
        super().__init__(threshold, class_names[1:2] if threshold is not None else (), **task)
        self.classes = classes
        self.majority = majority
        self.class_names = class_names
        usual = "balanced_accuracy" if class_metrics.imbalanced(counts) else "accuracy"
        self.main_metric = self.chosen_by or usual

    def output(self) -> nn.Module:
        """Raw outputs to probabilities (N, classes)."""
        return Probabilities()

    def predictions(self, outputs: Tensor) -> Tensor:
        """Probabilities (N, classes)."""
        return Probabilities()(outputs.float())

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on probabilities (N, classes) and class numbers (N,)."""
        if self.weighted:
            return weighted_metrics.classification(self.classes)
        metrics: dict[str, Metric] = {
            "accuracy": MulticlassAccuracy(self.classes, average="micro"),
            "balanced_accuracy": class_metrics.BalancedAccuracy(self.classes),
            "f1": MulticlassF1Score(self.classes, average="macro"),
            "ece": class_metrics.CalibrationError(),
        }
        if self.thresholds:
            metrics = {name: metric if name == "ece" else Decided(metric) for name, metric in metrics.items()}
        if self.classes == 2:
            metrics["auroc"] = SecondClassAUROC()
        return metrics

    def test_metrics(self) -> dict[str, Metric]:
        """The recall of each class."""
        recalls = (weighted_metrics if self.weighted else class_metrics).recall_of_each(self.class_names)
        return {name: Decided(metric) if self.thresholds else metric for name, metric in recalls.items()}

    def loss_target(self, batch: Batch) -> Tensor:
        """Class numbers (N,); for the single logit of two classes 0.0 and 1.0, (N, 1)."""
        return batch[1].float().unsqueeze(1) if self.classes == 2 else batch[1]

    def target(self, batch: Batch) -> Tensor:
        """Class numbers (N,)."""
        return batch[1]

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Probabilities and truth, with a threshold also the decisions, class numbers (N,)."""
        found = super().scored(outputs, batch)
        if not self.thresholds:
            return found
        return found | {"decided": (found["preds"][:, 1] > self.thresholds[0]).long()}

    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """All probability on the most frequent class."""
        decided = torch.full_like(batch[1], self.majority)
        predictions = {"preds": one_hot(decided, self.classes).float(), "target": self.target(batch)}
        return predictions | weight_of(batch) | ({"decided": decided} if self.thresholds else {})

    def scores_of_yes(self, scored: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The probability of the second class and whether it is true, (N, 1)."""
        return scored["preds"][:, 1:], scored["target"][:, None]


class Probabilities(nn.Module):
    """Logits (N, 1) of two classes, or (N, classes), to probabilities (N, classes)."""

    def forward(self, logits: Tensor) -> Tensor:
        """The probability of every class."""
        if logits.shape[1] > 1:
            return logits.softmax(dim=1)
        second = logits.sigmoid()
        return torch.cat([1 - second, second], dim=1)


class RegressionModule(TaskModule):
    """MAE and RMSE in the target's own units, and R².

    The architecture learns standardised targets; the loss is measured on those, and the metrics in double precision.
    `columns` are the targets with their columns of (N, T). The trivial baseline says the mean of the training targets.
    With the level `conformal`, each value gets an interval, whose `margins` (T,) conformal.py measures.
    """

    trivial_name = "training mean"
    main_metric = "r2"
    mixes_targets = True

    def __init__(self, target_scale: Scale, columns: dict[str, slice], conformal: float | None = None, **task: Any):
        super().__init__(**task)
        self.target_scale = target_scale
        self.columns = columns
        self.conformal = conformal
        self.margins = torch.zeros(len(target_scale.mean), dtype=torch.float64)  # until they are measured

    def output(self) -> nn.Module:
        """Raw outputs to values in the target's own units, (N, T), and their intervals."""
        margins = self.interval_margins()
        return Unscale(self.target_scale) if margins is None else UnscaledInterval(self.target_scale, margins)

    def interval_margins(self) -> Tensor | None:
        """The margins, where there are intervals."""
        return self.margins if self.conformal is not None else None

    def predictions(self, outputs: Tensor) -> Tensor:
        """Values in the target's own units, (N, T)."""
        return self._scale_on(outputs.device).invert(outputs.double())

    def _scale_on(self, device: torch.device) -> Scale:
        scale = self.target_scale
        return Scale(scale.mean.to(device, torch.float64), scale.std.to(device, torch.float64))

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on values (N, T)."""
        return value_metrics.regression(self.columns, value_metrics.WEIGHTED if self.weighted else value_metrics.PLAIN)

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Predictions and targets, in their own units and, as `scaled_...`, standardised."""
        scaled = {"scaled_preds": outputs.double(), "scaled_target": batch[1].double()}
        found = super().scored(outputs, batch) | scaled
        return found | self.interval(found)

    def interval(self, scored: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The `lower` and `upper` ends (N, T) of the intervals, where there are such.

        They go from the prediction, or from the outer quantiles `low` and `high`.
        """
        if self.conformal is None:
            return {}
        preds, margins = scored["preds"], self.margins.to(scored["preds"].device)
        lower = torch.minimum(scored.get("low", preds) - margins, preds)
        upper = torch.maximum(scored.get("high", preds) + margins, preds)
        scale = self._scale_on(preds.device)
        return {
            "lower": lower,
            "upper": upper,
            "scaled_lower": scale.apply(lower),
            "scaled_upper": scale.apply(upper),
        }

    def conformity(self, scored: Mapping[str, Tensor]) -> Tensor:
        """How far outside its prediction, or the outer quantiles, each true value is, (N, T); negative inside."""
        preds, target = scored["preds"], scored["target"]
        return torch.maximum(scored.get("low", preds) - target, target - scored.get("high", preds))

    def test_metrics(self) -> dict[str, Metric]:
        """Coverage and width of the intervals."""
        return {} if self.conformal is None else coverage.of_interval(self.columns, "conformal_", ("lower", "upper"))

    def test_intervals(self, correlated: int) -> dict[str, tuple[float, float]]:
        """As every task; the coverage of independent samples has the exact interval of a binomial share."""
        found = super().test_intervals(correlated)
        if correlated > 1 or self.weighted or not self.test_outputs:
            return found
        scored = {name: torch.cat([part[name] for part in self.test_outputs]) for name in self.test_outputs[0]}
        return found | coverage.binomial_intervals(self.new_metrics("test").to(self.device), scored)

    def bands(self) -> list[str]:
        """What is predicted beside each value, by the name of its column."""
        return ["lower", "upper"] if self.conformal is not None else []

    def target(self, batch: Batch) -> Tensor:
        """The true values in their own units, (N, T)."""
        return self.predictions(batch[1])

    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """The mean of the training targets, or what else `trivial_outputs` gives."""
        return self.scored(self.trivial_outputs(batch), batch)

    def trivial_outputs(self, batch: Batch) -> Tensor:
        """The raw outputs of the trivial baseline, (N, T)."""
        return torch.zeros_like(batch[1])


class Unscale(nn.Module):
    """Standardised values (N, T) to values in the target's own units."""

    mean: Tensor
    std: Tensor

    def __init__(self, scale: Scale):
        super().__init__()
        self.register_buffer("mean", scale.mean, persistent=False)
        self.register_buffer("std", scale.std, persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """(N, T) to (N, T)."""
        return values * self.std + self.mean


class ForecastingModule(RegressionModule):
    """MAE and RMSE in the series' own units, and the skill against the trivial forecast.

    That repeats the values of one season ago; with a `season` of one step, the last value. The first `targets`
    channels are forecast.
    """

    main_metric = "skill"

    def __init__(self, target_scale: Scale, columns: dict[str, slice], season: int = baselines.LAST_VALUE, **task: Any):
        super().__init__(target_scale, columns, **task)
        self.season = season
        self.trivial_name = baselines.described(season)

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics, on values (N, targets · horizon)."""
        return value_metrics.forecasting(self.columns)

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Predictions, targets, and the trivial forecast that the skill is measured against."""
        return super().scored(outputs, batch) | {"scaled_reference": self.seasonal_forecast(batch).double()}

    def trivial_outputs(self, batch: Batch) -> Tensor:
        """The value of each target one season before."""
        return self.seasonal_forecast(batch)

    def seasonal_forecast(self, batch: Batch) -> Tensor:
        """Standardised, (N, targets · horizon)."""
        x, y = batch[:2]
        targets = len(self.columns)
        return baselines.seasonal(x, targets, y.shape[1] // targets, self.season)


class Predictor(nn.Module):
    """Standardise the input, run the architecture, turn its outputs into probabilities or values.

    Shapes: raw inputs (N, ...) to probabilities (N, classes), or values (N, T) in the target's units.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: nn.Module, input_scale: Scale, output: nn.Module):
        super().__init__()
        self.register_buffer("mean", input_scale.mean)
        self.register_buffer("std", input_scale.std)
        self.architecture = architecture
        self.output = output
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for raw inputs."""
        return self.output(self.architecture((x - self.mean) / self.std))


def predict_with(module: nn.Module, x: Tensor) -> Tensor:
    """The outputs (N, ...) of a LightningModule's `predict_step` for inputs (N, ...), by default those of `forward`.

    Raises TypeError where they are anything else.
    """
    outputs = module.predict_step(x, 0)  # type: ignore[operator]
    if not isinstance(outputs, Tensor):
        raise TypeError(f"predict_step (by default forward) returns {type(outputs).__name__}, not a tensor (N, ...)")
    if outputs.shape[:1] != x.shape[:1]:
        raise TypeError(f"predict_step (by default forward) returns {tuple(outputs.shape)} for {len(x)} samples")
    return outputs


class OwnPredictor(nn.Module):
    """Standardise the input, let a user's LightningModule predict, flatten its outputs to (N, K).

    `output` is a layer that follows, where the module gives what the task's own networks give.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, module: nn.Module, input_scale: Scale, output: nn.Module | None):
        super().__init__()
        self.register_buffer("mean", input_scale.mean)
        self.register_buffer("std", input_scale.std)
        self.module = module
        self.output = output or nn.Flatten()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Predictions for raw inputs."""
        outputs = predict_with(self.module, (x - self.mean) / self.std)
        return self.output(outputs if outputs.ndim > 1 else outputs.unsqueeze(1))
