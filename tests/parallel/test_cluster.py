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

from lab.errors import LabError
from lab.parallel import cluster
from lab.tracking import store

SETTINGS = ("model={kind: 'gated:Gated'}", "trainer.max_epochs=4")
SEARCH = "search:\n  optimizer.lr: {low: 1e-3, high: 1e-1, log: true}\n"
POLL = 0.25  # seconds; reading a study takes a tenth
PATIENCE = 60.0  # seconds for what a command of a busy machine has to say
WAITS = "            self.waits = not"  # the line of GATED that looks whether the gate is open
BREAKS = """            if Path(f"{gate}-broken-{os.environ.get('NODE')}").exists():
                raise OSError("this node has lost its disk")
"""


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
    nodes.gate.unlink(missing_ok=True)
    gated = GATED.replace(WAITS, BREAKS + WAITS).replace('Path("open")', "Path(gate)")
    (workplace / "gated.py").write_text(f'import os\n\ngate = "{nodes.gate}"\n{gated}')
    return tiny


def start(*options: str) -> warm.Process:
    counts = ("--trials", "4", "--top", "1", "--seeds", "1")
    return warm.lab("study", "tiny", *counts, "--pruner", "none", "--sampler", "random", *options)


def trials_waiting() -> int:
    try:
        return sum(len(trial.intermediate_values) == 2 for trial in stored().trials if trial.state.name == "RUNNING")
    except Exception:  # the storage is being created
        return 0


def lost_trials() -> int:
    return Counter(trial.state.name for trial in stored().trials)["FAIL"]


def scores() -> dict[str, float]:
    return {str(trial.params): trial.value for trial in stored().trials if trial.state.name == "COMPLETE"}


def trainers(nodes: Nodes, name: str) -> list[psutil.Process]:
    return [each for each in nodes.processes(name) if "RayTrainer" in " ".join(each.cmdline())]


def told_by(process: warm.Process) -> list[str]:
    """The lines of a command after the first, which says what travels."""
    first, *others = process.communicate(PATIENCE)[1].splitlines()
    assert "the nodes get" in first, first
    return others


class TestRefused:
    """One line each, before anything is recorded."""

    def refused(self, *options: str) -> str:
        process = start(*options)
        _, told = process.communicate(PATIENCE)
        assert process.returncode == 2, told
        assert not (store.root() / "optuna.db").exists()
        (line,) = told.splitlines()
        return line

    def test_another_token(self, searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "another-token-0123456789abcdef0123456789")
        assert "refuses this token; set RAY_AUTH_TOKEN" in self.refused()

    def test_what_is_no_cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster, "ANSWER_TIMEOUT", 1.0)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            monkeypatch.setenv("RAY_ADDRESS", address)
            with pytest.raises(LabError) as error:
                cluster.connect({})
        (line,) = error.value.lines
        assert f"RAY_ADDRESS={address} does not answer as Ray does; name the head's port" in line

    def test_more_workers_than_there_is_room_for(self, searched: str) -> None:
        assert self.refused("--workers=5") == "lab: --workers 5: there is room for 2, each with 1 CPU"


@pytest.mark.timeout(300)
def test_a_node_that_cannot_read_the_data_is_put_aside_before_the_first_trial(
    searched: str, workplace: Path, nodes: Nodes
) -> None:
    table = workplace / "table.csv"
    table.write_text("a,b\n" + "".join(f"{number % 7},{number % 2}\n" for number in range(200)))
    process = start(f"data={{kind: table, path: '{table}', target: b}}", "model={kind: mlp}", "--trials=2")
    (aside,) = told_by(process)
    assert process.returncode == 0
    assert aside.startswith("lab: node other is put aside: ")
    assert str(table) in aside
    assert {each.info.status for each in children("trial")} == {"FINISHED"}


@pytest.mark.timeout(300)
def test_where_no_node_can_train_nothing_is_recorded_and_one_line_says_why(searched: str, workplace: Path) -> None:
    (workplace / "own.py").write_text(
        "from pathlib import Path\n"
        f"assert Path.cwd() == Path('{workplace}'), 'not at home'\n"
        "from lab.architectures.perceptron import Linear as Own\n"
    )
    process = start("model={kind: 'own:Own'}")
    (line,) = told_by(process)
    assert process.returncode == 2, line
    assert line.startswith("lab: no node can train this: ")
    assert "not at home" in line
    assert sorted(line.rpartition("(")[2].rstrip(")").split(", ")) == ["head", "other"]
    assert not (store.root() / "optuna.db").exists()


@pytest.mark.timeout(400)
def test_a_study_outlives_losses_of_every_kind_and_is_that_of_one_undisturbed_process(
    searched: str, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    loses_a_node_that_only_fails_and_is_stopped(nodes)
    uses_the_mended_node_and_loses_a_worker_a_node_and_its_driver(nodes)
    loses_its_cluster(nodes)
    nodes.gate.touch()
    monkeypatch.delenv("RAY_ADDRESS")
    options = {"trials": 4, "top": 1, "seeds": 1, "pruner": "none", "sampler": "random", "workers": 1}
    run(searched, *SETTINGS, **options)
    assert not {"RUNNING", "WAITING"} & {trial.state.name for trial in stored().trials}
    assert not store.client().search_runs(["1"], "attributes.status = 'RUNNING'")
    disturbed = scores()
    monkeypatch.setenv("LAB_STUDY_STORAGE", "sqlite:///here.db")
    run(searched, *SETTINGS, **options)
    assert disturbed == pytest.approx(scores())
    assert len(disturbed) == 4


def loses_a_node_that_only_fails_and_is_stopped(nodes: Nodes) -> None:
    broken = Path(f"{nodes.gate}-broken-other")
    broken.touch()
    process = start(*SETTINGS)
    wait_until(lambda: trials_waiting() == 1 and lost_trials() == 3, every=POLL, process=process)
    os.kill(process.pid, signal.SIGINT)
    aside, stopped = told_by(process)
    assert process.returncode == 130
    assert aside.startswith("lab: node other is put aside: 3 trainings one after the other were lost there; the last: ")
    assert "this node has lost its disk" in aside
    assert stopped == "lab: stopped; the same command continues the study"
    wait_until(lambda: {each.info.status for each in children("study")} == {"KILLED"})  # once it is sent
    broken.unlink()


def uses_the_mended_node_and_loses_a_worker_a_node_and_its_driver(nodes: Nodes) -> None:
    process = start(*SETTINGS)
    wait_until(lambda: trials_waiting() == 2, every=POLL, process=process)  # one on each node
    lost = lost_trials()
    trainers(nodes, "head")[0].kill()
    wait_until(lambda: lost_trials() == lost + 1 and trials_waiting() == 2, every=POLL, process=process)
    nodes.kill("other")
    wait_until(lambda: "node other is put aside: it is gone" in process.told(), every=POLL, process=process)
    process.kill()
    assert told_by(process) == ["lab: node other is put aside: it is gone"]
    wait_until(lambda: not store.client().search_runs(["1"], "attributes.status = 'RUNNING'"))  # once it is sent
    reasons = [each.data.tags["lab.failure"] for each in children("trial") if "lab.failure" in each.data.tags]
    assert {reason.partition(":")[0] for reason in reasons if "its worker died" in reason} == {"head", "other"}


def loses_its_cluster(nodes: Nodes) -> None:
    lost = lost_trials()
    process = start(*SETTINGS)
    # Not those of the killed driver.
    wait_until(lambda: lost_trials() > lost and trials_waiting() == 1, every=POLL, process=process)
    nodes.kill("head")
    lines = told_by(process)
    assert process.returncode == 1, lines
    assert all(line.startswith("lab: ") for line in lines), lines
    assert len(lines) <= 2, lines  # that the node is gone, and that none is left
