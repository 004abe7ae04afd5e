"""Studies on two real Ray nodes, of which one does not see the project."""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import optuna
import psutil
import pytest
import ray_nodes
import warm
from ray_nodes import Nodes
from searching import children, run, stored
from waiting import GATED, wait_until

from lab.tracking import store

SETTINGS = ("model={kind: 'gated:Gated'}", "trainer.max_epochs=4")
SEARCH = "search:\n  optimizer.lr: {low: 1e-3, high: 1e-1, log: true}\n"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    pytest.importorskip("ray")
    with ray_nodes.cluster(hidden=tmp_path_factory.getbasetemp()) as running:
        yield running


@pytest.fixture
def searched(tiny: str, workplace: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> str:
    """An experiment to search on the cluster; its trials wait in their third epoch for the gate of the nodes."""
    for name, value in {**ray_nodes.ENVIRONMENT, "RAY_ADDRESS": nodes.address}.items():
        monkeypatch.setenv(name, value)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with (workplace / "experiments" / "tiny.yaml").open("a") as file:
        file.write(SEARCH)
    nodes.add("other")
    nodes.gate.unlink(missing_ok=True)
    (workplace / "gated.py").write_text(GATED.replace('Path("open")', f'Path("{nodes.gate}")'))
    return tiny


def start(*options: str) -> warm.Process:
    counts = ("--trials", "4", "--workers", "2", "--top", "1", "--seeds", "1")
    return warm.lab("study", "tiny", *counts, "--pruner", "none", "--sampler", "random", *options)


def trials_waiting() -> int:
    try:
        return sum(len(trial.intermediate_values) == 2 for trial in stored().trials if trial.state.name == "RUNNING")
    except Exception:  # the storage is being created
        return 0


def scores() -> dict[str, float]:
    return {str(trial.params): trial.value for trial in stored().trials if trial.state.name == "COMPLETE"}


def trainers(nodes: Nodes, name: str) -> list[psutil.Process]:
    return [each for each in nodes.processes(name) if "_Trainer" in " ".join(each.cmdline())]


@pytest.mark.timeout(400)
def test_trials_of_a_killed_worker_and_of_a_killed_node_are_trained_elsewhere(
    searched: str, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(*SETTINGS)
    wait_until(lambda: trials_waiting() == 2)
    trainers(nodes, "head")[0].kill()
    wait_until(lambda: len(stored().trials) >= 3 and trials_waiting() == 2)
    nodes.kill("other")
    wait_until(lambda: Counter(trial.state.name for trial in stored().trials)["FAIL"] >= 2)
    nodes.gate.touch()
    out, told = process.communicate(timeout=170)
    assert process.returncode == 0, told
    assert "the nodes get" in told.splitlines()[0]
    assert told.splitlines()[1:] == ["lab: node other is put aside: it is gone"]
    assert "trials      4: 4 finished, 0 pruned, 0 failed" in out
    lost = [each.data.tags["lab.failure"] for each in children("trial") if each.info.status == "KILLED"]
    assert {reason.partition(":")[0] for reason in lost} == {"head", "other"}
    there = scores()
    monkeypatch.setenv("LAB_STUDY_STORAGE", "sqlite:///here.db")
    run(searched, *SETTINGS, trials=4, top=1, seeds=1, pruner="none", sampler="random", workers=1)
    assert there == pytest.approx(scores())


@pytest.mark.timeout(300)
def test_ctrl_c_and_the_death_of_the_driver_leave_a_study_that_goes_on(searched: str, nodes: Nodes) -> None:
    process = start(*SETTINGS)
    wait_until(lambda: trials_waiting() == 2)
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[1:] == ["lab: stopped; the same command continues the study"]
    wait_until(lambda: {each.info.status for each in children("study")} == {"KILLED"})  # once it is sent
    process = start(*SETTINGS)
    wait_until(lambda: trials_waiting() == 2)
    process.kill()
    process.wait(10)
    nodes.gate.touch()
    process = start(*SETTINGS)
    out, told = process.communicate(timeout=170)
    assert process.returncode == 0, told
    assert "trials      4: 4 finished, 0 pruned, 0 failed" in out
    assert len(scores()) == 4


@pytest.mark.timeout(300)
def test_a_node_that_cannot_read_the_data_is_put_aside_before_the_first_trial(
    searched: str, workplace: Path, nodes: Nodes
) -> None:
    nodes.gate.touch()
    table = workplace / "table.csv"
    table.write_text("a,b\n" + "".join(f"{number % 7},{number % 2}\n" for number in range(200)))
    process = start(f"data={{kind: table, path: '{table}', target: b}}", "model={kind: mlp}", "--trials=2")
    _, told = process.communicate(timeout=170)
    assert process.returncode == 0, told
    (aside,) = told.splitlines()[1:]
    assert aside.startswith("lab: node other is put aside: ")
    assert str(table) in aside
    assert {each.info.status for each in children("trial")} == {"FINISHED"}


@pytest.mark.timeout(300)
def test_where_no_node_can_train_nothing_is_recorded(searched: str, workplace: Path) -> None:
    (workplace / "own.py").write_text(
        "from pathlib import Path\n"
        f"assert Path.cwd() == Path('{workplace}'), 'not at home'\n"
        "from lab.architectures.perceptron import Linear as Own\n"
    )
    process = start("model={kind: 'own:Own'}")
    _, told = process.communicate(timeout=170)
    assert process.returncode == 2, told
    lines = sorted(told.splitlines()[1:])
    assert [line.split()[2] for line in lines] == ["head", "other"]
    assert all("not at home" in line and line.endswith("no node is left") for line in lines)
    assert not (store.root() / "optuna.db").exists()


class TestRefused:
    """One line each, before anything is recorded."""

    def refused(self, *options: str) -> str:
        process = start(*options)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 2, told
        assert not (store.root() / "optuna.db").exists()
        (line,) = told.splitlines()
        return line

    def test_another_token(self, searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "another-token-0123456789abcdef0123456789")
        assert "refuses this token; set RAY_AUTH_TOKEN" in self.refused()

    def test_what_is_no_cluster(self, searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            monkeypatch.setenv("RAY_ADDRESS", address)
            assert f"RAY_ADDRESS={address} does not answer as Ray does; name the head's port" in self.refused()

    def test_more_workers_than_there_is_room_for(self, searched: str) -> None:
        assert self.refused("--workers=5") == "lab: --workers 5: there is room for 2, each with 1 CPU"


@pytest.mark.timeout(300)
def test_a_study_whose_cluster_is_gone_ends_in_one_line_and_goes_on_without_it(
    searched: str, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start(*SETTINGS)
    wait_until(lambda: trials_waiting() == 2)
    nodes.kill("head")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 1, told
    assert len(told.splitlines()) == 2, told
    nodes.gate.touch()
    monkeypatch.delenv("RAY_ADDRESS")
    run(searched, *SETTINGS, trials=4, top=1, seeds=1, pruner="none", sampler="random", workers=1)
    assert len(scores()) == 4
