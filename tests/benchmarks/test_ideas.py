"""The bench of ideas: twenty valid comparisons, and how a verdict is held against what is true."""

import math

import pytest
from benchmarks import ideas, truths

from lab.comparisons.statistics.design import State, Verdict

NAMES = (*ideas.OWN, *ideas.ARTICLE)


def test_there_are_twenty_valid_ideas() -> None:
    assert len(set(NAMES)) == 20
    assert all(len(ideas.idea(name, minutes=5).arms) > 1 for name in ideas.OWN)


def test_a_stored_truth_is_that_of_its_scores_with_a_95_percent_interval() -> None:
    for name, entry in truths.stored().items():
        assert name in NAMES
        scores = list(entry["scores"].values())
        assert len({len(each) for each in scores}) == 1
        for arm, truth in entry["truth"].items():
            assert truth["seeds"] == len(scores[0])
            known = [(a, b) for a, b in zip(entry["scores"][arm], scores[0], strict=True) if None not in (a, b)]
            if len(known) == truth["seeds"]:
                assert truth["mean"] == pytest.approx(sum(a - b for a, b in known) / len(known))
            assert truth["low"] <= truth["mean"] <= truth["high"]


@pytest.mark.parametrize(
    ("state", "low", "high", "higher", "judgement"),
    [
        ("better", 0.01, 0.03, True, "right"),
        ("better", 0.01, 0.03, False, "wrong"),
        ("worse", 0.01, 0.03, False, "right"),
        ("worse", -0.01, 0.03, False, "open"),
        ("practically equal", -0.04, 0.04, True, "right"),
        ("practically equal", 0.06, 0.08, True, "wrong"),
        ("practically equal", 0.04, 0.06, True, "open"),
        ("undecided", -0.09, 0.0, True, "right"),
        ("undecided", -0.2, -0.15, True, "wrong"),
    ],
)
def test_a_verdict_is_right_where_the_whole_interval_of_the_truth_agrees(
    state: State, low: float, high: float, higher: bool, judgement: str
) -> None:
    verdict = Verdict(state, 9, 0.0, 1.0, -0.1, 0.1, 0.5, 0.05)
    assert truths.judged(verdict, truths.Truth((low + high) / 2, low, high, 100), 0.05, higher) == judgement
    assert truths.judged(verdict, None, 0.05, higher) == "open"


def test_an_arm_that_is_alike_to_the_last_digit_has_a_truth_without_end() -> None:
    content = {"x": {"scores": {"a": [0.5, 0.5, 0.5], "b": [0.5, 0.5, 0.5]}}}
    assert not math.isfinite(truths.truths("x", True, content)["b"].high)
