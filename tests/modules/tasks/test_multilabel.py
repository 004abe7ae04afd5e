"""Metrics of labels are scikit-learn's, also for labels that never occur, and with ties."""

import numpy as np
import pytest
import torch
from modules.made_modules import batches, task
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    hamming_loss,
    label_ranking_average_precision_score,
    recall_score,
    roc_auc_score,
)
from torch import nn
from torchmetrics import MetricCollection

from lab.modules.metrics import label_metrics
from lab.modules.metrics.class_metrics import MOST_RECALLS
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
from lab.modules.tasks.multilabel import MultilabelModule

RANDOM = np.random.default_rng(0)
NEVER, ALWAYS = 3, 4  # labels that no sample has, and all have
LABELS = 5


def samples(rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities with ties, and truth; some samples have every label, some none."""
    truth = RANDOM.integers(2, size=(rows, LABELS))
    truth[:, NEVER], truth[:, ALWAYS] = 0, 1
    return np.round(RANDOM.random((rows, LABELS)), 1).astype(np.float32), truth


def measured(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, float]:
    """What the metrics say of the samples, given in batches of 7."""
    metrics = MetricCollection(
        {
            "micro": MicroF1(LABELS),
            "macro": MacroF1(LABELS),
            "hamming": HammingLoss(LABELS),
            "subset": SubsetAccuracy(),
            "lrap": RankingPrecision(),
            "auroc": MacroAUROC(),
            **{f"f1_{label}": LabelF1(LABELS, label) for label in range(LABELS)},
            **{f"recall_{label}": LabelRecall(LABELS, label) for label in range(LABELS)},
            **{f"auroc_{label}": LabelAUROC(label) for label in range(LABELS)},
        },
        compute_groups=False,
    )
    preds, target = torch.from_numpy(probabilities), torch.from_numpy(truth)
    for part, true in zip(preds.split(7), target.split(7), strict=True):
        metrics.update(preds=part, target=true, decided=(part > 0.5).long())
    return {str(name): float(value) for name, value in metrics.compute().items()}


@pytest.mark.filterwarnings("ignore")  # scikit-learn about labels that never occur
def test_every_metric_is_that_of_scikit_learn() -> None:
    probabilities, truth = samples(200)
    decided = (probabilities > 0.5).astype(int)
    found = measured(probabilities, truth)
    single = f1_score(truth, decided, average=None)
    recalls = recall_score(truth, decided, average=None, zero_division=np.nan)
    areas = [roc_auc_score(truth[:, label], probabilities[:, label]) for label in range(NEVER)]
    expected = {
        "micro": f1_score(truth, decided, average="micro"),
        "macro": f1_score(truth, decided, average="macro"),
        "hamming": hamming_loss(truth, decided),
        "subset": accuracy_score(truth, decided),
        "lrap": label_ranking_average_precision_score(truth, probabilities),
        "auroc": np.mean(areas),
        **{f"f1_{label}": single[label] for label in range(LABELS)},
        **{f"recall_{label}": recalls[label] for label in range(LABELS)},
        **{f"auroc_{label}": areas[label] if label < NEVER else np.nan for label in range(LABELS)},
    }
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.filterwarnings("ignore")
def test_a_label_that_is_neither_there_nor_said_has_an_f1_of_0() -> None:
    truth, probabilities = np.zeros((4, LABELS), np.int64), np.zeros((4, LABELS), np.float32)
    assert measured(probabilities, truth)["macro"] == f1_score(truth, truth, average="macro") == 0


def test_the_ranking_is_compared_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_metrics, "COMPARED", 3 * LABELS**2)
    probabilities, truth = samples(50)
    assert measured(probabilities, truth)["lrap"] == pytest.approx(
        label_ranking_average_precision_score(truth, probabilities)
    )


def module(labels: int) -> MultilabelModule:
    return MultilabelModule([f"l{k}" for k in range(labels)], range(labels), labels, **task(nn.BCEWithLogitsLoss()))


def test_the_trivial_baseline_says_the_labels_that_more_than_half_of_the_samples_have() -> None:
    x, truth = torch.zeros(4, 1), torch.tensor([[0, 0, 0, 1]] * 4)
    trivial = module(4).scored_trivially((x, truth))
    assert trivial["decided"].tolist() == trivial["preds"].tolist() == [[0, 0, 0, 1]] * 4  # 0, 1, 2, 3 of 4 have it
    assert module(4).score_trivial(batches((x, truth), 3))["subset_accuracy"] == 1


def test_each_label_has_its_metrics_in_the_test_unless_they_are_many() -> None:
    assert set(module(2).test_metrics()) == {f"{what}_l{k}" for what in ("f1", "recall", "auroc") for k in range(2)}
    assert len(module(MOST_RECALLS).test_metrics()) == 3 * MOST_RECALLS
    assert module(MOST_RECALLS + 1).test_metrics() == {}
    assert MultilabelModule(["micro", "b"], [1, 1], 4, **task(nn.BCEWithLogitsLoss())).test_metrics().keys() == {
        *("recall_micro", "auroc_micro", "f1_b", "recall_b", "auroc_b")  # f1_micro is that of all labels
    }
