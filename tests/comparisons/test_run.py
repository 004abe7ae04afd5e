"""Whole comparisons: trained, decided, interrupted, continued."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import warm
from waiting import GATED, let_pass, open_gate, wait_until

from lab.comparisons import comparison, report, run
from lab.comparisons.findings import sentences
from lab.comparisons.run import ComparisonResult
from lab.comparisons.scores import StoredScores
from lab.display.output import as_text
from lab.errors import LabError, TrainingFailed
from lab.tracking import store

ARMS = {"slow": {"optimizer.lr": 1e-5}, "fast": {"optimizer.lr": 0.01}, "same": {"optimizer.lr": 1.00001e-5}}


def compare(arms: dict[str, Any] = ARMS, **changes: Any) -> ComparisonResult:
    content = {"base": "tiny", "arms": arms, "margin": 0.005, "seeds": "5..8"} | changes
    return run.run(comparison.parse("mine", "Which rate?", content), 1, lambda findings: None)


def children(kind: str) -> list:
    return store.client().search_runs(["1"], f"tags.`lab.kind` = '{kind}'")


def test_verdicts_and_replicates_are_recorded(tiny: str) -> None:
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
    page = Path(result.page).read_text()  # the path that is printed
    assert f"report      {result.page}" in as_text(report.summary(result))
    assert "Plotly.newPlot" in page
    assert "fast is better than slow by" in page


def test_the_runs_of_a_comparison_know_their_data(tiny: str, workplace: Path) -> None:
    for name, slope in (("a", 2), ("b", 3)):
        rows = [f"{n * n / 7:.2f},{slope * n}\n" for n in range(60)]
        (workplace / f"{name}.csv").write_text("".join(["x,y\n", *rows]))
    data = {"data": {"kind": "table", "target": "y", "batch_size": 16}}
    compare({"a": data | {"data.path": "a.csv"}, "b": data | {"data.path": "b.csv"}}, metric="mae", seeds="3..3")
    (parent,) = children("comparison")
    replicates = children("replicate")
    used = {(run.data.tags.get("lab.arm"), *dataset_of(run)) for run in [parent, *replicates]}
    ((name_a, hash_a),) = {each[1:] for each in used if each[0] == "a"}
    ((name_b, hash_b),) = {each[1:] for each in used if each[0] == "b"}
    assert (name_a, name_b) == ("a", "b")
    assert hash_a != hash_b
    assert dataset_of(parent) == (name_a, hash_a)  # the control's, whose settings it has


def dataset_of(run: Any) -> tuple[str, str]:
    (used,) = run.inputs.dataset_inputs
    return used.dataset.name, used.dataset.digest


def test_arms_are_paired_by_seed(tiny: str) -> None:
    arms = {"one": {"model.hidden": 16}, "two": {"model.hidden": 17}}
    result = compare(arms, seeds="3..3")
    by_seed: dict[str, set[str]] = {}
    for child in children("replicate"):
        by_seed.setdefault(child.data.params["seed"], set()).add(child.data.tags["lab.arm"])
    assert by_seed == {str(seed): {"one", "two"} for seed in (1, 2, 3)}
    assert result.findings.verdicts["two"].n == 3


def test_arms_are_paired_by_fold_and_seed_and_the_verdict_says_what_that_means(tiny: str) -> None:
    result = compare({"one": {"model.hidden": 16}, "two": {"model.hidden": 17}}, seeds="4..4", folds=3, on="test")
    pairs: dict[tuple[str, str], set[str]] = {}
    for child in children("replicate"):
        pairs.setdefault((child.data.params["seed"], child.data.params["fold"]), set()).add(child.data.tags["lab.arm"])
    assert pairs == {(str(seed), f"{(seed - 1) % 3 + 1}/3"): {"one", "two"} for seed in (1, 2, 3, 4)}
    assert any(
        line.startswith("each seed is paired with one of 3 folds in turn") for line in sentences(result.findings)
    )


def test_a_comparison_continued_with_more_seeds_equals_one_session(tiny: str) -> None:
    arms = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.011}}
    first = compare(arms, seeds="5..5", margin=0.0)
    assert first.findings.verdicts["two"].state == "undecided"
    later = compare(arms, seeds="5..7", margin=0.0)
    assert later.run_id == first.run_id
    assert later.findings.verdicts["two"].n == 7
    assert later.findings.design.rule.horizon == 5  # what was planned when it began
    assert isinstance(later.findings.scores, StoredScores)
    later.findings.scores.path.unlink()
    at_once = compare(arms, seeds="5..7", margin=0.0)
    assert at_once.findings.design.rule.horizon == 7
    assert at_once.findings.scores.arms == later.findings.scores.arms


GATED_SETTINGS = ("model={kind: 'gated:Gated'}", "trainer.max_epochs=3")


def test_an_interrupted_comparison_gives_the_same_verdicts(tiny: str, workplace: Path) -> None:
    (workplace / "gated.py").write_text(GATED)
    (workplace / "experiments" / "comparisons" / "mine.yaml").write_text(
        "# Which rate?\nbase: tiny\narms:\n  slow: {optimizer.lr: 1e-5}\n  fast: {optimizer.lr: 0.01}\nseeds: 5..8\n"
    )
    kept = store.root() / "comparisons"
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        before = scored(kept)
        let_pass(2)
        process = warm.lab("compare", "mine", *GATED_SETTINGS)
        wait_until(lambda before=before: scored(kept) >= before + 2, process=process)
        os.kill(process.pid, number)
        let_pass(1)  # the training that waits stops after its batch
        _, err = process.communicate(timeout=60)
        assert process.returncode == code
        if number == signal.SIGINT:
            assert err == "lab: stopped; the same command continues the comparison\n"
    open_gate()
    mine = comparison.load("mine", GATED_SETTINGS)
    finished = run.run(mine, 1, lambda findings: None).findings
    (path,) = kept.glob("*.json")
    path.unlink()
    at_once = run.run(mine, 1, lambda findings: None).findings
    assert next(sentences(finished)).startswith("fast is better than slow")
    assert finished.verdicts == at_once.verdicts
    assert not store.client().search_runs(["1"], "attributes.status = 'RUNNING'")


def scored(folder: Path) -> int:
    return sum(
        len(scores) for path in folder.glob("*.json") for scores in json.loads(path.read_text())["arms"].values()
    )


DIVERGES = {"optimizer": {"kind": "sgd", "lr": 1e30}}


def test_an_arm_that_diverges_is_worse_and_its_failures_are_said(tiny: str) -> None:
    arms = {"one": {"optimizer": {"kind": "sgd", "lr": 0.1}}, "two": DIVERGES}
    result = compare(arms, seeds="3..15", margin=0.0)
    verdict = result.findings.verdicts["two"]
    assert (verdict.state, verdict.arm_failures, verdict.control_failures) == ("worse", verdict.n, 0)
    lines = list(sentences(result.findings))
    assert any(line.startswith(f"two failed on {verdict.n} of {verdict.n} seeds (") for line in lines)
    assert {child.info.status for child in children("replicate")} == {"FINISHED", "FAILED"}


def test_where_nothing_can_be_trained_there_is_no_verdict(tiny: str) -> None:
    with pytest.raises(TrainingFailed, match="every training of every arm failed"):
        compare({"one": DIVERGES, "two": {**DIVERGES, "model.hidden": 9}}, seeds="3..3")
    (parent,) = children("comparison")
    assert parent.info.status == "FAILED"


def test_measures_on_test_data_in_seconds_and_in_epochs_to_a_loss(tiny: str) -> None:
    arms = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.02}}
    tested = compare(arms, seeds="3..3", on="test")
    assert "test/accuracy" in tested.findings.design.measure
    assert tested.findings.design.rule.resolution == pytest.approx(1 / 359)
    assert all("test/accuracy" in child.data.metrics for child in children("replicate"))
    epochs = compare(arms, seeds="3..3", metric="loss", reaches=0.5)
    assert epochs.findings.design.rule.higher_is_better is False
    assert set(epochs.findings.scores.of("one").values()) <= {1.0, 2.0, 3.0}
    rising = compare(arms, seeds="3..3", metric="accuracy", reaches=0.05)
    assert rising.findings.design.rule.higher_is_better is False
    assert set(rising.findings.scores.of("one").values()) == {1.0}  # reached in the first epoch, not never
    never = compare(arms, seeds="3..3", metric="accuracy", reaches=1.1, margin=1)
    assert never.findings.verdicts["two"].state == "undecided"
    said = list(sentences(never.findings))
    assert said[0] == "two against one is undecided after 3 seeds: neither reached it (epochs to val/accuracy 1.1)"
    assert "two did not reach it on 3 of 3 seeds; each of them counts as 3 epochs, one more than was trained" in said
    seconds = compare(arms, seeds="3..3", metric="seconds_per_epoch")
    assert all(score and score > 0 for score in seconds.findings.scores.of("one").values())


def test_dead_units_and_gradient_ratio_are_stored(tiny: str) -> None:
    result = compare({"relu": {}, "wide": {"model.hidden": 17}}, seeds="3..3")
    extras = result.findings.scores.extras["relu"][1]
    assert 0 <= extras["dead_fraction"] <= 1
    assert extras["gradient_ratio"] > 0


def test_a_damaged_score_file_is_refused(tiny: str) -> None:
    result = compare({"one": {}, "two": {"model.hidden": 17}}, seeds="3..3")
    assert isinstance(result.findings.scores, StoredScores)
    result.findings.scores.path.write_text("{")
    with pytest.raises(LabError, match="damaged; move it away"):
        compare({"one": {}, "two": {"model.hidden": 17}}, seeds="3..3")


def test_seeds_that_change_nothing_are_no_evidence(tiny: str) -> None:
    arms = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.02}}
    with pytest.raises(TrainingFailed, match="seeds 1 and 2 gave the same training, so more seeds are no evidence"):
        compare(arms, seeds="3..3", varies=["dropout"], settings={"model.dropout": 0.0})


def test_the_first_look_stays_where_it_was(tiny: str) -> None:
    arms = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.011}}
    compare(arms, seeds="3..3", margin=0.0)
    with pytest.raises(LabError, match=r"began with a first look at 3 seeds.*; write 3\.\.9, or move"):
        compare(arms, seeds="5..9", margin=0.0)
    with pytest.raises(LabError, match=r"alpha: this comparison began with 0\.05"):
        compare(arms, seeds="3..9", margin=0.0, alpha=0.1)
    with pytest.raises(LabError, match=r"margin: this comparison began with 0, which"):
        compare(arms, seeds="3..9", margin=0.5)


def test_epochs_without_a_validation_are_left_out(tiny: str) -> None:
    arms = {"one": {"optimizer.lr": 0.01}, "two": {"optimizer.lr": 0.02}}
    result = compare(arms, seeds="3..3", settings={"trainer.check_val_every_n_epoch": 2})
    assert result.findings.verdicts["two"].n == 3


def test_a_mistake_in_an_arm_is_refused_before_any_training(tiny: str) -> None:
    arms = {"one": {}, "two": {"loss": {"kind": "torch.nn.CrossEntropyLoss", "reduction": "none"}}}
    with pytest.raises(LabError, match=r"arms\.two: loss: torch\.nn\.CrossEntropyLoss must return one number"):
        compare(arms, seeds="3..3")
    assert not children("comparison")
