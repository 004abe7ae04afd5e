"""`lab.study`: the study of the command, with a search space in Python."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lab

SPACE = {"optimizer.lr": {"low": np.float64(1e-2), "high": 1e-1, "log": True}, "model.hidden": [16, 24]}


def test_a_study_in_python(tiny: str, workplace: Path) -> None:
    slow = {"optimizer": {"lr": 1e-5}, "trainer.max_epochs": 1}
    result = lab.study(tiny, slow, space=SPACE, trials=3, top=1, seeds=2, progress=False)
    check_winner(result)
    check_table(result)
    check_run(result)
    assert not (workplace / "experiments" / "tiny-best.yaml").exists()


def check_winner(result: Any) -> None:
    assert set(result.best) == {"optimizer.lr", "model.hidden"}
    assert 0.01 <= result.best["optimizer.lr"] <= 0.1
    assert result.verdict is result.verdicts[result.winner.name]
    assert result.winner.name in repr(result)
    assert result.run_id in result._repr_html_()


def check_table(result: Any) -> None:
    assert list(result.table.index) == [result.winner.name, "defaults"]
    assert list(result.table["seeds"]) == [2, 2]
    assert list(result.table["failed"]) == [0, 0]
    assert list(result.table["verdict"]) == [result.verdict.state, "control"]
    assert result.table.loc[result.winner.name, "mean"] == pytest.approx(result.winner.mean)
    assert result.table.loc[result.winner.name, "model.hidden"] == result.best["model.hidden"]


def check_run(result: Any) -> None:
    run = result.winner_run
    assert run.experiment.model.settings["hidden"] == result.best["model.hidden"]
    assert run.metrics["test/accuracy"] == lab.runs().loc[run.run_id, "test/accuracy"]
    assert len(run.model.predict(np.zeros((2, 1, 8, 8)))) == 2


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ({}, ["search: digits has no search space; add one to its file"]),
        ({"space": ["optimizer.lr"]}, ["space: must be a mapping of settings to choices or ranges, not list"]),
        ({"space": {"optimizer.lrr": [1, 2]}}, ["search.optimizer.lrr: no such setting; did you mean optimizer.lr?"]),
        ({"space": {"optimizer.lr": (0.1, -1.0)}}, ["search.optimizer.lr: must be greater than 0, not -1"]),
        (
            {"space": SPACE, "trials": "20", "sampler": "tpee"},
            ["trials: must be a whole number, not '20'", "sampler: must be tpe, gp, random or cmaes, not 'tpee'"],
        ),
        ({"space": SPACE, "trials": 0, "minutes": -1}, ["--trials: must be at least 1", "--minutes: must be above 0"]),
        ({"space": SPACE, "metric": "test/accuracy"}, ["--metric: test data is for the winner alone"]),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(
    empty_workplace: Path, arguments: dict[str, Any], messages: list[str]
) -> None:
    with pytest.raises(lab.LabError) as raised:
        lab.study("digits", **arguments)
    assert len(raised.value.lines) == len(messages)
    assert all(line.startswith(message) for line, message in zip(raised.value.lines, messages, strict=True))
    assert not (empty_workplace / "mlruns").exists()
