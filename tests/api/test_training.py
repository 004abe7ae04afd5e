"""`lab.run`: the same run as on the command line, in a process that lives on."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import warm
from waiting import wait_until

import lab
from lab.cli import main
from lab.tracking import store

DIGITS = np.zeros((3, 1, 8, 8), dtype=np.float32)


@pytest.fixture
def result(tiny: str) -> "lab.api.training.RunResult":  # type: ignore[name-defined]
    return lab.run(tiny, {"optimizer.lr": 0.02}, seed=1, progress=False)


class TestAResult:
    """One run, looked at from all sides."""

    def test_metrics_intervals_model_and_pictures(self, result, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
        self.check_same_as_the_command(result, capsys)
        self.check_shown(result)
        self.check_model(result)

    def check_same_as_the_command(self, result, capsys) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(SystemExit) as ended:
            main.main(["run", "tiny", "optimizer.lr=0.02", "seed=1"])
        assert not ended.value.code
        printed = capsys.readouterr().out
        first, second = (store.client().get_run(run).data for run in lab.runs().index)
        assert first.params == second.params
        assert first.metrics["test/accuracy"] == second.metrics["test/accuracy"] == result.metrics["test/accuracy"]
        shown = repr(result).splitlines()
        assert shown[0] in printed  # whether it beats its baselines
        assert shown[3].split()[:4] == next(
            line.split()[:4] for line in printed.splitlines() if line.startswith("accuracy")
        )

    def check_shown(self, result) -> None:  # type: ignore[no-untyped-def]
        low, high = result.intervals["test/accuracy"]
        assert low < result.metrics["test/accuracy"] < high
        assert result.run_id in result._repr_html_()
        assert "<script" not in result._repr_html_()
        assert "make experiment" not in repr(result)

    def check_model(self, result) -> None:  # type: ignore[no-untyped-def]
        predicted = result.model.predict(DIGITS)
        assert list(predicted.columns[:2]) == ["prediction", "probability of 0"]
        assert result.model is result.model
        assert repr(result.model) == f"the model of run {result.run_id} (tiny optimizer.lr=0.02 seed=1): classification"
        assert lab.load(result.run_id).predict(DIGITS).equals(predicted)


def test_folds_give_a_mean_an_interval_and_a_row_each(tiny: str) -> None:
    found = lab.run(tiny, {"optimizer.lr": 0.02}, folds=3, seed=1, progress=False)
    mean = found.means["test/accuracy"]
    assert mean.value == pytest.approx(found.table["test/accuracy"].mean())
    assert mean.deviation == pytest.approx(found.table["test/accuracy"].std())
    assert mean.low < mean.value < mean.high
    assert list(found.table.index) == [1, 2, 3]
    assert found.failed == {}
    assert found.run_id in repr(found)
    assert "Nadeau &amp; Bengio" in found._repr_html_()
    assert "lab run" not in repr(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": "5"}, "folds: must be a whole number, not '5'"),
        ({"folds": True}, "folds: must be a whole number, not True"),
        ({"folds": 1}, "--folds: must be at least 2, not 1"),
        ({"workers": 2}, "workers: is for folds; a single training is not divided among workers"),
    ],
)
def test_what_folds_cannot_be_is_refused(tiny: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(lab.LabError, match=f"^{message}$"):
        lab.run(tiny, progress=False, **arguments)  # type: ignore[call-overload]


def test_a_refused_run_writes_nothing_and_the_process_lives_on(empty_workplace: Path) -> None:
    with pytest.raises(lab.LabError, match=r"^no experiment 'lsmt' in experiments/; did you mean lstm\?$"):
        lab.run("lsmt")
    with pytest.raises(lab.LabError, match=r"^nowhere\.csv: no such file"):
        lab.run({"data": {"kind": "table", "path": "nowhere.csv", "target": "y"}, "model": {"kind": "mlp"}})
    assert not (empty_workplace / "mlruns").exists()


def test_a_notebook_shows_an_error_in_one_line() -> None:
    assert lab.LabError("a: b", "c: d")._render_traceback_() == ["LabError: a: b\nc: d"]


def test_runs_at_the_same_time_in_a_thread_and_in_an_event_loop_are_those_of_one(tiny: str) -> None:
    async def cell() -> float:
        return lab.run(tiny, seed=1, progress=False).metrics["val/loss"]

    found: list[float] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(cell())))
    thread.start()
    found.append(asyncio.run(cell()))
    thread.join()
    assert found[0] == found[1]


SCRIPT = """
import os, lab, time
os.setsid()  # a group of its own, as in a terminal
try:
    lab.run("tiny", {"trainer.max_epochs": 100_000})
except KeyboardInterrupt as stop:
    print(stop, flush=True)
while set(lab.runs()["state"]) <= {"● running"}:
    time.sleep(0.1)
print(lab.runs().iloc[0]["state"])
"""


def test_ctrl_c_stops_the_run_and_the_process_lives_on(tiny: str) -> None:
    process = warm.python(SCRIPT)
    wait_until(lambda: list(store.journals().glob("*/*/checkpoints/*.ckpt")), process=process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, and Jupyter's interrupt of a kernel
    out, err = process.communicate(timeout=90)
    assert out.splitlines() == ["stopped; the run is recorded as KILLED, with its checkpoints", "■ stopped"], err
