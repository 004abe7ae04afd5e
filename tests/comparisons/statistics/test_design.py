"""The arms of a comparison, and what a verdict says of one of them."""

from dataclasses import replace

import pytest

from lab.comparisons.statistics.design import Design, Rule, Verdict

OPEN = Verdict("undecided", 5, 0.1, 0.2, -0.3, 0.5, 0.6, 0.05)


def test_the_first_arm_is_the_control_and_all_others_challenge_it() -> None:
    design = Design("widths", "?", ("16", "32", "64"), {}, "test/accuracy", Rule(True))
    assert (design.control, design.challengers) == ("16", ("32", "64"))


@pytest.mark.parametrize(
    ("verdict", "decided", "differs", "ended"),
    [
        (OPEN, False, False, False),
        (replace(OPEN, futile=True), False, False, True),
        (replace(OPEN, state="practically equal"), True, False, True),
        (replace(OPEN, state="better"), True, True, True),
        (replace(OPEN, state="worse"), True, True, True),
    ],
)
def test_an_arm_has_ended_once_it_is_decided_or_given_up(
    verdict: Verdict, decided: bool, differs: bool, ended: bool
) -> None:
    assert (verdict.decided, verdict.differs, verdict.ended) == (decided, differs, ended)


def test_what_is_excluded_is_beyond_the_end_that_is_farther_from_0() -> None:
    assert OPEN.excluded == 0.5
    assert replace(OPEN, low=-0.7).excluded == 0.7
