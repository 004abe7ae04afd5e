"""Comparisons of existing runs."""

import pytest

from lab.comparisons import existing
from lab.config.experiment import load
from lab.errors import LabError
from lab.tracking.writing.outbox import Outbox


def recorded(*runs: tuple[float, tuple[str, ...]], fingerprint: str = "same") -> list[str]:
    """The ids of runs in the store, each with an accuracy and the overrides that it was trained with."""
    outbox = Outbox()
    trackers = []
    for accuracy, overrides in runs:
        experiment = load("tiny", overrides)
        tracker = outbox.tracker()
        seed = experiment.seed
        tags = {"data.fingerprint": fingerprint, "data.split_fingerprint": f"{fingerprint} {seed}"}
        tracker.start("tiny", "tiny", experiment.settings(), tags)
        tracker.text("config.yaml", experiment.to_yaml())
        tracker.metrics({"at_best/val/accuracy": accuracy}, 1)
        tracker.end("FINISHED")
        trackers.append(tracker.id)
    run_ids = outbox.close().run_ids
    return [run_ids[tracker] for tracker in trackers]


def test_runs_are_grouped_by_what_differs_and_paired_by_seed(tiny: str) -> None:
    slow = recorded(*((0.5 + seed / 100, ("optimizer.lr=0.001", f"seed={seed}")) for seed in range(1, 7)))
    fast = recorded(*((0.7 + seed / 90, ("optimizer.lr=0.01", f"seed={seed}")) for seed in range(1, 7)))
    findings = existing.compare([*slow, *fast], "val/accuracy", 0.0, False)
    assert findings.comparison.control == "optimizer.lr=0.001"
    (verdict,) = findings.verdicts.values()
    assert (verdict.state, verdict.n, verdict.superiority) == ("better", 6, 1.0)
    (welch,) = existing.compare([*slow, *fast], "val/accuracy", 0.0, True).verdicts.values()
    assert (welch.state, welch.mean) == ("better", pytest.approx(verdict.mean))
    for runs, message in (
        (slow, "differ in nothing but their seeds"),
        ([*slow, fast[0]], "only 1 seeds are in every group"),
        ([*slow, slow[0], *fast], "has two runs with seed 1"),
    ):
        with pytest.raises(LabError, match=message):
            existing.compare(runs, "val/accuracy", 0.0, False)
    with pytest.raises(LabError, match=r"--metric: run .* has no 'val/acuracy'; did you mean val/accuracy"):
        existing.compare([*slow, *fast], "val/acuracy", 0.0, False)


def test_runs_with_other_data_or_budgets_are_refused(tiny: str) -> None:
    (one, longer) = recorded((0.5, ("optimizer.lr=0.01",)), (0.5, ("trainer.max_epochs=3",)))
    (elsewhere,) = recorded((0.5, ("optimizer.lr=0.02",)), fingerprint="other")
    with pytest.raises(LabError, match=r"were trained on different data .*cannot be compared"):
        existing.compare([one, elsewhere], "val/accuracy", 0.0, False)
    with pytest.raises(LabError, match=r"different budgets .*use --unpaired"):
        existing.compare([one, longer], "val/accuracy", 0.0, False)
