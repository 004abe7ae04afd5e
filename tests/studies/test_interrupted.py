"""Studies that are stopped, killed and continued, and workers that die."""

import json
import os
import signal
from collections import Counter
from pathlib import Path

import optuna
import psutil
import pytest
import warm
from searching import children, run, stored
from waiting import GATED, let_pass, open_gate, wait_until

from lab.studies.search import Counts
from lab.tracking import store

SETTINGS = ("model={kind: 'gated:Gated'}", "trainer.max_epochs=4")


@pytest.fixture
def gated(searched: str, workplace: Path) -> str:
    """An experiment whose trials wait in their third epoch."""
    (workplace / "gated.py").write_text(GATED)
    return searched


def start(name: str, *options: str) -> warm.Process:
    """`lab study` in its own process."""
    counts = ("--trials", "3", "--top", "1", "--seeds", "1", "--pruner", "none")
    return warm.lab("study", name, *counts, *options, *SETTINGS)


def waiting_trials(count: int, finished: int = 0) -> bool:
    """Whether so many trials wait in their third epoch, and so many have finished."""
    try:
        trials = stored().trials
    except Exception:  # the storage is being created
        return False
    states = Counter(trial.state.name for trial in trials)
    return states["COMPLETE"] == finished and sum(map(waits, trials)) == count


def waits(trial: optuna.trial.FrozenTrial) -> bool:
    return trial.state.name == "RUNNING" and len(trial.intermediate_values) == 2


def assert_nothing_runs() -> None:
    wait_until(lambda: not [path for path in store.journals().glob("*") if path.is_dir()])
    assert not [trial for trial in stored().trials if trial.state.name == "RUNNING"]
    assert not store.client().search_runs(["1"], "attributes.status = 'RUNNING'")


@pytest.mark.timeout(400)  # three studies, one after the other
def test_a_stopped_and_a_killed_study_continue(gated: str) -> None:
    stop(gated, signal.SIGINT, finished=1)
    assert_nothing_runs()
    stop(gated, signal.SIGKILL, finished=2)
    open_gate()
    result = run(gated, *SETTINGS, trials=3, seeds=1, pruner="none")
    assert result.counts == Counts(3, 0, 0)
    assert_nothing_runs()
    trials = stored().trials
    assert Counter(trial.state.name for trial in trials) == {"COMPLETE": 3, "FAIL": 2}
    interrupted = stored().user_attrs["lab.retried"]
    retries = {trial.user_attrs.get("lab.retry_of"): trial.params for trial in trials}
    assert [retries[number] for number in interrupted] == [trials[number].params for number in interrupted]
    states = Counter(run.info.status for run in children("trial"))
    assert states == {"FINISHED": 3, "KILLED": 2}


def stop(name: str, number: signal.Signals, finished: int) -> None:
    """Send a signal to a study in a process of its own, once so many trials have finished and one is in training."""
    let_pass(1)
    process = start(name)
    wait_until(lambda: waiting_trials(1, finished), process=process)
    os.kill(process.pid, number)
    if number == signal.SIGINT:
        let_pass(1)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert number != signal.SIGINT or err == "lab: stopped; the same command continues the study\n"


def local_workers(driver: int) -> list[psutil.Process]:
    """The workers of a driver, which are children of its template."""
    try:
        there = psutil.Process(driver).children()
        templates = [child for child in there if "local_process" in " ".join(child.cmdline())]
        return [worker for template in templates for worker in template.children()]
    except psutil.Error:  # one of them has just ended
        return []


def listening(driver: int) -> set[str]:
    """The addresses at which a driver and its processes listen on the network."""
    processes = {driver, *(each.pid for each in psutil.Process(driver).children(recursive=True))}
    sockets = psutil.net_connections("tcp")
    return {str(each.laddr.ip) for each in sockets if each.status == "LISTEN" and each.pid in processes}


def scores() -> dict[str, float]:
    """The scores of the trials that have finished, by their settings."""
    return {json.dumps(trial.params): trial.value for trial in stored().trials if trial.state.name == "COMPLETE"}


def test_a_study_one_of_whose_workers_is_killed_is_that_of_one_process(
    gated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(gated, "--workers", "2", "--sampler", "random")
    wait_until(lambda: len(local_workers(process.pid)) == 2 and waiting_trials(2), process=process)
    assert not listening(process.pid)
    local_workers(process.pid)[0].kill()
    open_gate()
    out, err = process.communicate(timeout=170)
    assert process.returncode == 0, err
    assert "trials      3: 3 finished, 0 pruned, 0 failed" in out
    assert_nothing_runs()
    assert Counter(trial.state.name for trial in stored().trials) == {"COMPLETE": 3, "FAIL": 1}
    lost = [run for run in children("trial") if run.info.status == "KILLED"]
    assert ["its worker died" in run.data.tags["lab.failure"] for run in lost] == [True]
    there = scores()
    monkeypatch.setenv("LAB_STUDY_STORAGE", "sqlite:///here.db")
    run(gated, *SETTINGS, trials=3, seeds=1, pruner="none", sampler="random")
    assert there == pytest.approx(scores(), abs=0.02)  # other thread counts may round otherwise


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_however_a_driver_ends_its_workers_end_with_it(gated: str, number: signal.Signals) -> None:
    process = start(gated, "--workers", "2")
    wait_until(lambda: len(local_workers(process.pid)) == 2 and waiting_trials(2), process=process)
    left = local_workers(process.pid)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert number != signal.SIGINT or err == "lab: stopped; the same command continues the study\n"
    assert not psutil.wait_procs(left, timeout=10)[1]
