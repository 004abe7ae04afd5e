"""The findings of a comparison: scores and verdicts, and both in plain sentences."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.comparisons.scores import Scores
from lab.comparisons.statistics import chances, estimates
from lab.comparisons.statistics.design import RULE, Design, Verdict
from lab.display.numbers import number, percent, signed

FIXED_DESIGN = 29  # seeds that a fixed design needs to detect P(A > B) = 0.75 (Bouthillier et al. 2021)
HOPELESS = 0.01  # chance of a decision, below which more seeds are not advised


@dataclass(frozen=True)
class Findings:
    """The verdict on every arm but the control, from the scores so far."""

    design: Design
    scores: Scores
    verdicts: Mapping[str, Verdict]
    minutes: float | None = None  # that it may take
    planned: int = 0  # seeds that fit into them; 0 before it is known

    @property
    def trainings(self) -> int:
        """The number of trainings so far."""
        return sum(len(self.scores.of(arm)) for arm in self.design.arms)

    @property
    def plan(self) -> str:
        """How many seeds fit into the time, where it is limited and known."""
        return f"about {self.planned} seeds in {_minutes(self.minutes)}" if self.minutes and self.planned else ""

    @property
    def fixed(self) -> int:
        """The number of trainings of a fixed design."""
        return FIXED_DESIGN * len(self.design.arms)


def _minutes(minutes: float) -> str:
    return "a minute" if minutes == 1 else f"{minutes:g} minutes"


def sentences(findings: Findings) -> Iterator[str]:
    """A sentence for each verdict, for failures, for what may be unseen, for folds, and for the cost."""
    for arm, verdict in findings.verdicts.items():
        yield sentence(findings, arm, verdict)
    yield from failures(findings)
    yield from censored(findings)
    if folds := findings.design.folds:
        yield (
            f"each seed is paired with one of {folds} folds in turn; the error rate is that of the mean over seeds on "
            "these folds, not on other data, since folds share training samples"
        )
    yield f"{findings.trainings} trainings; a fixed design of {FIXED_DESIGN} seeds per arm takes {findings.fixed}"


def sentence(findings: Findings, arm: str, verdict: Verdict) -> str:
    """A verdict, such as: tanh is worse than relu by 0.041 val/accuracy [0.028, 0.054], decided after 7 seeds."""
    design = findings.design
    margin = design.rule.margin
    interval = f"[{signed(verdict.low)}, {signed(verdict.high)}]"
    if verdict.state == "practically equal":
        return (
            f"{arm} and {design.control} are practically equal: they differ by {signed(verdict.mean)} "
            f"{design.measure} {interval}, within ±{number(margin)}, decided after {verdict.n} seeds"
        )
    if verdict.state == "undecided":
        return (
            f"{arm} against {design.control} is undecided after {verdict.n} seeds: {_undecided(findings, arm, verdict)}"
        )
    small = f", which is less than the margin of {number(margin)}" if abs(verdict.mean) < margin else ""
    return (
        f"{arm} is {verdict.state} than {design.control} by {number(abs(verdict.mean))} {design.measure} "
        f"{interval}{small}, decided after {verdict.n} seeds"
    )


def _undecided(findings: Findings, arm: str, verdict: Verdict) -> str:
    """What can be said all the same: the interval, what it excludes, and what more seeds would bring."""
    design = findings.design
    scores = [score for name in (arm, design.control) for score in findings.scores.of(name).values()]
    if scores and all(score is not None and score > design.rule.limit for score in scores):
        return f"neither reached it ({design.measure})"
    parts = [f"{signed(verdict.mean)} {design.measure} [{signed(verdict.low)}, {signed(verdict.high)}]"]
    if math.isfinite(verdict.excluded):
        parts.append(f"a difference above {number(verdict.excluded)} is excluded")
    if verdict.futile:
        parts.append(f"given up, because a decision within {design.rule.most} seeds was unlikely")
    elif verdict.rule == RULE and (findings.minutes or verdict.n == design.rule.most):
        parts.append(_chance(findings, arm, verdict))
    return "; ".join(parts)


def _chance(findings: Findings, arm: str, verdict: Verdict) -> str:
    rule, minutes = findings.design.rule, findings.minutes
    pairs = findings.scores.pairs(arm, findings.design.control)
    by_time = minutes and verdict.n < rule.most
    chance = chances.chance_of_decision(pairs, rule, verdict.level, 2 * (verdict.n if by_time else rule.most))
    twice = "twice the time" if by_time else "twice as many seeds"
    if chance < HOPELESS:
        return f"{twice} would not decide it either"
    how = f"--minutes {2 * minutes:g}" if minutes else f"--seeds {rule.least}..{2 * rule.most}"
    return f"{twice} would decide with a chance of about {percent(chance)} ({how})"


def failures(findings: Findings) -> Iterator[str]:
    """For each arm that failed, the share of its trainings; for all others, what may fail unseen."""
    without = []
    for arm in findings.design.arms:
        failed, n = findings.scores.failures(arm), len(findings.scores.of(arm))
        if failed:
            yield (
                f"{arm} failed on {len(failed)} of {n} seeds ({_share(len(failed), n)} of all, 95 % interval); "
                "each counts as the worst difference seen"
            )
        elif n:
            without.append(n)
    if without:
        other = "no other training failed" if len(without) < len(findings.design.arms) else "no training failed"
        n = min(without)
        yield (
            f"{other}; {n} seeds cannot exclude that up to {percent(estimates.unseen(n))} of all seeds fail, "
            "or behave in a way not seen yet"
        )


def _share(failed: int, n: int) -> str:
    low, high = estimates.failure_share(failed, n)
    return f"{percent(low)} to {percent(high)}"


def censored(findings: Findings) -> Iterator[str]:
    """For each arm that did not reach the target on some seeds, how many."""
    limit = findings.design.rule.limit
    for arm in findings.design.arms:
        scores = [score for score in findings.scores.of(arm).values() if score is not None]
        if beyond := sum(score > limit for score in scores):
            yield (
                f"{arm} did not reach it on {beyond} of {len(scores)} seeds; each of them counts as {limit + 1:g} "
                "epochs, one more than was trained"
            )
