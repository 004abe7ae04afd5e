"""Losses, metrics and baselines against scikit-learn in double precision, under shift, scale and odd targets."""

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from modules.made_modules import ODD_CLASSES, batches, class_samples, scores, task
from sklearn import metrics as reference
from torch import Tensor, nn

from lab.data.preparation import Scale
from lab.modules.tasks.classification import ClassificationModule
from lab.modules.tasks.regression import ForecastingModule, RegressionModule

SAMPLES = 45  # in batches of 7: the last has 3
TIGHT = 1e-6
SHIFTS = (0.0, 1e5, -1e7)
SCALES = (1.0, 4e-4, 1e6)

Array = np.ndarray[Any, np.dtype[np.float64]]


def noise(columns: int, odd: str) -> Tensor:
    """Standardised values (N, columns) of one kind."""
    values = torch.randn(SAMPLES, columns, generator=torch.Generator().manual_seed(3))
    match odd:
        case "constant":
            return torch.full_like(values, 0.3)
        case "ties":
            return values.round()
        case "far from the training split":
            return values + 50
        case "skewed":
            return values.exp()
    return values


def r2(true: Array, predicted: Array) -> float:
    return float(reference.r2_score(true, predicted))


@pytest.mark.parametrize("odd", ["usual", "constant", "ties", "far from the training split", "skewed"])
@pytest.mark.parametrize(("shift", "scale"), list(itertools.product(SHIFTS, SCALES)))
class TestValues:
    def test_regression(self, shift: float, scale: float, odd: str) -> None:
        fitted = Scale(torch.tensor([shift]), torch.tensor([scale]))
        module = RegressionModule(fitted, {"y": slice(0, 1)}, **task(nn.MSELoss()))
        y = noise(1, odd)
        outputs = 0.6 * y + 0.4 * noise(1, "usual").flip(0)
        true, predicted = (shift_and_scale(values, shift, scale) for values in (y, outputs))
        found = scores(module, outputs, (torch.zeros(SAMPLES), y))
        expected = {
            "loss": reference.mean_squared_error(y.double(), outputs.double()),
            "mae": reference.mean_absolute_error(true, predicted),
            "rmse": reference.root_mean_squared_error(true, predicted),
            "r2": r2(y.double().numpy(), outputs.double().numpy()),
        }
        assert found == pytest.approx(expected, rel=TIGHT, abs=rounding(shift, scale))
        trivial = module.score_trivial(batches((torch.zeros(SAMPLES), y), 7))
        mean = np.full_like(true, np.float32(shift))
        assert trivial["mae"] == pytest.approx(
            reference.mean_absolute_error(true, mean), rel=TIGHT, abs=rounding(shift, scale)
        )
        assert trivial["r2"] == pytest.approx(
            r2(y.double().numpy(), np.zeros((SAMPLES, 1))), rel=TIGHT, abs=rounding(shift, scale)
        )

    def test_forecast(self, shift: float, scale: float, odd: str) -> None:
        fitted = Scale(torch.tensor([shift] * 3), torch.tensor([scale] * 3))
        module = ForecastingModule(fitted, {"y": slice(0, 3)}, **task(nn.L1Loss()))
        y, x = noise(3, odd), noise(4, odd).unsqueeze(1)
        outputs = y + 0.1 * noise(3, "usual").flip(0)
        last = x[:, 0, -1:].expand(-1, 3).double()
        found = scores(module, outputs, (x, y))
        reference_error = reference.mean_squared_error(y.double(), last)
        error = reference.mean_squared_error(y.double(), outputs.double())
        assert found["loss"] == pytest.approx(reference.mean_absolute_error(y.double(), outputs.double()), rel=TIGHT)
        true, predicted = (shift_and_scale(values, shift, scale) for values in (y, outputs))
        assert found["mae"] == pytest.approx(
            reference.mean_absolute_error(true, predicted), rel=TIGHT, abs=rounding(shift, scale)
        )
        if reference_error:
            assert found["skill"] == pytest.approx(1 - error / reference_error, rel=TIGHT, abs=rounding(shift, scale))
        else:
            assert math.isnan(found["skill"])


def shift_and_scale(values: Tensor, shift: float, scale: float) -> Array:
    return (values.double() * np.float32(scale) + np.float32(shift)).numpy()


def rounding(shift: float, scale: float) -> float:
    """What double precision itself leaves open of values of 1e7 that differ by 4e-4."""
    return 1e-15 * abs(shift) * max(1, 1 / scale)


def test_several_targets_are_measured_each_in_its_unit_and_pooled_in_standard_deviations() -> None:
    fitted = Scale(torch.tensor([1e5, 0.0]), torch.tensor([1.0, 4e-4]))
    module = RegressionModule(fitted, {"mass": slice(0, 1), "length": slice(1, 2)}, **task(nn.MSELoss()))
    y = noise(2, "usual")
    outputs = y + 0.5 * noise(2, "skewed").flip(0)
    true, predicted = (values.double() * fitted.std + fitted.mean for values in (y, outputs))
    found = scores(module, outputs, (torch.zeros(SAMPLES), y))
    assert found["r2"] == pytest.approx(r2(y.double().numpy(), outputs.double().numpy()), rel=TIGHT)
    assert found["mae_scaled"] == pytest.approx(reference.mean_absolute_error(y.double(), outputs.double()), rel=TIGHT)
    for column, name in enumerate(["mass", "length"]):
        pair = true[:, column], predicted[:, column]
        assert found[f"mae_{name}"] == pytest.approx(reference.mean_absolute_error(*pair), rel=TIGHT)
        assert found[f"rmse_{name}"] == pytest.approx(reference.root_mean_squared_error(*pair), rel=TIGHT)
        assert found[f"r2_{name}"] == pytest.approx(
            r2(y[:, column].double().numpy(), outputs[:, column].double().numpy()), rel=TIGHT
        )
    assert "mae" not in found


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("odd", ODD_CLASSES)
def test_classes(classes: int, odd: str) -> None:
    module = ClassificationModule(
        classes, majority=1, **task(nn.BCEWithLogitsLoss() if classes == 2 else nn.CrossEntropyLoss())
    )
    logits, y = class_samples(odd, SAMPLES, classes, columns=1 if classes == 2 else classes)
    found = scores(module, logits, (torch.zeros(SAMPLES), y))
    predicted = (logits[:, 0] > 0).long() if classes == 2 else logits.argmax(1)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(y, predicted), rel=TIGHT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found["f1"] == pytest.approx(reference.f1_score(y, predicted, average="macro"), rel=TIGHT)
    assert found["loss"] == pytest.approx(log_loss(logits.double(), y), rel=TIGHT, abs=1e-9)
    if classes == 2 and len(y.unique()) == 1:
        assert math.isnan(found["auroc"])  # scikit-learn says NaN, with a warning
    elif classes == 2:
        assert found["auroc"] == pytest.approx(reference.roc_auc_score(y, logits[:, 0].sigmoid()), rel=TIGHT)
    trivial = module.score_trivial(batches((torch.zeros(SAMPLES), y), 7))
    assert trivial["accuracy"] == pytest.approx(float((y == 1).double().mean()), rel=TIGHT)


def log_loss(logits: Tensor, y: Tensor) -> float:
    """By hand: scikit-learn clips probabilities of 0."""
    if logits.shape[1] == 1:
        return float(torch.nn.functional.softplus(torch.where(y == 1, -logits[:, 0], logits[:, 0])).mean())
    return float((logits.logsumexp(1) - logits.gather(1, y[:, None])[:, 0]).mean())


class TestLossOfAnEpoch:
    """It is the loss of the whole split, whatever the batch size."""

    weights = torch.tensor([1.0, 10.0, 0.1])

    @pytest.mark.parametrize("size", [1, 7, 16, SAMPLES])
    @pytest.mark.parametrize(
        "loss",
        [
            nn.CrossEntropyLoss(),
            nn.CrossEntropyLoss(weight=weights),
            nn.CrossEntropyLoss(weight=weights, label_smoothing=0.2),
            nn.CrossEntropyLoss(ignore_index=2),
            nn.NLLLoss(weight=weights),
        ],
        ids=["plain", "class weights", "with smoothing", "a class ignored", "negative log-likelihood"],
    )
    def test_a_mean(self, loss: nn.Module, size: int) -> None:
        logits, y = torch.randn(SAMPLES, 3).log_softmax(1), torch.randint(3, (SAMPLES,))
        y[:3] = torch.arange(3)
        if isinstance(loss, nn.CrossEntropyLoss) and loss.ignore_index == 2:
            y[::size] = 0  # PyTorch itself gives NaN for a batch in which every target is ignored
        module = ClassificationModule(3, majority=0, **task(loss))
        assert scores(module, logits, (y, y), size)["loss"] == pytest.approx(float(loss(logits, y)), rel=1e-5)

    def test_a_batch_of_ignored_targets_does_not_count_in_an_epoch(self) -> None:
        """Its loss is 0 / 0."""
        loss = nn.CrossEntropyLoss(ignore_index=2)
        logits, y = torch.randn(SAMPLES, 3), torch.randint(2, (SAMPLES,))
        y[:7] = 2
        module = ClassificationModule(3, majority=0, **task(loss))
        assert scores(module, logits, (y, y), 7)["loss"] == pytest.approx(float(loss(logits, y)), rel=1e-5)

    @pytest.mark.parametrize("size", [1, 7, 16, SAMPLES])
    def test_a_sum_is_said_per_sample(self, size: int) -> None:
        logits, y = torch.randn(SAMPLES, 3), torch.randint(3, (SAMPLES,))
        module = ClassificationModule(3, majority=0, **task(nn.CrossEntropyLoss(reduction="sum")))
        expected = nn.functional.cross_entropy(logits, y)
        assert scores(module, logits, (y, y), size)["loss"] == pytest.approx(float(expected), rel=1e-5)


def test_a_constant_target_that_is_predicted_exactly_scores_1_and_another_prediction_0() -> None:
    fitted = Scale(torch.tensor([2.0]), torch.tensor([3.0]))
    module = RegressionModule(fitted, {"y": slice(0, 1)}, **task(nn.MSELoss()))
    y = torch.full((SAMPLES, 1), 0.3)
    for outputs, expected in ((y, 1.0), (y + 1, 0.0)):
        assert r2(y.numpy(), outputs.numpy()) == expected
        assert scores(module, outputs, (torch.zeros(SAMPLES), y))["r2"] == expected
