"""A comparison from its file to its verdicts, tracked."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab import provenance
from lab.building import build
from lab.comparisons import page
from lab.comparisons.comparison import Comparison
from lab.comparisons.replicates import Replicates
from lab.comparisons.scores import KeptScores, Scores
from lab.comparisons.statistics import Verdict
from lab.errors import LabError, TrainingFailed, did_you_mean
from lab.families import Family, ended
from lab.jobs import prepared_data
from lab.locks import alone
from lab.signals import stopping
from lab.tracking import store
from lab.tracking.outbox import Delivery, Outbox
from lab.tracking.tracker import Tracker
from lab.workers import Workers, open_workers

FIXED_DESIGN = 29  # seeds that a fixed design needs to find P(A > B) = 0.75 (Bouthillier et al. 2021)


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


@dataclass(frozen=True)
class ComparisonResult:
    """Findings, and where they are recorded."""

    findings: Findings
    seconds: float
    delivery: Delivery
    run_id: str | None


Watch = Callable[[Findings], None]


def run(comparison: Comparison, workers: int, watch: Watch) -> ComparisonResult:
    """Train until every arm is decided or has the most seeds; goes on where an earlier call stopped.

    Raises LabError before anything is written; TrainingFailed where an arm could not be trained; Stopped.
    """
    if workers < 1:
        raise LabError(f"--workers: must be at least 1, not {workers}")
    higher_is_better = direction(comparison)
    store.check_writable()
    name = f"{comparison.name}-{comparison.fingerprint()}"
    scores = KeptScores(name)
    with alone(name):
        opened = open_workers(workers)  # before `stopping`: Ray has signal handlers of its own
        try:
            with stopping():
                return _run(comparison, name, higher_is_better, scores, opened, watch)
        finally:
            opened.close()


def direction(comparison: Comparison) -> bool:
    """Whether a higher score is better; builds every arm, so that what does not fit is said at once."""
    mistakes: list[str] = []
    directions: dict[str, bool] = {}
    for name, arm in comparison.arms.items():
        try:
            directions = build(arm, prepared_data(arm)).module.directions() | {"seconds_per_epoch": False}
        except LabError as error:
            mistakes += [f"arms.{name}: {line}" for line in error.lines]
    if mistakes:
        raise LabError(*mistakes)
    if comparison.metric not in directions:
        near = did_you_mean(comparison.metric, directions)
        raise LabError(f"metric: the runs have no '{comparison.metric}'; {near}")
    return directions[comparison.metric] and comparison.reaches is None


def _run(
    comparison: Comparison, name: str, higher_is_better: bool, scores: KeptScores, workers: Workers, watch: Watch
) -> ComparisonResult:
    began = time.monotonic()
    outbox = Outbox()
    parent = outbox.tracker(scores.journal)
    tags = provenance.tags() | {
        "lab.experiment": comparison.arms[comparison.control].name,
        "lab.question": comparison.question,
        "lab.comparison": name,
    }

    def findings(verdicts: Mapping[str, Verdict]) -> Findings:
        return Findings(comparison, higher_is_better, scores, verdicts)

    family = Family(outbox, parent.id, tags)
    replicates = Replicates(comparison, higher_is_better, scores, family, lambda verdicts: watch(findings(verdicts)))
    control = comparison.arms[comparison.control]
    parent.start(control.name, f"comparison {comparison.name}", control.settings(), {**tags, "lab.kind": "comparison"})
    watch(findings(replicates.verdicts()))
    with ended(outbox, parent):
        found = findings(replicates.run(workers))
        _check_trained(found)
        _keep(parent, found)
    delivery = outbox.delivery
    return ComparisonResult(found, time.monotonic() - began, delivery, delivery.run_ids.get(parent.id))


def _check_trained(findings: Findings) -> None:
    """Raise TrainingFailed where an arm has no score at all."""
    for arm in findings.comparison.arms:
        scores = findings.scores.of(arm)
        if scores and all(score is None for score in scores.values()):
            raise TrainingFailed(f"no training of {arm} came to its end; `make mlflow` shows the reasons")


def _keep(parent: Tracker, findings: Findings) -> None:
    """The table and the page, as artifacts of the comparison's own run."""
    parent.text("comparison.json", page.as_json(findings))
    parent.text("comparison.html", page.as_html(findings))
    for arm, verdict in findings.verdicts.items():
        parent.tags({f"lab.verdict.{arm}": verdict.state})
        parent.metrics({f"difference/{arm}": verdict.mean, f"e_value/{arm}": verdict.e_value}, verdict.n)
