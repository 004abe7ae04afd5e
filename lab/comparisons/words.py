"""Verdicts in plain words."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lab.comparisons.statistics import Verdict, seeds_needed
from lab.numbers import number

if TYPE_CHECKING:
    from lab.comparisons.run import Findings


def sentences(findings: "Findings") -> Iterator[str]:
    """One sentence for each arm, one for each that lost seeds, and what it all took."""
    c = findings.comparison
    for arm, verdict in findings.verdicts.items():
        yield sentence(findings, arm, verdict)
    for arm in c.arms:
        if failed := findings.scores.failures(arm):
            seeds = ", ".join(str(seed) for seed in failed)
            yield f"{arm} could not be trained on seed {seeds}: left out, with its partners in the other arms"
    yield f"{findings.trainings} trainings; a fixed design of 29 seeds an arm takes {findings.fixed}"


def sentence(findings: "Findings", arm: str, verdict: Verdict) -> str:
    """Such as: tanh is worse than relu by 0.041 val/accuracy [0.028, 0.054], decided after 7 seeds."""
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
            f"{signed(verdict.mean)} {c.measure} {interval}; {_more(findings, verdict)}"
        )
    small = f", which is less than the margin of {number(c.margin)}" if abs(verdict.mean) < c.margin else ""
    return (
        f"{arm} is {verdict.state} than {c.control} by {number(abs(verdict.mean))} {c.measure} "
        f"{interval}{small}, decided after {verdict.n} seeds"
    )


def _more(findings: "Findings", verdict: Verdict) -> str:
    needed = seeds_needed(verdict, findings.comparison.margin, findings.comparison.alpha_per_arm)
    if needed is None:
        return "no number of seeds that one can run would decide, as things stand"
    return f"about {needed} seeds would decide, as things stand (--seeds {findings.comparison.least}..{needed})"


def signed(value: float) -> str:
    """A difference as text, with its sign."""
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    return f"{'−' if value < 0 else '+'}{number(abs(value))}"
