"""Balanced accuracy, recall and calibration error against scikit-learn, where classes tie, are rare or are missing."""

import math
import warnings

import numpy as np
import pytest
import torch
from modules.made_modules import ODD_CLASSES, class_samples, scores, task
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve
from torch import Tensor, nn

from lab.modules.metrics import class_metrics
from lab.modules.metrics.class_metrics import BINS, BalancedAccuracy, CalibrationError, Recall
from lab.modules.tasks.classification import ClassificationModule

SAMPLES = 300


def made(classes: int, odd: str) -> tuple[Tensor, Tensor]:
    """Probabilities (N, classes) and class numbers (N,) of one kind."""
    logits, y = class_samples(odd, SAMPLES, classes, columns=classes)
    return logits.softmax(1), y


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("odd", ODD_CLASSES)
class TestAgainstScikitLearn:
    def test_balanced_accuracy(self, classes: int, odd: str) -> None:
        probabilities, y = made(classes, odd)
        with warnings.catch_warnings(action="ignore"):  # of classes that are predicted and never seen
            expected = reference.balanced_accuracy_score(y, probabilities.argmax(1))
        assert in_batches(BalancedAccuracy(classes), probabilities, y) == pytest.approx(expected)

    def test_recall(self, classes: int, odd: str) -> None:
        probabilities, y = made(classes, odd)
        expected = reference.recall_score(
            y, probabilities.argmax(1), labels=range(classes), average=None, zero_division=np.nan
        )
        found = [in_batches(Recall(classes, number), probabilities, y) for number in range(classes)]
        assert found == pytest.approx(expected.tolist(), nan_ok=True)

    def test_calibration_error(self, classes: int, odd: str) -> None:
        probabilities, y = made(classes, odd)
        confidence = probabilities.amax(1).double().numpy()
        right = (probabilities.argmax(1) == y).numpy()
        edges = np.linspace(0, 1, BINS + 1)
        samples = np.bincount(np.searchsorted(edges[1:-1], confidence), minlength=BINS)
        accuracy, mean = calibration_curve(right, confidence, n_bins=BINS)
        expected = (samples[samples > 0] * np.abs(accuracy - mean)).sum() / SAMPLES
        assert in_batches(CalibrationError(), probabilities, y) == pytest.approx(expected)


def in_batches(metric: torch.nn.Module, probabilities: Tensor, y: Tensor) -> float:
    for part, target in zip(probabilities.split(70), y.split(70), strict=True):
        metric.update(part, target)  # type: ignore[operator]
    return float(metric.compute())  # type: ignore[operator]


def test_probabilities_that_are_nan_are_wrong_and_have_no_calibration() -> None:
    probabilities, y = torch.tensor([[0.9, 0.1], [math.nan, math.nan], [0.2, 0.8]]), torch.tensor([0, 0, 1])
    assert in_batches(BalancedAccuracy(2), probabilities, y) == 0.75
    assert in_batches(Recall(2, 0), probabilities, y) == 0.5
    assert math.isnan(in_batches(CalibrationError(), probabilities, y))


def test_the_module_has_them_on_every_split_and_the_recalls_in_the_test() -> None:
    names = ("fraud!", "all fine.", "fraud.")
    module = ClassificationModule(3, majority=1, class_names=names, **task(nn.CrossEntropyLoss()))
    probabilities, y = made(3, "usual")
    found = scores(module, probabilities.log(), (y, y))
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(y, probabilities.argmax(1)))
    assert found["ece"] == pytest.approx(in_batches(CalibrationError(), probabilities, y))
    recalls = {"recall_fraud_", "recall_all_fine_", "recall_fraud__3"}
    assert {name for name in module.new_metrics("test") if str(name).startswith("recall")} == recalls
    assert module.test_directions() == {f"test/{name}": True for name in recalls}
    assert not any(name.startswith("recall") for name in module.directions())


def test_many_classes_have_no_recalls() -> None:
    assert len(class_metrics.recall_of_each([str(number) for number in range(20)])) == 20
    assert class_metrics.recall_of_each([str(number) for number in range(21)]) == {}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((80, 20), True), ((79, 21), False), ((50, 0, 50), False), ((40, 40, 5), True), ((), False)],
)
def test_the_main_metric_of_imbalanced_classes_is_balanced_accuracy(counts: tuple[int, ...], expected: bool) -> None:
    assert class_metrics.imbalanced(counts) is expected
    module = ClassificationModule(3, majority=0, counts=counts, **task(nn.CrossEntropyLoss()))
    assert module.main_metric == ("balanced_accuracy" if expected else "accuracy")
