"""What is true of an idea: the mean difference over up to 100 seeds an arm, and whether a verdict agrees with it.

The seeds are others than those of the comparison. Every seed is stored as it ends, so that a truth can be continued.
"""

import dataclasses
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from lab.comparisons.comparison import Comparison
from lab.comparisons.replicates import score_of
from lab.comparisons.run import all_directions
from lab.comparisons.statistics import estimates
from lab.comparisons.statistics.design import Verdict
from lab.files import atomic_write
from lab.parallel.child_runs import ChildRun
from lab.parallel.jobs import Job, train_job
from lab.training.checkpoints.best_epoch import best_by

PATH = Path(__file__).parent / "ideas" / "truth.json"
SEEDS = 100
FIRST = 1001  # a comparison's own seeds begin at 1
ALPHA = 0.05

Judgement = Literal["right", "wrong", "open"]
Content = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Truth:
    """The mean difference of an arm from its control, with its 95 % interval, from so many seeds."""

    mean: float
    low: float
    high: float
    seeds: int


def stored() -> Content:
    """What truth.json holds: of each idea the scores of its arms, and seconds per training."""
    return json.loads(PATH.read_text()) if PATH.exists() else {}


def truths(name: str, higher_is_better: bool, content: Content) -> dict[str, Truth]:
    """The truth of each arm but the control; empty where fewer than three seeds are stored."""
    scores: Mapping[str, list[float | None]] = content.get(name, {}).get("scores", {})
    control, *others = scores or [""]
    return {arm: _truth(list(zip(scores[arm], scores[control], strict=False)), higher_is_better) for arm in others}


def _truth(pairs: list[estimates.Pair], higher_is_better: bool) -> Truth:
    seen = estimates.seen(pairs, higher_is_better)
    mean = float(seen.mean[-1])
    return Truth(mean, *estimates.paired_t(len(pairs), mean, float(seen.deviation[-1]), ALPHA), len(pairs))


def establish(idea: Comparison, seeds: int = SEEDS) -> None:
    """Train every arm on the seeds that truth.json does not have yet."""
    rises = all_directions(idea)[idea.metric]
    far = dataclasses.replace(idea, first_seed=FIRST)
    done = len(next(iter(stored().get(idea.name, {}).get("scores", {"": []}).values())))
    for number in range(done + 1, seeds + 1):
        began = time.process_time()
        scores = {arm: _score(far, arm, number, rises) for arm in far.arms}
        _append(far, scores, (time.process_time() - began) / len(scores), rises)


def _append(idea: Comparison, scores: Mapping[str, float | None], seconds: float, rises: bool) -> None:
    """Add a seed to the file, and sum all of them up."""
    content = stored()
    entry = content.setdefault(idea.name, {"first_seed": FIRST, "cpu_seconds": seconds, "scores": {}, "truth": {}})
    for arm, score in scores.items():
        entry["scores"].setdefault(arm, []).append(None if score is None else round(score, 6))
    if len(entry["scores"][idea.control]) > 1:
        entry["truth"] = {arm: vars(truth) for arm, truth in truths(idea.name, rises, content).items()}
    with atomic_write(PATH) as temporary:
        temporary.write_text(
            json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace('},"', '},\n"') + "\n"
        )


class _Unrecorded:
    """In the place of a tracker: nothing is recorded."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record nothing."""


def _score(idea: Comparison, arm: str, number: int, rises: bool) -> float | None:
    experiment = idea.replicate(arm, number)
    child = ChildRun(_Unrecorded(), best_by(experiment.checkpoints["monitor"], all_directions_of(idea)))  # type: ignore[arg-type]
    job = Job(number, experiment.name, experiment.to_yaml(), test=idea.on == "test")

    def on_epoch(number: int, epoch: int, values: dict[str, float]) -> bool:
        child.record(epoch, values)
        return False

    outcome = train_job(job, on_epoch)
    if outcome.state == "lost":
        raise RuntimeError(outcome.reason)
    score = score_of(idea, rises, child, outcome) if outcome.state == "finished" else math.nan
    return score if math.isfinite(score) else None


_DIRECTIONS: dict[str, dict[str, bool]] = {}


def all_directions_of(idea: Comparison) -> dict[str, bool]:
    """The directions of its metrics, found once."""
    if idea.name not in _DIRECTIONS:
        _DIRECTIONS[idea.name] = all_directions(idea)
    return _DIRECTIONS[idea.name]


def judged(verdict: Verdict, truth: Truth | None, margin: float, higher_is_better: bool) -> Judgement:
    """Whether a verdict agrees with the truth: `open` where the truth's interval holds both answers.

    Undecided claims that no difference is above its interval's ends.
    """
    if truth is None:
        return "open"
    sign = 1 if (verdict.state == "better") == higher_is_better else -1
    if verdict.differs:
        low, high = sorted((sign * truth.low, sign * truth.high))
        return "right" if low > 0 else "wrong" if high < 0 else "open"
    limit = margin if verdict.state == "practically equal" else verdict.excluded
    if -limit <= truth.low and truth.high <= limit:
        return "right"
    return "wrong" if truth.low > limit or truth.high < -limit else "open"
