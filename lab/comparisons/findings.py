"""The findings of a comparison: scores and verdicts, and both in plain sentences."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.comparisons.comparison import Comparison
from lab.comparisons.scores import Scores
from lab.comparisons.verdicts import Verdict, seeds_needed
from lab.formatting import number

FIXED_DESIGN = 29  # seeds that a fixed design needs to detect P(A > B) = 0.75 (Bouthillier et al. 2021)


@dataclass(frozen=True)
class Findings:
    """The verdict on every arm but the control, from the scores so far."""

    comparison: Comparison
    higher_is_better: bool
    scores: Scores
    verdicts: Mapping[str, Verdict]

    @property
    def trainings(self) -> int:
        """The number of trainings so far."""
        return sum(len(self.scores.of(arm)) for arm in self.comparison.arms)

    @property
    def fixed(self) -> int:
        """The number of trainings of a fixed design."""
        return FIXED_DESIGN * len(self.comparison.arms)


def sentences(findings: Findings) -> Iterator[str]:
    """A sentence for each verdict, one for each arm with failed seeds, and one for the cost."""
    for arm, verdict in findings.verdicts.items():
        yield sentence(findings, arm, verdict)
    for arm in findings.comparison.arms:
        if failed := findings.scores.failures(arm):
            seeds = ", ".join(str(seed) for seed in failed)
            yield f"{arm} could not be trained on seed {seeds}: left out, with the same seed of the other arms"
    yield f"{findings.trainings} trainings; a fixed design of {FIXED_DESIGN} seeds per arm takes {findings.fixed}"


def sentence(findings: Findings, arm: str, verdict: Verdict) -> str:
    """A verdict, such as: tanh is worse than relu by 0.041 val/accuracy [0.028, 0.054], decided after 7 seeds."""
    c = findings.comparison
    interval = f"[{signed(verdict.low)}, {signed(verdict.high)}]"
    if verdict.state == "practically equal":
        return (
            f"{arm} and {c.control} are practically equal: they differ by {signed(verdict.mean)} {c.measure} "
            f"{interval}, within ±{number(c.margin)}, decided after {verdict.n} seeds"
        )
    if verdict.state == "undecided":
        return (
            f"{arm} against {c.control} is undecided after {verdict.n} seeds: "
            f"{signed(verdict.mean)} {c.measure} {interval}; {_seeds_to_decide(findings, verdict)}"
        )
    small = f", which is less than the margin of {number(c.margin)}" if abs(verdict.mean) < c.margin else ""
    return (
        f"{arm} is {verdict.state} than {c.control} by {number(abs(verdict.mean))} {c.measure} "
        f"{interval}{small}, decided after {verdict.n} seeds"
    )


def _seeds_to_decide(findings: Findings, verdict: Verdict) -> str:
    c = findings.comparison
    needed = seeds_needed(verdict, c.margin, c.alpha_per_arm)
    if needed is None:
        return "not decidable with a feasible number of seeds at this mean and deviation"
    return f"about {needed} seeds would decide at this mean and deviation (--seeds {c.min_seeds}..{needed})"


def signed(value: float) -> str:
    """A difference as text, with its sign."""
    sign = "−" if value < 0 else "+"
    return f"{sign}∞" if math.isinf(value) else f"{sign}{number(abs(value))}"
