"""How runs are named."""

from pathlib import Path

import pytest
from made_runs import make_run

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading import stored_runs


def record(experiment: str, name: str, kind: str = "run", status: str = "FINISHED", **at_best: float) -> str:
    """A run in the store; its id. Runs recorded later were started later."""
    metrics = {f"at_best/val/{metric}": [value] for metric, value in at_best.items()}
    return make_run(store.client(), experiment, name, {"seed": "0"}, metrics, {"lab.kind": kind}, status)


def refusal(name: str, by: str = "val/loss") -> str:
    with pytest.raises(LabError) as refused:
        stored_runs.find(name, by)
    (line,) = refused.value.lines
    return line


def test_a_run_is_found_by_every_way_to_name_it(workplace: Path) -> None:
    low_loss = record("lstm", "lstm", loss=0.1, accuracy=0.8)
    accurate = record("lstm", "lstm seed=1", loss=0.2, accuracy=0.9)
    record("lstm", "trial 0", kind="trial", loss=0.01, accuracy=0.99)  # of a study
    killed = record("lstm", "lstm seed=2", status="KILLED", loss=0.0, accuracy=1.0)
    record("gru", "gru", loss=0.05)
    for name in (low_loss, low_loss[:12], "lstm", "best:lstm"):
        assert stored_runs.find(name).id == low_loss, name
    for name in (accurate, "lstm seed=1"):
        assert stored_runs.find(name).id == accurate, name
    assert stored_runs.find("best:lstm", by="val/accuracy").id == accurate
    assert stored_runs.find("latest:lstm").id == killed
    assert [run.id for run in stored_runs.best("lstm")] == [low_loss, accurate]
    assert [run.id for run in stored_runs.best("lstm", "val/accuracy", top=1)] == [accurate]


def test_a_name_of_no_single_run_is_refused_with_similar_names(workplace: Path) -> None:
    first, second = record("lstm", "lstm", loss=0.1), record("lstm", "lstm", loss=0.1)
    record("gru", "gru it's", status="FAILED")
    assert "2 runs are named 'lstm'" in refusal("lstm")
    assert all(each[:8] in refusal("lstm") for each in (first, second))
    assert "no run 'latest-lstm': did you mean latest:lstm?" in refusal("latest-lstm")
    assert "did you mean gru it's?" in refusal("gru its")
    assert stored_runs.find("gru it's").status == "FAILED"
    assert "no run 'zzzzzz': name a run by its id" in refusal("zzzzzz")
    assert "no experiment 'lsmt' has runs; did you mean lstm?" in refusal("latest:lsmt")
    assert "no run of experiment 'gru' is finished" in refusal("best:gru")
    assert "has 'val/los'; did you mean --by val/loss?" in refusal("best:lstm", "val/los")
    make_run(store.client(), "own", "own", {}, {"val_score": [0.5]}, {})
    assert refusal("best:own") == "no run of experiment 'own' has 'val/loss'; known: --by val_score"
    assert "test data is for the final evaluation" in refusal("best:lstm", "test/accuracy")


def test_the_best_by_a_custom_metric_is_the_lowest_where_lower_is_better(workplace: Path) -> None:
    client, tags = store.client(), {"lab.kind": "run"}
    for value in (0.3, 0.2, 0.4):  # the best epoch by the loss is not that of the least error
        metrics = {"at_best/val/miss_rate": [value], "best/val/miss_rate": [value - 0.1], "at_best/val/loss": [1.0]}
        make_run(client, "mine", f"mine {value}", {}, metrics, tags)
    make_run(client, "mine", "mine nan", {}, {"at_best/val/miss_rate": [float("nan")]}, tags)
    assert [run.name for run in stored_runs.best("mine", "val/miss_rate")] == ["mine 0.2", "mine 0.3", "mine 0.4"]
