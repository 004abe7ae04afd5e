"""What is compared with what, by which measure and rule, and the verdict that comes of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lab.comparisons.statistics.boundaries import HORIZON

RULE = "group-sequential t, cubic error spending, allowance for skewness"
FIXED_PAIRED = "paired t interval, one look"
FIXED_UNPAIRED = "Welch's t interval, one look"

State = Literal["better", "worse", "practically equal", "undecided"]


@dataclass(frozen=True)
class Rule:
    """What decides. `most` may be raised later; the others are fixed when a comparison begins."""

    higher_is_better: bool
    margin: float = 0.0
    alpha: float = 0.05  # error rate over all arms and all looks
    least: int = 5  # seeds at the first look
    most: int = 30  # seeds at the last look
    horizon: int = HORIZON  # seeds by which nearly all of alpha is spent: `most`, when the comparison began
    resolution: float = 0.0  # the step in which a score moves, such as 1 / samples for an accuracy; 0 if unknown
    limit: float = math.inf  # scores above it say only that they are not below: nothing was seen beyond it


@dataclass(frozen=True)
class Design:
    """The arms of a comparison, the control first, and the rule that decides by `measure`.

    `changes` are the settings of each arm that differ from the others'; with `folds`, seeds are paired with them.
    """

    name: str
    question: str
    arms: Sequence[str]
    changes: Mapping[str, Mapping[str, Any]]
    measure: str
    rule: Rule
    first_seed: int = 1
    folds: int | None = None

    @property
    def control(self) -> str:
        """The arm that the others are compared with."""
        return self.arms[0]

    @property
    def challengers(self) -> Sequence[str]:
        """The other arms."""
        return self.arms[1:]


@dataclass(frozen=True)
class Verdict:
    """What n pairs say of an arm; [low, high] is the interval of the mean difference at n."""

    state: State
    n: int
    mean: float
    deviation: float
    low: float
    high: float
    superiority: float  # share of pairs in which the arm did better, ties half: P(A > B)
    level: float  # the error rate of [low, high]
    arm_failures: int = 0
    control_failures: int = 0
    futile: bool = False  # given up: a decision by the last seed is unlikely
    rule: str = RULE

    @property
    def decided(self) -> bool:
        """Whether the arm is better, worse or practically equal."""
        return self.state != "undecided"

    @property
    def differs(self) -> bool:
        """Whether the arm is better or worse."""
        return self.state in ("better", "worse")

    @property
    def ended(self) -> bool:
        """Whether the arm needs no more seeds: decided, or given up."""
        return self.decided or self.futile

    @property
    def excluded(self) -> float:
        """The size above which a difference in either direction is excluded."""
        return max(abs(self.low), abs(self.high))
