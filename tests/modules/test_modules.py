"""The LightningModules: what they predict, what they measure, and against what."""

import math

import pytest
import torch
from modules.made_modules import scores, task
from sklearn import metrics as reference
from torch import nn

from lab.config.experiment import load
from lab.data.preparation import Scale
from lab.errors import LabError, TrainingFailed
from lab.modules.metrics.epoch_scores import BUFFERED_ROWS
from lab.modules.tasks.classification import ClassificationModule, Probabilities
from lab.modules.tasks.regression import ForecastingModule, RegressionModule
from lab.training.building import build
from lab.training.trainer import make_trainer

VALUE = {"y": slice(None)}


def test_two_classes_have_one_logit_and_are_measured_as_scikit_learn_does() -> None:
    module = ClassificationModule(2, majority=0, **task(nn.BCEWithLogitsLoss()))
    logits, y = 0.3 * torch.randn(50, 1), torch.randint(2, (50,))
    found = scores(module, logits, (torch.zeros(50), y))
    predicted = (logits[:, 0] > 0).int()
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(y, predicted))
    assert found["f1"] == pytest.approx(reference.f1_score(y, predicted, average="macro"))
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(y, logits[:, 0]))
    assert found["loss"] == pytest.approx(reference.log_loss(y, logits[:, 0].sigmoid()), rel=1e-4)


def test_many_classes_are_measured_as_scikit_learn_does() -> None:
    module = ClassificationModule(4, majority=1, **task(nn.CrossEntropyLoss()))
    logits, y = torch.randn(50, 4), torch.randint(4, (50,))
    found = scores(module, logits, (torch.zeros(50), y))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(y, logits.argmax(1)))
    assert found["f1"] == pytest.approx(reference.f1_score(y, logits.argmax(1), average="macro"))
    assert found["loss"] == pytest.approx(reference.log_loss(y, logits.double().softmax(1)), rel=1e-4)


def test_values_are_measured_in_their_own_units() -> None:
    scale = Scale(torch.tensor([100.0]), torch.tensor([20.0]))
    module = RegressionModule(scale, VALUE, **task(nn.MSELoss()))
    outputs, y = torch.randn(50, 1), torch.randn(50, 1)
    found = scores(module, outputs, (torch.zeros(50), y))
    true, predicted = scale.invert(y), scale.invert(outputs)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(true, predicted), rel=1e-4)
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(true, predicted), rel=1e-4)
    assert found["r2"] == pytest.approx(reference.r2_score(true, predicted), rel=1e-4)


def test_skill_is_one_for_a_perfect_forecast_and_zero_for_the_last_value() -> None:
    module = ForecastingModule(Scale(torch.tensor([5.0]), torch.tensor([2.0])), VALUE, **task(nn.MSELoss()))
    x, y = torch.randn(30, 1, 8), torch.randn(30, 3)
    assert scores(module, y, (x, y))["skill"] == pytest.approx(1)
    assert scores(module, x[:, 0, -1:].expand(-1, 3), (x, y))["skill"] == pytest.approx(0, abs=1e-6)
    assert module.score_trivial([(x, y)])["skill"] == pytest.approx(0, abs=1e-6)


def test_skill_is_zero_for_the_last_season_where_that_is_the_baseline() -> None:
    module = ForecastingModule(Scale(torch.tensor([5.0]), torch.tensor([2.0])), VALUE, 4, **task(nn.MSELoss()))
    x, y = torch.randn(30, 1, 8), torch.randn(30, 6)
    naive = torch.stack([x[:, 0, 8 - 4 + step % 4] for step in range(6)], dim=1)
    assert scores(module, naive, (x, y))["skill"] == pytest.approx(0, abs=1e-6)
    assert module.score_trivial([(x, y)])["rmse"] == pytest.approx(2 * float((naive - y).square().mean().sqrt()))


def test_trivial_baselines_are_the_majority_class_and_the_mean() -> None:
    y = torch.tensor([0, 0, 1, 2])
    classes = ClassificationModule(3, majority=0, **task(nn.CrossEntropyLoss()))
    assert classes.score_trivial([(y, y)])["accuracy"] == 0.5
    values = RegressionModule(Scale(torch.tensor([10.0]), torch.tensor([2.0])), VALUE, **task(nn.MSELoss()))
    assert values.score_trivial([(torch.zeros(2), torch.tensor([[1.0], [-1.0]]))]) == {
        "mae": 2,
        "rmse": 2,
        "r2": 0,
    }


def test_probabilities_add_up_to_one_for_both_kinds_of_logits() -> None:
    for logits in (torch.randn(5, 1), torch.randn(5, 4)):
        torch.testing.assert_close(Probabilities()(logits).sum(1), torch.ones(5))
    assert Probabilities()(torch.tensor([[0.0]])).tolist() == [[0.5, 0.5]]


def test_an_epoch_of_many_rows_gives_the_same_scores_as_its_parts_together() -> None:
    module = ClassificationModule(3, majority=0, **task(nn.CrossEntropyLoss()))
    logits, y = torch.randn(2 * BUFFERED_ROWS + 5, 3), torch.randint(3, (2 * BUFFERED_ROWS + 5,))
    found = scores(module, logits, (y, y), size=1000)
    assert found["accuracy"] == pytest.approx(float((logits.argmax(1) == y).float().mean()))


@pytest.mark.usefixtures("empty_workplace")
class TestLosses:
    @pytest.mark.parametrize(
        ("name", "loss"),
        [("mlp", "cross_entropy"), ("breast_cancer", "bce"), ("diabetes", "mse"), ("sunspots", "mse")],
    )
    def test_the_task_decides_where_the_experiment_does_not(self, name: str, loss: str) -> None:
        built = build(load(name))
        assert built.experiment.settings()["loss.kind"] == loss

    @pytest.mark.parametrize(
        ("name", "loss"), [("mlp", "mse"), ("breast_cancer", "cross_entropy"), ("diabetes", "bce")]
    )
    def test_a_loss_of_another_task_is_refused(self, name: str, loss: str) -> None:
        with pytest.raises(LabError, match=f"loss.kind: {loss} does not fit"):
            build(load(name, [f"loss.kind={loss}"]))

    @pytest.mark.parametrize("loss", ["{kind: l1}", "{kind: huber, delta: 0.5}", "{kind: torch.nn.SmoothL1Loss}"])
    def test_a_loss_can_be_chosen(self, loss: str) -> None:
        built = build(load("diabetes", [f"loss={loss}", "trainer.max_steps=1"]))
        make_trainer(built).fit(built.module, built.data)


@pytest.mark.usefixtures("empty_workplace")
def test_a_loss_that_is_not_finite_stops_at_its_step_and_says_what_to_try() -> None:
    built = build(load("digits", ["optimizer={kind: sgd, lr: 1e30}", "model.norm=none"]))
    with pytest.raises(TrainingFailed) as failure:
        make_trainer(built).fit(built.module, built.data)
    message = str(failure.value)
    assert "the loss became" in message
    assert "at step 2 (epoch 1, batch 2); the last finite loss was" in message
    assert "try: a lower optimizer.lr" in message


@pytest.mark.usefixtures("empty_workplace")
def test_the_gradient_norm_is_that_before_clipping() -> None:
    built = build(load("digits", ["trainer.gradient_clip_val=1e-6", "trainer.max_steps=3"]))
    make_trainer(built).fit(built.module, built.data)
    assert built.module.gradients.take()["gradient_norm"] > 1e-3
    assert math.isnan(built.module.gradients.take()["gradient_ratio"])  # taken
