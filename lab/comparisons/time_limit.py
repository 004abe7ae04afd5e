"""A comparison within a time: how many seeds it is planned for, and whether another one fits.

The plan is made of seconds alone, before the first look, so that no difference has a say in it. More seeds are started
while they fit; when a comparison ends by the clock, fewer looks were taken than the error rate was shared among.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lab.comparisons.scores import Scores
from lab.errors import LabError

MEASURED = 2  # seeds that are trained before the plan: the first one also warms up
RECENT = 5  # trainings of an arm, whose mean is expected of the next
RESERVE = 1.1  # × the planned seeds are allowed, where trainings turn out faster


@dataclass(frozen=True)
class TimeLimit:
    """The minutes that a comparison may take from `began`, a time of time.monotonic(), on so many workers."""

    minutes: float
    began: float
    workers: int = 1

    @property
    def left(self) -> float:
        """The seconds until the time is up."""
        return self.began + 60 * self.minutes - time.monotonic()

    def allows(self, scores: Scores, arms: Sequence[str]) -> bool:
        """Whether another seed of these arms is expected to end in time; where none was timed yet, it is tried."""
        each = _seconds(scores, arms)
        return not any(each) or max(sum(each) / self.workers, *each) <= self.left

    def fits(self, scores: Scores, arms: Sequence[str]) -> int:
        """How many seeds more of these arms are expected to end in time."""
        each = self.seed(scores, arms)
        return max(int(self.left / each), 0) if each else 0

    def seed(self, scores: Scores, arms: Sequence[str]) -> float:
        """The seconds that a seed of these arms is expected to take."""
        return sum(_seconds(scores, arms)) / self.workers

    def check(self, planned: int, least: int, scores: Scores, arms: Sequence[str]) -> None:
        """Raise LabError where fewer seeds fit than the first look needs."""
        if planned < least:
            each = self.seed(scores, arms)
            enough = self.minutes + ((least - planned) * each + max(each - self.left, 0.0)) / 60
            raise LabError(
                f"minutes: about {planned} seeds fit into {self.minutes:g} minutes, and the first look needs {least}; "
                f"a seed takes {each:.1f} s; write --minutes {_rounded_up(enough)}, or shorten the trainings"
            )


def _seconds(scores: Scores, arms: Sequence[str]) -> list[float]:
    """What a training of each arm is expected to take; of one that was not trained yet, as much as of the others."""
    found = [_mean(scores, arm) for arm in arms]
    known = [each for each in found if each]
    return [each or sum(known) / max(len(known), 1) for each in found]


def _mean(scores: Scores, arm: str) -> float:
    """The mean of the last trainings of an arm; the first one counts where there is no other."""
    timed = [each["seconds"] for _, each in sorted(scores.extras.get(arm, {}).items()) if "seconds" in each]
    recent = timed[1:][-RECENT:] or timed
    return sum(recent) / len(recent) if recent else 0.0


def _rounded_up(minutes: float) -> str:
    return f"{int(minutes * 10 + 1) / 10:g}"
