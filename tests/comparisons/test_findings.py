"""The findings of a comparison in sentences, and its scores."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from lab.comparisons import findings
from lab.comparisons.findings import Findings, sentence, sentences
from lab.comparisons.scores import Plan, Scores, StoredScores
from lab.comparisons.statistics.chances import chance_of_decision
from lab.comparisons.statistics.design import FIXED_PAIRED, Design, Rule, Verdict
from lab.display.numbers import signed

pytestmark = pytest.mark.usefixtures("empty_workplace")

RULE = Rule(True, margin=0.01)
WORSE = Verdict("worse", 7, -0.041, 0.01, -0.054, -0.028, 0.0, 0.05)
BETTER = Verdict("better", 9, 0.004, 0.01, 0.001, 0.007, 1.0, 0.05)
EQUAL = Verdict("practically equal", 9, 0.001, 0.01, -0.004, 0.006, 0.5, 0.05)
UNDECIDED = Verdict("undecided", 12, 0.006, 0.03, -0.01, 0.02, 0.6, 0.05)


def found(verdict: Verdict, scores: Scores | None = None, **rule: Any) -> Findings:
    design = Design("mine", "", ("a", "b"), {"a": {}, "b": {}}, "val/accuracy", dataclasses.replace(RULE, **rule))
    return Findings(design, scores or Scores(), {"b": verdict})


def scored(*pairs: tuple[float, float]) -> Scores:
    """Scores of a and b on the seeds 1, 2, ...; NaN where a training failed."""
    scores = Scores()
    for seed, (control, arm) in enumerate(pairs, start=1):
        scores.add("a", seed, control, {})
        scores.add("b", seed, arm, {})
    return scores


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (WORSE, "b is worse than a by 0.0410 val/accuracy [−0.0540, −0.0280], decided after 7 seeds"),
        (
            BETTER,
            "b is better than a by 0.0040 val/accuracy [+0.0010, +0.0070], which is less than the margin of 0.0100, "
            "decided after 9 seeds",
        ),
        (
            dataclasses.replace(BETTER, mean=0.01),  # as large as the margin
            "b is better than a by 0.0100 val/accuracy [+0.0010, +0.0070], decided after 9 seeds",
        ),
        (
            EQUAL,
            "b and a are practically equal: they differ by +0.0010 val/accuracy [−0.0040, +0.0060], within ±0.0100, "
            "decided after 9 seeds",
        ),
        (
            UNDECIDED,
            "b against a is undecided after 12 seeds: +0.0060 val/accuracy [−0.0100, +0.0200]; "
            "a difference above 0.0200 is excluded",
        ),
        (
            dataclasses.replace(UNDECIDED, futile=True),
            "b against a is undecided after 12 seeds: +0.0060 val/accuracy [−0.0100, +0.0200]; "
            "a difference above 0.0200 is excluded; given up, because a decision within 30 seeds was unlikely",
        ),
        (
            Verdict("undecided", 3, 0.0, math.inf, -math.inf, math.inf, 0.6, 0.05),
            "b against a is undecided after 3 seeds: +0.0000 val/accuracy [−∞, +∞]",
        ),
    ],
)
def test_a_verdict_reads_as_a_sentence(verdict: Verdict, expected: str) -> None:
    assert sentence(found(verdict), "b", verdict) == expected


def test_at_the_last_seed_the_chance_of_more_is_said() -> None:
    scores = scored(*((0.5, 0.5 + 0.01 * (seed % 5 - 1)) for seed in range(12)))
    chance = chance_of_decision(scores.pairs("b", "a"), dataclasses.replace(RULE, most=12), 0.05, 24)
    assert sentence(found(UNDECIDED, scores, most=12), "b", UNDECIDED).endswith(
        f"is excluded; twice as many seeds would decide with a chance of about {100 * chance:.0f} % (--seeds 5..24)"
    )
    fixed = dataclasses.replace(UNDECIDED, rule=FIXED_PAIRED)  # a number of runs that was fixed beforehand
    assert sentence(found(fixed, scores, most=12), "b", fixed).endswith("is excluded")


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "+0.5000"), (-0.5, "−0.5000"), (0.0, "+0.0000"), (math.inf, "+∞"), (-math.inf, "−∞")]
)
def test_a_difference_has_a_sign(value: float, text: str) -> None:
    assert signed(value) == text


def test_failures_are_said_with_the_interval_of_their_share() -> None:
    lines = list(sentences(found(WORSE, scored((0.5, 0.6), (0.5, math.nan), (0.5, math.nan)))))
    assert lines[1:] == [
        "b failed on 2 of 3 seeds (9 % to 99 % of all, 95 % interval); each counts as the worst difference seen",
        "no other training failed; 3 seeds cannot exclude that up to 63 % of all seeds fail, or behave in a way not "
        "seen yet",
        "6 trainings; a fixed design of 29 seeds per arm takes 58",
    ]


def test_five_seeds_without_a_failure_do_not_exclude_failures() -> None:
    lines = list(sentences(found(WORSE, scored(*[(0.5, 0.6)] * 5))))
    assert lines[1].startswith("no training failed; 5 seeds cannot exclude that up to 45 % of all seeds fail")


def test_seeds_that_did_not_reach_the_target_are_no_numbers() -> None:
    both = scored(*[(21.0, 21.0)] * 5)
    design = found(UNDECIDED, both, limit=20.0, higher_is_better=False)
    assert (
        sentence(design, "b", UNDECIDED) == "b against a is undecided after 12 seeds: neither reached it (val/accuracy)"
    )
    one = list(sentences(found(WORSE, scored((3.0, 21.0), (4.0, 7.0)), limit=20.0, higher_is_better=False)))
    assert "b did not reach it on 1 of 2 seeds; each of them counts as 21 epochs, one more than was trained" in one
    assert not any(line.startswith("a did not reach") for line in one)
    last = list(sentences(found(WORSE, scored((3.0, 20.0)), limit=20.0, higher_is_better=False)))
    assert not any("did not reach" in line for line in last)  # it was reached in the last epoch


def test_the_fixed_design_is_that_of_bouthillier_et_al() -> None:
    assert findings.FIXED_DESIGN == 29
    assert found(WORSE).trainings == 0


class TestScores:
    """Scores by arm and seed."""

    def scores(self) -> Scores:
        scores = scored((0.5, 0.7), (0.5, math.nan), (0.25, 0.5))
        scores.add("a", 5, 0.1, {"seconds_per_epoch": 1.5})
        scores.add("b", 5, 0.9, {})
        return scores

    def test_pairs_end_at_the_first_unknown_seed_and_keep_failures(self) -> None:
        assert self.scores().pairs("b", "a") == [(0.7, 0.5), (None, 0.5), (0.5, 0.25)]
        assert self.scores().pairs("c", "a") == self.scores().pairs("a", "c") == []

    def test_failures_are_counted(self) -> None:
        assert self.scores().of("b")[2] is None
        assert (self.scores().failures("b"), self.scores().failures("a")) == ([2], [])
        assert found(WORSE, self.scores()).trainings == 8

    def test_stored_scores_are_read_again(self, workplace: Path) -> None:
        stored = StoredScores("mine", Plan(12, 4, 0.1, 0.5))
        stored.add("a", 3, 0.5, {"gradient_ratio": 2.0})
        stored.add("a", 4, math.inf, {})
        again = StoredScores("mine", Plan())
        assert (again.journal, again.arms) == (stored.journal, {"a": {3: 0.5, 4: None}})
        assert again.plan == Plan(12, 4, 0.1, 0.5)
        assert again.extras == {"a": {3: {"gradient_ratio": 2.0}, 4: {}}}
        assert StoredScores("other", Plan()).journal != stored.journal


def test_more_seeds_are_not_advised_where_they_would_not_decide() -> None:
    scores = scored(*((0.5, 0.5 + 10 * (seed % 2 - 0.5)) for seed in range(12)))
    said = sentence(found(UNDECIDED, scores, most=12), "b", UNDECIDED)
    assert said.endswith("twice as many seeds would not decide it either")
