"""The findings of a comparison in sentences, and its scores."""

import math
from pathlib import Path
from typing import Any

import pytest

from lab.comparisons import comparison, findings
from lab.comparisons.findings import Findings, sentence, sentences, signed
from lab.comparisons.scores import Scores, StoredScores
from lab.comparisons.verdicts import Verdict, seeds_needed

pytestmark = pytest.mark.usefixtures("empty_workplace")

WORSE = Verdict("worse", 7, -0.041, 0.01, -0.054, -0.028, 99.0, 0.0)
BETTER = Verdict("better", 9, 0.004, 0.01, 0.001, 0.007, 99.0, 1.0)
EQUAL = Verdict("practically equal", 9, 0.001, 0.01, -0.004, 0.006, 0.1, 0.5)
UNDECIDED = Verdict("undecided", 30, 0.006, 0.03, -0.01, 0.02, 0.5, 0.6)


def found(verdict: Verdict, scores: Scores | None = None, **changes: Any) -> Findings:
    content = {"base": "digits", "arms": {"a": {}, "b": {"model.hidden": 9}}, "margin": 0.01} | changes
    return Findings(comparison.parse("mine", "", content), True, scores or Scores(), {"b": verdict})


def needed(verdict: Verdict) -> int:
    count = seeds_needed(verdict, 0.01, 0.05)
    assert count is not None
    return count


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
            Verdict("better", 9, 0.01, 0.01, 0.001, 0.007, 99.0, 1.0),  # as large as the margin
            "b is better than a by 0.0100 val/accuracy [+0.0010, +0.0070], decided after 9 seeds",
        ),
        (
            EQUAL,
            "b and a are practically equal: they differ by +0.0010 val/accuracy [−0.0040, +0.0060], within ±0.0100, "
            "decided after 9 seeds",
        ),
        (
            UNDECIDED,
            "b against a is undecided after 30 seeds: +0.0060 val/accuracy [−0.0100, +0.0200]; "
            "about NEEDED seeds would decide at this mean and deviation (--seeds 5..NEEDED)",
        ),
        (
            Verdict("undecided", 30, 0.0, 100.0, -math.inf, math.inf, 0.5, 0.6),
            "b against a is undecided after 30 seeds: +0.0000 val/accuracy [−∞, +∞]; "
            "not decidable with a feasible number of seeds at this mean and deviation",
        ),
    ],
)
def test_a_verdict_reads_as_a_sentence(verdict: Verdict, expected: str) -> None:
    if "NEEDED" in expected:
        expected = expected.replace("NEEDED", str(needed(verdict)))
    assert sentence(found(verdict), "b", verdict) == expected


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "+0.5000"), (-0.5, "−0.5000"), (0.0, "+0.0000"), (math.inf, "+∞"), (-math.inf, "−∞")]
)
def test_a_difference_has_a_sign(value: float, text: str) -> None:
    assert signed(value) == text


def test_failed_seeds_and_the_cost_are_reported() -> None:
    scores = Scores()
    for seed in (1, 2, 3):
        scores.add("a", seed, 0.5, {})
        scores.add("b", seed, math.nan if seed > 1 else 0.6, {})
    lines = list(sentences(found(WORSE, scores)))
    assert len(lines) == 3
    assert lines[1:] == [
        "b could not be trained on seed 2, 3: left out, with the same seed of the other arms",
        "6 trainings; a fixed design of 29 seeds per arm takes 58",
    ]


def test_the_fixed_design_is_that_of_bouthillier_et_al() -> None:
    assert findings.FIXED_DESIGN == 29
    assert found(WORSE).trainings == 0


class TestScores:
    """Scores by arm and seed."""

    def scores(self) -> Scores:
        scores = Scores()
        for seed, (one, other) in {1: (0.5, 0.7), 2: (0.5, math.nan), 3: (0.25, 0.5), 5: (0.1, 0.9)}.items():
            scores.add("a", seed, one, {"seconds_per_epoch": 1.5})
            scores.add("b", seed, other, {})
        return scores

    def test_pairs_end_at_the_first_unknown_seed_and_omit_failed_ones(self) -> None:
        seeds, differences = self.scores().pairs("b", "a", 30)
        assert seeds == [1, 3]
        assert differences == pytest.approx([0.2, 0.25])
        assert self.scores().pairs("b", "a", 2)[0] == [1]
        assert self.scores().pairs("b", "a", 3)[0] == [1, 3]
        assert self.scores().pairs("c", "a", 30) == self.scores().pairs("a", "c", 30) == ([], [])

    def test_failures_are_counted(self) -> None:
        assert self.scores().of("b")[2] is None
        assert (self.scores().failures("b"), self.scores().failures("a")) == ([2], [])
        assert found(WORSE, self.scores()).trainings == 8

    def test_stored_scores_are_read_again(self, workplace: Path) -> None:
        stored = StoredScores("mine")
        stored.add("a", 3, 0.5, {"gradient_ratio": 2.0})
        stored.add("a", 4, math.inf, {})
        again = StoredScores("mine")
        assert (again.journal, again.arms) == (stored.journal, {"a": {3: 0.5, 4: None}})
        assert again.extras == {"a": {3: {"gradient_ratio": 2.0}, 4: {}}}
        assert StoredScores("other").journal != stored.journal
