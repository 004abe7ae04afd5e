"""Whole cross-validations: trained, tested, interrupted, continued, failed in part."""

import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until

import lab
from lab.cli import main
from lab.config.experiment import load
from lab.config.types import Fold
from lab.cross_validation import run
from lab.cross_validation.run import FoldsFailed
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading.metric_names import is_curve
from lab.training.building import build


def stored(kind: str) -> list:  # type: ignore[type-arg]
    return store.client().search_runs(["1"], f"tags.`lab.kind` = '{kind}'", order_by=["attributes.start_time ASC"])


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main.main(["run", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_command_trains_a_run_per_fold_and_shows_a_row_each_and_the_mean(
    tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("tiny", "--folds", "3", "optimizer.lr=0.02") == 0
    (parent,), folds = stored("cross-validation"), stored("fold")
    assert [fold.data.params["fold"] for fold in folds] == ["1/3", "2/3", "3/3"]
    assert {fold.data.tags["mlflow.parentRunId"] for fold in folds} == {parent.info.run_id}
    assert {run.info.status for run in (parent, *folds)} == {"FINISHED"}
    assert folds[0].info.run_name == "tiny optimizer.lr=0.02 fold=1/3"
    scores = [fold.data.metrics["test/accuracy"] for fold in folds]
    of_parent = parent.data.metrics
    assert of_parent["test/accuracy"] == pytest.approx(statistics.fmean(scores))
    assert of_parent["sd/test/accuracy"] == pytest.approx(statistics.stdev(scores))
    assert of_parent["low/test/accuracy"] < of_parent["test/accuracy"] < of_parent["high/test/accuracy"]
    assert of_parent["baseline/test/accuracy"] < 0.2
    quick = [fold.data.metrics["quick_baseline/test/accuracy"] for fold in folds]
    assert of_parent["quick_baseline/test/accuracy"] == pytest.approx(statistics.fmean(quick))
    assert of_parent["quick_baseline/test/accuracy"] > 0.8
    assert parent.data.tags["lab.quick_baseline"] == "logistic regression"
    assert "Nadeau & Bengio" in parent.data.tags["lab.rule"]
    assert not is_curve("sd/test/accuracy")
    printed = capsys.readouterr().out
    shown = {line.split()[0]: line.split() for line in printed.splitlines() if line.split()}
    assert [shown[f"{fold}/3"][1] for fold in (1, 2, 3)] == [f"{score:.4f}" for score in scores]
    assert shown["mean"][1] == f"{statistics.fmean(scores):.4f}"
    assert "95 % from" in printed
    assert "quick baseline" in printed
    assert "\nNo better than logistic regression: test/accuracy " in printed


def test_each_sample_is_tested_once_and_each_fold_is_an_ordinary_run(tiny: str) -> None:
    tested = [build(load("tiny").of_fold(Fold(number, 3))).data.split_indices["test"] for number in (1, 2, 3)]
    assert sorted(np.concatenate(tested)) == list(range(1797))
    together = lab.run("tiny", folds=3, progress=False)
    alone = lab.run("tiny", {"fold": "2/3"}, progress=False)
    assert together.table.at[2, "test/accuracy"] == alone.metrics["test/accuracy"]
    assert together.table.at[2, "test/loss"] == alone.metrics["test/loss"]
    assert together.table.at[2, "best_epoch"] == alone.best_epoch
    assert together.table.at[2, "baseline/test/accuracy"] == alone.baseline["test/accuracy"]
    assert together.table.at[2, "quick_baseline/test/accuracy"] == alone.quick_baseline["test/accuracy"]


def test_a_second_cross_validation_trains_anew(tiny: str) -> None:
    first, second = (lab.run("tiny", folds=2, progress=False) for _ in range(2))
    assert first.run_id != second.run_id
    assert first.table.equals(second.table)
    assert list(lab.runs()["kind"]) == ["cross-validation"] * 2
    assert len(lab.runs(parts=True)) == 6
    with pytest.raises(LabError, match=r"no runs yet|no run|has no runs"):
        lab.load("latest:tiny")


def test_an_interrupted_cross_validation_continues_with_the_folds_that_are_left(tiny: str) -> None:
    arguments = ["run", "tiny", "--folds", "4", "trainer.max_epochs=12"]  # as many workers as there are
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    folder = store.root() / "cross_validations"
    wait_until(lambda: list(folder.glob("[!.]*.json")))
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert err == "lab: stopped; the same command continues with the folds that are left\n"
    assert process.returncode == 130
    (file,) = folder.glob("[!.]*.json")
    finished = json.loads(file.read_text())["folds"]
    assert 1 <= len(finished) < 4
    wait_until(lambda: [run.info.status for run in stored("cross-validation")] == ["KILLED"])
    continued = lab.run("tiny", {"trainer.max_epochs": 12}, folds=4, progress=False)
    (parent,) = stored("cross-validation")
    assert (parent.info.run_id, parent.info.status) == (continued.run_id, "FINISHED")
    states = [fold.info.status for fold in stored("fold")]
    assert states.count("FINISHED") == 4
    assert set(states) <= {"FINISHED", "KILLED"}
    assert not file.exists()
    assert continued.table.equals(lab.run("tiny", {"trainer.max_epochs": 12}, folds=4, progress=False).table)


PICKY = """
from lab.data.base import SampleDataModule, Samples
from lab.data.shipped import Digits
from pathlib import Path

class Picky(Digits):
    def _prepare(self):
        super()._prepare()
        if self.fold and self.fold.number == 2 and not Path("mended").exists():
            self.batch_size = 10_000
            raise ValueError("a bad sample")
"""


@pytest.fixture
def picky(tiny: str, workplace: Path) -> Path:
    """Data of which the second fold cannot be read before the file `mended` exists."""
    (workplace / "picky.py").write_text(PICKY)
    text = (workplace / "experiments" / "tiny.yaml").read_text()
    (workplace / "experiments" / "tiny.yaml").write_text(text.replace("kind: digits", "kind: 'picky:Picky'"))
    return workplace


def test_a_fold_that_fails_is_said_and_the_same_command_trains_it_again(
    picky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("tiny", "--folds", "3") == 1
    (parent,) = stored("cross-validation")
    assert parent.info.status == "FAILED"
    assert parent.data.tags["lab.failure"].startswith("1 of 3 folds failed (2): ")
    printed = capsys.readouterr().out
    assert "a bad sample" in printed
    assert "the mean is over the other 2" in printed
    (picky / "mended").touch()
    assert command("tiny", "--folds", "3") == 0
    (again,) = stored("cross-validation")
    assert (again.info.status, again.data.tags["lab.failure"]) == ("FINISHED", "")
    assert [fold.info.status for fold in stored("fold")] == ["FINISHED", "FAILED", "FINISHED", "FINISHED"]


def test_where_every_fold_fails_the_command_fails(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    diverges = "optimizer={kind: sgd, lr: 1e30}"
    assert command("tiny", "--folds", "2", diverges) == 1
    assert capsys.readouterr().err.startswith("lab: 2 of 2 folds failed (1, 2): ")
    with pytest.raises(FoldsFailed):
        run.run(load("tiny", [diverges]), 2, 1, lambda scores: None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--folds", "1"], "lab: --folds: must be at least 2, not 1\n"),
        (["--folds", "3", "--workers", "0"], "lab: --workers: must be at least 1, not 0\n"),
        (
            ["--folds", "3", "fold=1/3"],
            "lab: --folds: the experiment has fold: 1/3 already; leave out one of the two\n",
        ),
        (["--workers", "2"], "lab: --workers: is for --folds; a single training is not divided among workers\n"),
        (["--folds", "2000"], "lab: fold: 1,797 samples are too few for 2000 folds\n"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    tiny: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("tiny", *arguments) == 2
    assert capsys.readouterr().err == message
    assert not list(store.journals().glob("*"))


def test_a_fold_is_resumed_and_reproduced_as_a_run_of_its_own(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    lab.run("tiny", folds=2, progress=False)
    fold = stored("fold")[1].info.run_id
    for name, message in (
        ("resume", "belongs to a cross-validation, which is resumed as a whole: `lab run tiny ... --folds 2`"),
        ("reproduce", "is a part of a cross-validation; `lab run tiny fold=2/2` trains that fold by itself"),
    ):
        with pytest.raises(SystemExit):
            main.main([name, fold])
        assert message in capsys.readouterr().err
    assert command("tiny", "fold=2/2") == 0
    with pytest.raises(SystemExit) as ended:
        main.main(["reproduce", "latest:tiny"])
    assert ended.value.code == 0
    assert "BIT-EXACT" in capsys.readouterr().out
