"""The scores of a comparison by arm and seed, in memory or in a file."""

import itertools
import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.comparisons.statistics.boundaries import HORIZON
from lab.comparisons.statistics.estimates import Pair
from lab.errors import LabError
from lab.files import atomic_write, numbers, to_json
from lab.tracking import store


class Scores:
    """The score of each arm and seed, None where the training failed, and what else was measured."""

    def __init__(self) -> None:
        self.arms: dict[str, dict[int, float | None]] = {}
        self.extras: dict[str, dict[int, dict[str, float]]] = {}

    def add(self, arm: str, seed: int, score: float, extras: Mapping[str, float]) -> None:
        """Add a score; NaN means that the training failed."""
        self.arms.setdefault(arm, {})[seed] = score if math.isfinite(score) else None
        self.extras.setdefault(arm, {})[seed] = dict(extras)

    def of(self, arm: str) -> dict[int, float | None]:
        """The scores of an arm by seed."""
        return self.arms.get(arm, {})

    def pairs(self, arm: str, control: str) -> list[Pair]:
        """The scores of arm and control on the seeds 1, 2, ... up to the first that is unknown in one of them."""
        found: list[Pair] = []
        for seed in itertools.count(1):
            if seed not in self.of(arm) or seed not in self.of(control):
                return found
            found.append((self.of(arm)[seed], self.of(control)[seed]))
        raise AssertionError("unreachable")

    def failures(self, arm: str) -> list[int]:
        """The seeds whose training failed."""
        return sorted(seed for seed, score in self.of(arm).items() if score is None)


@dataclass(frozen=True)
class Plan:
    """What the error rate of a comparison rests on, so that it stays as it was when the comparison began.

    The number of seeds that the error rate is spent over, that of the first look, the error rate, and the margin.
    """

    horizon: int = HORIZON
    least: int = 5
    alpha: float = 0.05
    margin: float = 0.0


class StoredScores(Scores):
    """Scores in a file that is replaced atomically after each training: a kill loses only running trainings.

    `plan` is that of the session in which the comparison began.
    """

    def __init__(self, name: str, plan: Plan):
        super().__init__()
        self.plan = plan
        self.path = store.root() / "comparisons" / f"{name}.json"
        self.journal = uuid.uuid4().hex  # the tracker id of the comparison's own run
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        try:
            content: dict[str, Any] = json.loads(self.path.read_text())
            self.journal = content["journal"]
            self.plan = replace(self.plan, **content.get("plan", {}))  # version 0.2 stored none
            self.arms = {arm: _by_seed(scores) for arm, scores in content["arms"].items()}
            self.extras = {
                arm: {seed: numbers(each) for seed, each in _by_seed(extras).items()}
                for arm, extras in content["extras"].items()
            }
        except (ValueError, KeyError, AttributeError, TypeError):
            raise LabError(f"{self.path}: damaged; move it away to start the comparison again") from None

    def add(self, arm: str, seed: int, score: float, extras: Mapping[str, float]) -> None:
        """Add a score; it is on disk when this returns."""
        super().add(arm, seed, score, extras)
        self._write()

    def plan_for(self, seeds: int) -> int:
        """Spend the error rate over so many seeds, before the first look; returns the horizon."""
        self.plan = replace(self.plan, horizon=max(seeds, self.plan.least))
        self._write()
        return self.plan.horizon

    def _write(self) -> None:
        content = {"journal": self.journal, "plan": vars(self.plan), "arms": self.arms, "extras": self.extras}
        with atomic_write(self.path, durable=True) as temporary:
            temporary.write_text(to_json(content))


def _by_seed(content: Mapping[str, Any]) -> dict[int, Any]:
    return {int(seed): value for seed, value in content.items()}
