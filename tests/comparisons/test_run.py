"""Whole comparisons: trained, decided, interrupted, continued."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lab.comparisons import comparison, run
from lab.comparisons.findings import Findings, sentences
from lab.comparisons.run import ComparisonResult
from lab.comparisons.scores import StoredScores
from lab.comparisons.statistics import Verdict
from lab.errors import LabError, TrainingFailed
from lab.tracking import store

ARMS = {"slow": {"optimizer.lr": 1e-5}, "fast": {"optimizer.lr": 0.01}, "same": {"optimizer.lr": 1.00001e-5}}


def compare(arms: dict[str, Any] = ARMS, **changes: Any) -> ComparisonResult:
    content = {"base": "tiny", "arms": arms, "margin": 0.005, "seeds": "5..8"} | changes
    return run.run(comparison.parse("mine", "Which rate?", content), 1, lambda findings: None)


def children(kind: str) -> list:
    return store.client().search_runs(["1"], f"tags.`lab.kind` = '{kind}'")


def test_arms_end_with_their_verdicts_and_everything_is_recorded(tiny: str) -> None:
    result = compare()
    verdicts = result.findings.verdicts
    assert (verdicts["fast"].state, verdicts["fast"].superiority) == ("better", 1.0)
    assert verdicts["same"].state == "practically equal"
    (parent,) = children("comparison")
    assert (parent.info.run_id, parent.info.status) == (result.run_id, "FINISHED")
    replicates = children("replicate")
    assert len(replicates) == result.findings.trainings
    assert all(child.data.tags["mlflow.parentRunId"] == result.run_id for child in replicates)
    assert not [child for child in replicates if "test/accuracy" in child.data.metrics]
    content = json.loads(Path(store.client().download_artifacts(parent.info.run_id, "comparison.json")).read_text())
    assert content["verdicts"]["fast"]["state"] == "better"
    assert len(content["narrowing"]["fast"]) >= verdicts["fast"].n
    page = Path(store.client().download_artifacts(parent.info.run_id, "comparison.html")).read_text()
    assert "Plotly.newPlot" in page
    assert "fast is better than slow by" in page


def test_a_pair_is_one_seed_for_everything_in_both_arms(tiny: str) -> None:
    arms = {"one": {"model.hidden": 16}, "two": {"model.hidden": 17}}
    result = compare(arms, seeds="3..3")
    by_seed: dict[str, set[str]] = {}
    for child in children("replicate"):
        by_seed.setdefault(child.data.params["seed"], set()).add(child.data.tags["lab.arm"])
    assert by_seed == {str(seed): {"one", "two"} for seed in (1, 2, 3)}
    assert result.findings.verdicts["two"].n == 3


def test_going_on_with_more_seeds_gives_what_one_session_gives(tiny: str) -> None:
    arms = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.011}}
    first = compare(arms, seeds="5..5", margin=0.0)
    assert first.findings.verdicts["two"].state == "undecided"
    later = compare(arms, seeds="5..7", margin=0.0)
    assert later.run_id == first.run_id
    assert isinstance(later.findings.scores, StoredScores)
    later.findings.scores.path.unlink()
    at_once = compare(arms, seeds="5..7", margin=0.0)
    assert at_once.findings.verdicts == later.findings.verdicts


def test_an_interrupted_comparison_gives_the_same_verdicts(tiny: str, workplace: Path) -> None:
    (workplace / "experiments" / "comparisons" / "mine.yaml").write_text(
        "# Which rate?\nbase: tiny\narms:\n  slow: {optimizer.lr: 1e-5}\n  fast: {optimizer.lr: 0.01}\nseeds: 5..8\n"
    )
    command = [sys.executable, "-m", "lab", "compare", "mine", "trainer.max_epochs=6"]
    kept = store.root() / "comparisons"
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        before = scored(kept)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 90
        while scored(kept) < before + 2:
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.05)
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == code
        if number == signal.SIGINT:
            assert said == "lab: stopped; the same command goes on where the comparison stopped\n"
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    (path,) = kept.glob("*.json")
    path.unlink()
    at_once = subprocess.run(command, capture_output=True, text=True, check=True)
    verdict = [line for line in finished.stdout.splitlines() if line.startswith("• fast is better than slow")]
    assert verdict
    assert verdict == [line for line in at_once.stdout.splitlines() if line.startswith("• fast is better than slow")]
    assert not store.client().search_runs(["1"], "attributes.status = 'RUNNING'")


def scored(folder: Path) -> int:
    return sum(
        len(scores) for path in folder.glob("*.json") for scores in json.loads(path.read_text())["arms"].values()
    )


def test_a_seed_that_fails_in_one_arm_drops_the_pair_and_is_said(tiny: str) -> None:
    result = compare({"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.02}}, seeds="3..4", margin=0.0)
    scores = result.findings.scores
    assert isinstance(scores, StoredScores)
    scores.keep("two", 2, float("nan"), {})
    again = compare({"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.02}}, seeds="3..4", margin=0.0)
    assert again.findings.verdicts["two"].n == 3
    assert any("two could not be trained on seed 2" in line for line in sentences(again.findings))


def test_an_arm_that_never_trains_fails_the_comparison(tiny: str) -> None:
    arms = {"one": {"optimizer": {"kind": "sgd", "lr": 0.1}}, "two": {"optimizer": {"kind": "sgd", "lr": 1e30}}}
    with pytest.raises(TrainingFailed, match="no training of two came to its end"):
        compare(arms, seeds="3..3")
    (parent,) = children("comparison")
    assert parent.info.status == "FAILED"


def test_on_test_data_where_asked_for_and_seconds_and_epochs_to_a_loss(tiny: str) -> None:
    arms = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.02}}
    tested = compare(arms, seeds="3..3", on="test")
    assert "test/accuracy" in tested.findings.comparison.measure
    assert all("test/accuracy" in child.data.metrics for child in children("replicate"))
    epochs = compare(arms, seeds="3..3", metric="loss", reaches=0.5)
    assert epochs.findings.higher_is_better is False
    assert set(epochs.findings.scores.of("one").values()) <= {1.0, 2.0, 3.0}
    seconds = compare(arms, seeds="3..3", metric="seconds_per_epoch")
    assert all(score and score > 0 for score in seconds.findings.scores.of("one").values())


def test_dead_units_and_the_ratio_of_gradients_are_kept(tiny: str) -> None:
    result = compare({"relu": {}, "wide": {"model.hidden": 17}}, seeds="3..3")
    extras = result.findings.scores.extras["relu"][1]
    assert 0 <= extras["dead_fraction"] <= 1
    assert extras["gradient_ratio"] > 0


def test_a_damaged_file_of_scores_is_said(tiny: str) -> None:
    result = compare({"one": {}, "two": {"model.hidden": 17}}, seeds="3..3")
    assert isinstance(result.findings.scores, StoredScores)
    result.findings.scores.path.write_text("{")
    with pytest.raises(LabError, match="damaged; move it away"):
        compare({"one": {}, "two": {"model.hidden": 17}}, seeds="3..3")


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (
            Verdict("worse", 7, -0.041, 0.01, -0.054, -0.028, 99.0, 0.0),
            "b is worse than a by 0.0410 val/accuracy [−0.0540, −0.0280], decided after 7 seeds",
        ),
        (
            Verdict("better", 9, 0.004, 0.01, 0.001, 0.007, 99.0, 1.0),
            "b is better than a by 0.0040 val/accuracy [+0.0010, +0.0070], which is less than the margin of 0.0100",
        ),
        (
            Verdict("practically equal", 9, 0.001, 0.01, -0.004, 0.006, 0.1, 0.5),
            "b and a are practically equal: they differ by +0.0010 val/accuracy [−0.0040, +0.0060], within ±0.0100",
        ),
        (
            Verdict("undecided", 30, 0.006, 0.03, -0.01, 0.02, 0.5, 0.6),
            "b against a is undecided after 30 seeds: +0.0060 val/accuracy [−0.0100, +0.0200]; about",
        ),
    ],
)
def test_a_verdict_reads_as_a_sentence(empty_workplace: Path, verdict: Verdict, sentence: str) -> None:
    content = {"base": "digits", "arms": {"a": {}, "b": {"model.hidden": 9}}, "margin": 0.01}
    made = comparison.parse("mine", "", content)
    findings = Findings(made, True, None, {"b": verdict})  # type: ignore[arg-type]
    assert sentence(findings, "b", verdict).startswith(sentence)
