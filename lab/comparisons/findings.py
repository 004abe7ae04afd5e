"""What a comparison has found: the scores of each arm, the verdicts, and both in plain sentences."""

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.comparisons.comparison import Comparison
from lab.comparisons.statistics import Verdict, seeds_needed
from lab.errors import LabError
from lab.files import atomic_write
from lab.formatting import number
from lab.tracking import store

FIXED_DESIGN = 29  # seeds that a fixed design needs to find P(A > B) = 0.75 (Bouthillier et al. 2021)


class Scores:
    """For each arm and seed its score, None where the training failed, and what else was measured."""

    def __init__(self) -> None:
        self.arms: dict[str, dict[int, float | None]] = {}
        self.extras: dict[str, dict[int, dict[str, float]]] = {}

    def keep(self, arm: str, seed: int, score: float, extras: Mapping[str, float]) -> None:
        """Keep a score; NaN means that the training failed."""
        self.arms.setdefault(arm, {})[seed] = score if math.isfinite(score) else None
        self.extras.setdefault(arm, {})[seed] = dict(extras)

    def of(self, arm: str) -> dict[int, float | None]:
        """The scores of an arm by seed."""
        return self.arms.get(arm, {})

    def pairs(self, arm: str, control: str, upto: int) -> tuple[list[int], list[float]]:
        """Seeds 1, 2, ... and their differences arm − control, as far as both are known without a gap.

        A seed that failed in one of them is left out.
        """
        seeds: list[int] = []
        differences: list[float] = []
        for seed in range(1, upto + 1):
            if seed not in self.of(arm) or seed not in self.of(control):
                break
            one, other = self.of(arm)[seed], self.of(control)[seed]
            if one is not None and other is not None:
                seeds.append(seed)
                differences.append(one - other)
        return seeds, differences

    def failures(self, arm: str) -> list[int]:
        """The seeds whose training failed."""
        return sorted(seed for seed, score in self.of(arm).items() if score is None)


class KeptScores(Scores):
    """Scores in a file, written whole after every training: a killed comparison loses what was going on alone."""

    def __init__(self, name: str):
        super().__init__()
        self.path = store.root() / "comparisons" / f"{name}.json"
        self.journal = uuid.uuid4().hex  # the tracker id of the comparison's own run
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        try:
            content: dict[str, Any] = json.loads(self.path.read_text())
            self.journal = content["journal"]
            self.arms = {arm: _by_seed(scores) for arm, scores in content["arms"].items()}
            self.extras = {arm: _by_seed(extras) for arm, extras in content["extras"].items()}
        except (ValueError, KeyError, AttributeError):
            raise LabError(f"{self.path}: damaged; move it away, and the comparison begins anew") from None

    def keep(self, arm: str, seed: int, score: float, extras: Mapping[str, float]) -> None:
        """Keep a score, on the disk before this returns."""
        super().keep(arm, seed, score, extras)
        content = {"journal": self.journal, "arms": self.arms, "extras": self.extras}
        with atomic_write(self.path, durable=True) as temporary:
            temporary.write_text(json.dumps(content))


def _by_seed(content: Mapping[str, Any]) -> dict[int, Any]:
    return {int(seed): value for seed, value in content.items()}


@dataclass(frozen=True)
class Findings:
    """A comparison as it stands: the verdict on every arm but the control, and all scores."""

    comparison: Comparison
    higher_is_better: bool
    scores: Scores
    verdicts: Mapping[str, Verdict]

    @property
    def trainings(self) -> int:
        """How many trainings it took."""
        return sum(len(self.scores.of(arm)) for arm in self.comparison.arms)

    @property
    def fixed(self) -> int:
        """How many a fixed design would have taken."""
        return FIXED_DESIGN * len(self.comparison.arms)


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
