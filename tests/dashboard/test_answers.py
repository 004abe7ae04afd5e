"""What Home answers: the best run of each experiment, and the runs that need attention."""

from pathlib import Path

import pytest
from made_runs import Filled, make_run
from pages import opened_page, texts

from dashboard import answers
from lab.tracking import store
from lab.tracking.reading.run_table import RunTable
from lab.tracking.reading.tables import open_tables

TAGS = {"lab.main_metric": "accuracy", "lab.baseline": "majority class", "lab.quick_baseline": "logistic regression"}


def result(name: str, validation: float, test: float, kind: str = "run", status: str = "FINISHED") -> str:
    metrics = {
        "at_best/val/accuracy": [validation],
        "test/accuracy": [test],
        "low/test/accuracy": [test - 0.02],
        "high/test/accuracy": [test + 0.02],
        "baseline/test/accuracy": [0.5],
        "quick_baseline/test/accuracy": [0.85],
    }
    return make_run(store.client(), "digits", name, {"seed": name[-1]}, metrics, TAGS | {"lab.kind": kind}, status)


@pytest.fixture
def table(workplace: Path) -> RunTable:
    result("seed 1", 0.80, 0.99)
    result("seed 2", 0.90, 0.86)
    result("seed 3", 0.99, 0.99, kind="trial")
    result("seed 4", 0.99, 0.99, status="FAILED")
    return open_tables().runs()


def test_the_best_is_chosen_on_validation_data_among_finished_runs_of_their_own(table: RunTable) -> None:
    (row,) = answers.best_results(table).to_dict("records")
    assert (row["best run"], row["value"], row["of runs"]) == ("seed 2", "0.86", 2)
    assert (row["95 %"], row["baseline"], row["quick baseline"]) == ("[0.84, 0.88]", "0.5", "0.85")
    assert row["against its baselines"] == "not clearly better"


def test_the_experiment_with_the_latest_run_is_first_and_without_an_interval_none_is_shown(
    table: RunTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, loss in (("low", 0.3), ("high", 0.5)):
        make_run(store.client(), "waves", name, {}, {"best/val/loss": [loss]}, {})
    first, second = answers.best_results(open_tables().runs()).to_dict("records")
    assert (first["experiment"], second["experiment"]) == ("waves", "digits")
    assert (first["best run"], first["of runs"]) == ("low", 2)
    assert (first["metric"], first["value"], first["95 %"], first["baseline"]) == ("best/val/loss", "0.3", "", "")
    monkeypatch.setattr(answers, "MAX_EXPERIMENTS", 1)
    assert len(answers.best_results(open_tables().runs())) == 1


def test_runs_that_failed_or_are_incomplete_need_attention(table: RunTable) -> None:
    make_run(store.client(), "p", "half", {}, {}, {"lab.incomplete": "without an exported model: a reason"})
    problems = answers.attention(open_tables().runs())
    assert problems[["run", "problem"]].to_numpy().tolist() == [["half", "incomplete"], ["seed 4", "✕ failed"]]
    assert problems["reason"][0] == "without an exported model: a reason"


def test_home_shows_both(table: RunTable) -> None:
    app = opened_page()
    assert "The best of each experiment" in texts(app)
    assert "Needs attention" in texts(app)
    assert "Running now" not in texts(app)


def test_runs_of_other_tools_have_no_best_that_was_not_recorded(filled: Filled) -> None:
    assert "best/val/loss" not in open_tables().runs().metrics
    assert not len(answers.best_results(open_tables().runs()))
    assert "The best of each experiment" not in texts(opened_page())
