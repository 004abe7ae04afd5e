"""A threshold is the best of all that there are, as a search through them finds it."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from lab.modules.tasks.thresholds import best

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
