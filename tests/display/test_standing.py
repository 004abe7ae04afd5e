"""The sentence that says first whether a result beats its baselines."""

import math

import pytest

from lab.display.standing import Baseline, standing

MAJORITY = Baseline("the majority class", 0.6)
LOGISTIC = Baseline("logistic regression", 0.9)


@pytest.mark.parametrize(
    ("value", "interval", "state", "sentence"),
    [
        (
            0.95,
            (0.92, 0.97),
            "better",
            "Better than the majority class and logistic regression: "
            "test/accuracy 0.9500 [0.9200, 0.9700] against 0.6000 and 0.9000.",
        ),
        (
            0.95,
            (0.88, 0.97),
            "not clearly better",
            "Not clearly better than logistic regression: test/accuracy 0.9500 [0.8800, 0.9700] against 0.9000; "
            "the majority class has 0.6000.",
        ),
        (
            0.9,
            None,
            "no better",
            "No better than logistic regression: test/accuracy 0.9000 against 0.9000; the majority class has 0.6000.",
        ),
        (
            0.55,
            (0.5, 0.6),
            "no better",
            "No better than the majority class and logistic regression: "
            "test/accuracy 0.5500 [0.5000, 0.6000] against 0.6000 and 0.9000.",
        ),
        (
            0.65,
            (0.55, 0.7),
            "no better",
            "No better than logistic regression: test/accuracy 0.6500 [0.5500, 0.7000] against 0.9000; "
            "the majority class has 0.6000.",
        ),
    ],
)
def test_the_worst_comes_first(value: float, interval: tuple[float, float] | None, state: str, sentence: str) -> None:
    found = standing("test/accuracy", value, interval, [MAJORITY, LOGISTIC])
    assert found is not None
    assert (found.state, found.sentence) == (state, sentence)


def test_without_an_interval_a_higher_value_is_better() -> None:
    found = standing("test/skill", 0.1, None, [Baseline("the last value", 0.0)])
    assert found is not None
    assert found.sentence == "Better than the last value: test/skill 0.1000 against 0.0000."


def test_numbers_that_are_unknown_say_nothing() -> None:
    assert standing("test/r2", math.nan, None, [MAJORITY]) is None
    assert standing("test/r2", 0.5, None, []) is None
    assert standing("test/r2", 0.5, None, [Baseline("the training mean", math.nan)]) is None


def test_values_that_differ_by_the_order_of_sums_alone_are_the_same() -> None:
    baseline = [Baseline("a mean", 0.29)]
    for value, state in ((0.29 * (1 + 1e-7), "no better"), (0.29 * (1 + 1e-5), "better")):
        found = standing("test/skill", value, None, baseline)
        assert found is not None and found.state == state  # noqa: PT018
