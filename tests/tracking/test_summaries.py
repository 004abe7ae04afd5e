"""The best values and rankings of runs whose summaries nobody recorded: of plain MLflow and Lightning's loggers."""

import math
from pathlib import Path
from typing import Any

import pytest
from made_runs import make_run

from lab.cli import main
from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading import directions, stored_runs, summaries
from lab.tracking.reading.tables import open_tables

NAN = float("nan")


def record(name: str, status: str = "FINISHED", tags: dict[str, str] | None = None, **metrics: Any) -> str:
    """A run of another tool; its metrics have no best values."""
    return make_run(store.client(), "elsewhere", name, {"seed": "1"}, metrics, tags or {}, status)


def ranked(by: str = "val/loss") -> list[tuple[str, float]]:
    return [(run.name, value) for run, value in stored_runs.ranking("elsewhere", by).runs]


def test_the_best_runs_are_those_with_the_best_value_of_all(workplace: Path) -> None:
    record("late", val_loss=[3.0, 0.5, 0.9])
    record("early", val_loss=[0.2, NAN, 4.0])
    record("failed", "FAILED", val_loss=[0.1])
    record("diverged", val_loss=[NAN, math.inf])
    record("other", accuracy=[1.0])
    record("trial", tags={"lab.kind": "trial"}, val_loss=[0.1])
    assert ranked("val_loss") == [("early", 0.2), ("late", 0.5)]
    assert ranked() == ranked("val_loss")  # that is how these runs spell val/loss
    assert stored_runs.ranking("elsewhere").metric == "val_loss"
    assert stored_runs.find("best:elsewhere").name == "early"
    assert stored_runs.find("latest:elsewhere").name == "other"


def test_a_run_that_says_which_epoch_is_its_best_counts_with_that(workplace: Path) -> None:
    record(
        "at best", tags=directions.as_tag({"val_wonder": True}), **{"at_best/val_wonder": [0.6], "val_wonder": [0.9]}
    )
    record("of all", val_wonder=[0.7, 0.1])
    assert ranked("val_wonder") == [("of all", 0.7), ("at best", 0.6)]


def test_what_cannot_be_ranked_is_one_line(workplace: Path) -> None:
    record("one", val_loss=[1.0], val_acc=[0.5], valid_acc=[0.4], wonder=[3.0], test_acc=[1.0])
    for by, message in (
        ("val/acc", "has 'val/acc'; did you mean --by val_acc"),  # two names that mean it
        ("wonder", r'the runs do not say whether higher is better; .*lab.Logger.*directions={"wonder": "min"}'),
        ("test_acc", "--by test_acc: test data is for the final evaluation, not for model selection; use val/acc"),
        ("low/test/acc", "--by low/test/acc: test data is for the final evaluation, not for model selection"),
        ("nothing", "has 'nothing'; known: --by val_acc, --by val_loss, --by valid_acc"),
    ):
        with pytest.raises(LabError, match=message):
            ranked(by)


def test_runs_whose_metric_is_not_the_same_are_not_ranked(workplace: Path) -> None:
    for name, up in (("a", True), ("b", False)):
        params = {"seed": "1", "loss.kind": "mse", "loss.delta": name}
        metrics = {"val/wonder": [0.5], "val/loss": [1.0], "val/mae": [2.0]}
        tags = directions.as_tag({"wonder": up})
        make_run(store.client(), "elsewhere", name, params, metrics, tags, "FINISHED")
    for by, message in (
        ("val/loss", "--by val/loss: the runs differ in loss.delta: it is not the same in each; choose another"),
        ("val/wonder", "--by val/wonder: the runs contradict each other on whether higher is better; choose another"),
    ):
        with pytest.raises(LabError, match=message):
            ranked(by)
    assert [name for name, _ in ranked("val/mae")] == ["b", "a"]


@pytest.mark.parametrize(
    ("names", "main"),
    [
        (["val_loss", "val_acc", "train_loss", "epoch"], "val_acc"),
        (["val/loss", "val/f1", "test/accuracy", "best/val/f1"], "val/f1"),
        (["best/val/accuracy"], "val/accuracy"),
        (["val_a", "val_loss"], "val_loss"),
        (["val_a", "val_said", "val_loss"], "val_loss"),
        (["val_a", "val_said", "train_loss"], "val_said"),
        (["valid_rmse", "val_loss_step", "val_loss_epoch"], "valid_rmse"),
        (["val_loss_step", "train_loss"], "train_loss"),
        (["d_loss", "g_loss", "system/cpu", "epoch", "train_x"], "d_loss"),
        (["loss_step", "epoch"], "loss_step"),
        (["epoch", "system/cpu"], ""),
    ],
)
def test_the_main_metric_of_a_run(names: list[str], main: str) -> None:
    assert summaries.main_metric(names, {"val_said": True}) == main


def test_lab_runs_shows_the_best_value_of_the_main_metric(
    workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    shown = {
        record("a", val_acc=[0.25, 0.75, 0.5], val_loss=[1.0]): "val_acc 0.75 ↑",
        record("b", val_wonder=[9.0, 2.0]): "val_wonder 2 ",  # the last: nobody says which is better
        record("c", **{"best/val/loss": [0.125], "val/loss": [3.0]}): "val/loss 0.125 ↓",
        record("d", train_loss=[0.1, 0.4]): "train_loss 0.4 ↓",
        record("e", tags=directions.as_tag({"val_wonder": False}), val_wonder=[9.0, 2.0, 3.0]): "val_wonder 2 ↓",
    }
    with pytest.raises(SystemExit):
        main.main(["runs"])
    lines = capsys.readouterr().out.splitlines()
    for run, text in shown.items():
        assert text in next(line for line in lines if line.startswith(run[:8]))
    with pytest.raises(SystemExit):
        main.main(["best", "elsewhere", "--by", "val_acc"])
    assert "the best of all" in capsys.readouterr().out


def test_best_values_complete_those_that_are_recorded(workplace: Path) -> None:
    recorded = record("a", **{"val/acc": [0.9, 0.2], "best/val/acc": [0.7], "val/wonder": [1.0]})
    computed = record("b", **{"val/acc": [0.1, 0.3, 0.2]})
    tables = open_tables()
    table = tables.runs()
    metrics = ["val/acc", "val/wonder"]
    full = summaries.with_best_values(table, tables.histories(table.ids, metrics), metrics)
    assert full["best/val/acc"].to_dict() == {recorded: 0.7, computed: 0.3}
    assert "best/val/wonder" not in full
    assert "best/val/acc" in table.metrics
    assert table.metrics.loc[computed, "best/val/acc"] != 0.3
