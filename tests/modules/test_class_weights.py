"""`loss.class_weights: balanced`: weights as scikit-learn's, and a loss that no batch size changes."""

import math

import numpy as np
import pytest
import torch
from modules.made_modules import scores, task
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from lab.config.experiment import load
from lab.errors import LabError
from lab.modules.class_weights import balanced
from lab.modules.optimizers import bce, cross_entropy
from lab.modules.tasks.classification import ClassificationModule
from lab.training.baselines import quick_baseline
from lab.training.building import build

COUNTS = (30, 6, 9)


@pytest.mark.parametrize("counts", [COUNTS, (5, 5), (990, 10)])
def test_weights_are_those_of_scikit_learn(counts: tuple[int, ...]) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=y)
    assert balanced(counts).numpy() == pytest.approx(expected)


def test_a_class_without_training_samples_weighs_one_and_does_not_change_the_others() -> None:
    assert balanced((30, 0, 10)).tolist() == pytest.approx([*balanced((30, 10))[:1].tolist(), 1.0, 2.0])


def test_without_the_classes_of_the_training_data_it_is_refused() -> None:
    with pytest.raises(LabError, match=r"loss\.class_weights: balanced needs the classes of the training data"):
        cross_entropy(class_weights="balanced")


def by_loop(logits: Tensor, y: Tensor, weights: list[float]) -> float:
    """The weighted mean of the negative log-likelihood, sample by sample."""
    total = weight = 0.0
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        values = [0.0, *row] if len(row) == 1 else row
        likelihood = math.exp(values[label]) / sum(math.exp(value) for value in values)
        total -= weights[label] * math.log(likelihood)
        weight += weights[label]
    return total / weight


@pytest.mark.parametrize("size", [1, 7, 45])
@pytest.mark.parametrize("counts", [COUNTS, (38, 7)])
def test_the_loss_of_an_epoch_is_that_of_a_plain_loop_whatever_the_batch_size(
    counts: tuple[int, ...], size: int
) -> None:
    classes = len(counts)
    logits = torch.randn(45, 1 if classes == 2 else classes, generator=torch.Generator().manual_seed(2))
    y = torch.repeat_interleave(torch.arange(classes), torch.tensor(counts)).flip(0)
    made = bce if classes == 2 else cross_entropy
    module = ClassificationModule(classes, majority=0, **task(made(class_weights="balanced", class_counts=counts)))
    assert scores(module, logits, (y, y), size)["loss"] == pytest.approx(
        by_loop(logits, y, balanced(counts).tolist()), rel=1e-5
    )


@pytest.mark.usefixtures("empty_workplace")
class TestInAnExperiment:
    def test_the_weights_are_those_of_the_training_split(self) -> None:
        built = build(load("breast_cancer", ["loss={kind: bce, class_weights: balanced}"]))
        labels = built.data.splits["train"].y
        expected = compute_class_weight("balanced", classes=np.arange(2), y=labels.numpy())
        assert built.module.loss.weight.numpy() == pytest.approx(expected)

    def test_another_word_is_refused(self) -> None:
        with pytest.raises(LabError, match=r"loss\.class_weights: must be balanced, or a mapping, not 'equal'"):
            load("digits", ["loss={kind: cross_entropy, class_weights: equal}"])

    def test_the_counts_are_no_setting(self) -> None:
        with pytest.raises(LabError, match=r"loss\.class_counts: no such setting"):
            load("digits", ["loss={kind: cross_entropy, class_counts: [1, 2]}"])

    def test_an_experiment_without_it_is_recognised_by_studies_as_before(self) -> None:
        assert "loss.class_weights" not in load("digits", ["loss={kind: cross_entropy}"]).identity()


class TestByName:
    def test_classes_that_are_left_out_weigh_one(self) -> None:
        loss = cross_entropy(class_weights={"b": 3.0}, class_names=["a", "b", "c"])
        assert loss.weight.tolist() == [1.0, 3.0, 1.0]  # type: ignore[union-attr, operator]

    def test_the_loss_is_that_of_a_plain_loop(self) -> None:
        logits, y = torch.randn(20, 1), (torch.arange(20) % 3 == 0).long()
        loss = bce(class_weights={"no": 0.5, "yes": 4.0}, class_names=["no", "yes"])
        assert float(loss(logits, y.float()[:, None])) == pytest.approx(by_loop(logits, y, [0.5, 4.0]), rel=1e-5)

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            ("{malignent: 2}", "loss.class_weights: no class 'malignent'; did you mean malignant"),
            ("{malignant: 0, benign: 0}", "loss.class_weights: all are 0"),
            ("{malignant: -1}", "loss.class_weights"),
            ("equal", "loss.class_weights"),
        ],
    )
    @pytest.mark.usefixtures("empty_workplace")
    def test_what_is_refused(self, weights: str, message: str) -> None:
        with pytest.raises(LabError, match=message):
            build(load("breast_cancer", [f"loss={{kind: bce, class_weights: {weights}}}"]))

    @pytest.mark.usefixtures("empty_workplace")
    def test_the_quick_baseline_has_them_too(self) -> None:
        built = build(load("breast_cancer", ["loss={kind: bce, class_weights: {malignant: 50}}"]))
        found = quick_baseline.measure(built).metrics
        plain = quick_baseline.measure(build(load("breast_cancer"), built.data)).metrics
        assert found["test/accuracy"] < plain["test/accuracy"]
