"""A threshold is the best of all that there are, as a search through them finds it."""

from typing import Any

import numpy as np
import pytest
import torch
from modules.made_modules import batches, task
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from torch import nn

from lab.config.types import Threshold
from lab.errors import LabError
from lab.modules.tasks.classification import ClassificationModule
from lab.modules.tasks.multilabel import MultilabelModule
from lab.modules.tasks.thresholds import best, fitting

RANDOM = np.random.default_rng(0)
SCORES: dict[str, Any] = {
    "f1": lambda truth, said: f1_score(truth, said, zero_division=0),
    "macro": lambda truth, said: f1_score(truth, said, average="macro", zero_division=0),
    "balanced_accuracy": balanced_accuracy_score,
    "accuracy": accuracy_score,
}


@pytest.mark.parametrize("measure", list(SCORES))
@pytest.mark.parametrize("digits", [1, 6])  # with ties, without
def test_no_threshold_is_better(measure: str, digits: int) -> None:
    for _ in range(20):
        scores = np.round(RANDOM.random(30), digits).astype(np.float32)
        truth = (RANDOM.random(30) < 0.3 + 0.4 * scores).astype(int)
        found = best(scores, truth, "f1" if measure == "macro" else measure, of_both=measure == "macro")
        assert found is not None
        every = [float(value) for value in (*scores, 0.0)]
        reached = max(SCORES[measure](truth, scores > limit) for limit in every)
        assert SCORES[measure](truth, scores > found) == pytest.approx(reached)
        assert 0 <= found <= 1


def test_of_equally_good_thresholds_it_is_the_one_nearest_to_one_half() -> None:
    apart = np.array([0.1, 0.2, 0.8, 0.9], np.float32)
    assert best(apart, np.array([0, 0, 1, 1]), "accuracy", of_both=True) == 0.5
    low = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    assert best(low, np.array([0, 0, 1, 1]), "accuracy", of_both=True) == pytest.approx(0.25)
    # Yes to the last alone, and yes to all: both have one mistake.
    assert best(low, np.array([1, 0, 1, 1]), "f1", of_both=False) == pytest.approx(0.05)


def test_between_neighbours_in_single_precision_it_still_tells_them_apart() -> None:
    low = np.float32(0.7)
    scores = np.array([low, np.nextafter(low, np.float32(1))])
    found = best(scores, np.array([0, 1]), "f1", of_both=False)
    assert found is not None
    assert (scores > np.float32(found)).tolist() == [False, True]


def test_a_probability_of_1_or_0_for_everybody_is_no_reason_to_fail() -> None:
    assert best(np.ones(4, np.float32), np.array([0, 0, 0, 1]), "accuracy", of_both=True) == 1.0
    assert best(np.zeros(4, np.float32), np.array([0, 1, 1, 1]), "accuracy", of_both=True) == 0.5


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_with_one_kind_of_sample_there_is_nothing_to_choose_by(truth: list[int]) -> None:
    assert best(np.array([0.1, 0.2, 0.3], np.float32), np.array(truth), "f1", of_both=False) is None


def test_a_probability_of_just_a_half_is_a_no_at_the_usual_threshold() -> None:
    assert best(np.array([0.5, 0.9], np.float32), np.array([0, 1]), "accuracy", True) == 0.5


class TestOfAModule:
    """0.2 parts the samples with and without `cat`, 0.8 those with and without `dog`; no sample has `none`."""

    truth = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0]])
    probabilities = torch.tensor([[0.1, 0.6, 0.1], [0.3, 0.7, 0.2], [0.4, 0.7, 0.3], [0.6, 0.9, 0.4]])

    def module(self, threshold: Threshold | None) -> MultilabelModule:
        network = nn.Linear(3, 3, bias=False)
        nn.init.eye_(network.weight)
        made = {**task(nn.BCEWithLogitsLoss()), "architecture": nn.Sequential(network, nn.Dropout(0.5))}
        return MultilabelModule(["cat", "dog", "none"], [3, 1, 0], 4, threshold, **made)

    def test_is_a_half_where_none_is_set(self) -> None:
        module = self.module(None)
        assert module.thresholds == (0.5, 0.5, 0.5)
        assert module.described == ""

    def test_is_the_number_that_is_set_and_no_batch_changes_it(self) -> None:
        module = self.module(0.3)
        module.choose_thresholds(batches((self.probabilities.logit(), self.truth), 3))
        assert module.thresholds == (0.3, 0.3, 0.3)
        assert module.described == "cat above 0.3, dog above 0.3, none above 0.3 (set by threshold)"

    @pytest.mark.parametrize("training", [True, False])
    def test_is_the_best_of_each_label_on_the_batches_given(self, training: bool) -> None:
        module = self.module("f1").train(training)
        assert module.thresholds == (0.5, 0.5, 0.5)  # until it is chosen
        module.choose_thresholds(batches((self.probabilities.logit(), self.truth), 3))
        assert module.thresholds == pytest.approx((0.2, 0.8, 0.5))
        assert module.training is training
        assert module.described == (
            "cat above 0.2, dog above 0.8, none above 0.5 (best f1 on the validation split; 0.5 where it has only yes "
            "or only no: none)"
        )

    def test_decides_above_it_and_not_at_it(self) -> None:
        outputs = torch.tensor([[-0.1, 0.0, 0.1]])
        decided = self.module(None).scored(outputs, (outputs, self.truth[:1]))["decided"]
        assert decided.tolist() == [[0, 0, 1]]


def test_of_two_classes_it_is_the_best_for_the_f1_of_both() -> None:
    """Another one is best for the F1 of the second class alone."""
    scores, truth = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.6, 0.7]), torch.tensor([0, 1, 1, 0, 0, 1])
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    made = {**task(nn.BCEWithLogitsLoss()), "architecture": network}
    module = ClassificationModule(2, 1, ("no", "yes"), threshold="f1", **made)
    module.choose_thresholds(batches((scores.logit()[:, None], truth), 4))
    assert module.thresholds == pytest.approx((0.65,))
    assert best(scores.numpy(), truth.numpy(), "f1", of_both=False) == pytest.approx(0.15)


def test_a_threshold_is_for_two_classes_and_for_labels() -> None:
    assert fitting("f1", "multilabel", 4) == fitting("f1", "classification", 2) == "f1"
    assert fitting(None, "regression", 0) is None
    with pytest.raises(LabError, match=r"^threshold: is for two classes or for labels, not for 3 classes; leave it"):
        fitting(0.3, "classification", 3)
    with pytest.raises(LabError, match=r"not for regression; leave it out$"):
        fitting(0.3, "regression", 0)
