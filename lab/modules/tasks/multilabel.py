"""Labels, of which a sample may have several or none: the LightningModule.

Predictions are probabilities (N, K), targets and decisions 0 or 1, (N, K).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from lab.config.types import Threshold
from lab.data.loaders import Batch
from lab.modules.metrics.class_metrics import MOST_RECALLS, names_in_metrics
from lab.modules.metrics.label_metrics import (
    HammingLoss,
    LabelAUROC,
    LabelF1,
    LabelRecall,
    MacroAUROC,
    MacroF1,
    MicroF1,
    RankingPrecision,
    SubsetAccuracy,
)
from lab.modules.sample_weights import weight_of
from lab.modules.tasks.thresholds import ThresholdModule


class MultilabelModule(ThresholdModule):
    """F1 (micro and macro), subset accuracy, Hamming loss, and two of the ranking: LRAP and the macro AUROC.

    The trivial baseline gives each label its majority among the training samples, of which `counts` of `samples` have
    the label. The test also has F1, recall and AUROC of each label. The main metric is the macro F1, in which each
    label counts as much as any other.
    """

    trivial_name = "majority of each label"
    main_metric = "f1_macro"

    def __init__(
        self,
        label_names: Sequence[str],
        counts: Sequence[float],
        samples: float,
        threshold: Threshold | None = None,
        **task: Any,
    ):
        super().__init__(threshold, label_names, **task)
        self.label_names = label_names
        self.majority = [2 * count > samples for count in counts]

    def output(self) -> nn.Module:
        """Raw outputs to the probability of each label, (N, K)."""
        return nn.Sigmoid()

    def predictions(self, outputs: Tensor) -> Tensor:
        """The probability of each label, (N, K)."""
        return outputs.float().sigmoid()

    def task_metrics(self) -> dict[str, Metric]:
        """Fresh metrics."""
        labels = len(self.label_names)
        return {
            "f1_micro": MicroF1(labels),
            "f1_macro": MacroF1(labels),
            "subset_accuracy": SubsetAccuracy(),
            "hamming_loss": HammingLoss(labels),
            "lrap": RankingPrecision(),
            "auroc": MacroAUROC(),
        }

    def test_metrics(self) -> dict[str, Metric]:
        """F1, recall and AUROC of each label; none where there are too many to look at."""
        if len(self.label_names) > MOST_RECALLS:
            return {}
        labels, named = len(self.label_names), dict[str, Metric]()
        for number, name in enumerate(names_in_metrics(self.label_names)):
            named[f"f1_{name}"] = LabelF1(labels, number)
            named[f"recall_{name}"] = LabelRecall(labels, number)
            named[f"auroc_{name}"] = LabelAUROC(number)
        return {name: metric for name, metric in named.items() if name not in self.task_metrics()}

    def loss_target(self, batch: Batch) -> Tensor:
        """0.0 and 1.0, (N, K)."""
        return batch[1].float()

    def target(self, batch: Batch) -> Tensor:
        """0 and 1, (N, K)."""
        return batch[1]

    def scored(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Probabilities, decisions and truth."""
        found = super().scored(outputs, batch)
        limits = torch.tensor(self.thresholds, dtype=torch.float32, device=outputs.device)
        return found | {"decided": (found["preds"] > limits).long()}

    def scored_trivially(self, batch: Batch) -> dict[str, Tensor]:
        """The majority of each label."""
        decided = torch.tensor(self.majority, device=batch[1].device).long().expand(len(batch[1]), -1)
        return {"preds": decided.float(), "target": self.target(batch), "decided": decided, **weight_of(batch)}

    def scores_of_yes(self, scored: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Probabilities and truth."""
        return scored["preds"], scored["target"]
