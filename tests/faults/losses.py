"""Studies and comparisons on a cluster of two Ray nodes that lose a part of it, against undisturbed ones.

`PYTHONPATH=tests python tests/faults/losses.py node 3` loses a node in three studies and in three comparisons.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import postgresql
import psutil
import ray_nodes
import sqlalchemy
import warm
from rows import Row
from serving import Server
from waiting import wait_until

from lab.studies import storage
from lab.tracking import store

FAULTS = {
    "worker": "a worker killed",
    "node": "a node killed",
    "driver": "the driver killed",
    "postgresql": "PostgreSQL restarted",
    "mlflow": "the MLflow server frozen",
}
PLAIN = ("--sampler", "random", "--pruner", "none")  # of which nothing depends on the trial that is done first
COMMANDS = {
    "study": ("study", "slow", "--trials", "4", "--top", "1", "--seeds", "2", *PLAIN),
    "comparison": ("compare", "slow", "--seeds", "3..3"),
}
CHILDREN = {"study": 4 + 2 * 2 + 2, "comparison": 2 * 3}  # trials, candidates on seeds, tested seeds; arms on seeds
SECONDS = {"postgresql": 1.5, "mlflow": 4.0}  # that a server is away
LONGEST = 300.0  # seconds of a command on a busy machine
SLOW = '''
import time

from torch import nn


class Slow(nn.Module):
    """A linear network whose training takes a second."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.net = nn.Linear(in_features, out_features)

    def forward(self, x):
        time.sleep(0.02 * self.training)
        return self.net(x.flatten(1))
'''
EXPERIMENT = (
    "# Does it go on?\ndata: {kind: digits, batch_size: 128}\nmodel: {kind: 'slow:Slow'}\nthreads: 1\n"
    "trainer: {max_epochs: 4}\noptimizer: {kind: sgd, lr: 0.01}\n"
    "search:\n  optimizer.lr: {low: 1e-3, high: 1e-1, log: true}\n"
)
COMPARISON = "# Is it better?\nbase: slow\narms:\n  low: {}\n  high: {optimizer.lr: 0.1}\n"


@dataclass
class Place:
    """Where the commands run, and what can be lost there."""

    nodes: ray_nodes.Nodes
    database: postgresql.Server
    server: Server | None  # of MLflow; None where the store is the folder's
    chance: random.Random
    since: float = 0.0  # when the command began: the server has the runs of earlier ones


@dataclass
class Tally:
    tried: int = 0
    lost: int = 0
    doubled: int = 0
    running: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, expected: dict[str, float], since: float, said: list[str]) -> None:
        """Compare what a disturbed command left with what an undisturbed one did."""
        kind = what.partition(" ")[0]
        found, runs = results(kind), finished_runs(since)
        lost = len(expected.keys() - found.keys()) + max(0, CHILDREN[kind] - len(runs))
        doubled = len(found.keys() - expected.keys()) + sum(runs.values()) - len(runs)
        same = all(abs(value - expected.get(key, value)) < 1e-9 for key, value in found.items())
        running = left_running(kind, since)
        self.tried += 1
        self.lost, self.doubled, self.running = self.lost + lost, self.doubled + doubled, self.running + running
        if lost or doubled or running or not same or said:
            self.wrong.append(f"{what}: {'; '.join(said) or 'other results'}")


def results(kind: str) -> dict[str, float]:
    """The scores that a study or comparison has stored, by what was trained."""
    if kind == "comparison":
        (path,) = (store.root() / "comparisons").glob("*.json")
        scores = json.loads(path.read_text())["arms"]
        return {f"{arm} {number}": score for arm, each in scores.items() for number, score in each.items()}
    trials = [trial for trial in stored().trials if trial.state.name == "COMPLETE"]
    found = Counter(str(trial.params) for trial in trials)
    return {f"{trial.params} {found[str(trial.params)]}": float(trial.value or 0) for trial in trials}


def stored() -> optuna.Study:
    """The study, by a connection that is closed at once: this asks often."""
    options = {"poolclass": sqlalchemy.NullPool}
    return optuna.load_study(
        study_name=None, storage=optuna.storages.RDBStorage(storage.address(), engine_kwargs=options)
    )


def finished_runs(since: float) -> Counter[str]:
    """How often each training is recorded as finished."""
    tags = [run.data.tags for run in all_runs(since) if run.data.tags.get("lab.trial_state") == "finished"]
    return Counter(f"{each['lab.kind']} {each['mlflow.runName']}" for each in tags)


def all_runs(since: float) -> list:
    client = store.client()
    experiments = [each.experiment_id for each in client.search_experiments()]
    return client.search_runs(experiments, f"attributes.start_time >= {int(1000 * since)}", max_results=1000)


def left_running(kind: str, since: float) -> int:
    runs = sum(run.info.status == "RUNNING" for run in all_runs(since))
    if kind == "comparison":
        return runs
    return runs + sum(trial.state.name in ("RUNNING", "WAITING") for trial in stored().trials)


def begun(kind: str) -> bool:
    """Whether a first training has finished."""
    try:
        return bool(results(kind))
    except Exception:  # the storage is being created
        return False


def worker(place: Place) -> None:
    node = place.chance.choice(["head", "other"])
    trainers = [each for each in place.nodes.processes(node) if "RayTrainer" in " ".join(each.cmdline())]
    for each in trainers[:1]:
        each.kill()


def node(place: Place) -> None:
    place.nodes.kill("other")


def restarted(place: Place) -> None:
    place.database.stop()
    time.sleep(SECONDS["postgresql"])
    place.database.start()


def frozen(place: Place) -> None:
    assert place.server is not None
    place.server.signal(signal.SIGSTOP)
    time.sleep(SECONDS["mlflow"])
    place.server.signal(signal.SIGCONT)


DISTURB: dict[str, Callable[[Place], None]] = {
    "worker": worker,
    "node": node,
    "postgresql": restarted,
    "mlflow": frozen,
}


def disturbed(kind: str, fault: str, place: Place) -> list[str]:
    """Run a command, disturb it, and repeat it where it was ended; what was wrong with what it said."""
    command = (*COMMANDS[kind], "--workers", "2")
    process = warm.lab(*command)
    wait_until(lambda: begun(kind) or process.poll() is not None, LONGEST, every=0.1)
    time.sleep(place.chance.uniform(0, 1.5))
    if fault == "driver":
        os.kill(process.pid, signal.SIGKILL)
    else:
        DISTURB[fault](place)
    _, told = process.communicate(LONGEST)
    said = [] if process.returncode == 0 or "Traceback" not in told else ["a traceback"]
    expected = {"driver": (-9, 0), "postgresql": (0, 1)}.get(fault, (0,))
    if process.returncode not in expected:
        said.append(f"exit code {process.returncode}: {told[-300:]}")
    if process.returncode != 0:
        again = warm.lab(*command)
        _, told = again.communicate(LONGEST)
        if again.returncode != 0:
            said.append(f"exit code {again.returncode} of the same command: {told[-300:]}")
    wait_until(lambda: not [path for path in store.journals().glob("*") if path.is_dir()], LONGEST, every=0.2)
    return said


@contextmanager
def folder_of(kind: str, fault: str, place: Place, number: int) -> Iterator[None]:
    """A new working folder, study storage and, for a comparison that loses PostgreSQL, a store there."""
    folder = Path.cwd() / f"{kind}-{fault}-{number}"
    (folder / "experiments" / "comparisons").mkdir(parents=True)
    (folder / "experiments" / "slow.yaml").write_text(EXPERIMENT)
    (folder / "experiments" / "comparisons" / "slow.yaml").write_text(COMPARISON)
    (folder / "slow.py").write_text(SLOW)
    name = f"{kind}_{fault}_{number}"
    engine = sqlalchemy.create_engine(f"{place.database.address}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    here, place.since = Path.cwd(), time.time()
    os.environ["LAB_STUDY_STORAGE"] = address = f"{place.database.address}/{name}"
    if place.server is not None:
        os.environ["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{place.server.port}"
    elif fault == "postgresql" and kind == "comparison":
        os.environ["MLFLOW_TRACKING_URI"] = address
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.pop("MLFLOW_TRACKING_URI", None)


@contextmanager
def place(folder: Path, fault: str, seed: int) -> Iterator[Place]:
    with ExitStack() as stack:
        nodes = stack.enter_context(ray_nodes.cluster(hidden=folder))
        database = stack.enter_context(postgresql.running())
        server = None
        if fault == "mlflow":
            server = Server(folder)
            server.start()
            stack.callback(server.stop)
        os.environ.update(ray_nodes.ENVIRONMENT)
        yield Place(nodes, database, server, random.Random(f"{fault} {seed}"))


def undisturbed(kind: str) -> dict[str, float]:
    process = warm.lab(*COMMANDS[kind], "--workers", "1")
    _, told = process.communicate(LONGEST)
    assert process.returncode == 0, told
    return results(kind)


def run(folder: Path, fault: str, count: int, seed: int = 0) -> Row:
    """Lose something in so many studies, and in as many comparisons."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    tally = Tally()
    with place(folder, fault, seed) as there:
        for kind in COMMANDS:
            os.environ.pop("RAY_ADDRESS", None)
            with folder_of(kind, fault, there, 0):
                expected = undisturbed(kind)
            for number in range(1, count + 1):
                there.nodes.add("other")
                os.environ["RAY_ADDRESS"] = there.nodes.address
                with folder_of(kind, fault, there, number):
                    said = disturbed(kind, fault, there)
                    tally.add(f"{kind} {number}", expected, there.since, said)
                    print(f"  {kind} {number}: {'as undisturbed' if not tally.wrong else tally.wrong[-1]}", flush=True)
        os.environ.pop("RAY_ADDRESS", None)
    del os.environ["LAB_STUDY_STORAGE"]
    detail = f"{tally.lost} trainings lost, {tally.doubled} doubled, {tally.running} left RUNNING"
    wrong = f"; {tally.wrong}" if tally.wrong else ""
    return Row(
        f"{FAULTS[fault]}: {count} studies, {count} comparisons on two Ray nodes",
        tally.tried,
        tally.tried - len(tally.wrong),
        detail + wrong,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        os.chdir(made)
        began = time.monotonic()
        row = run(Path(made), sys.argv[1], int(sys.argv[2]), int([*sys.argv, 0][3]))
        print(row, f"{time.monotonic() - began:.0f} s, load {psutil.getloadavg()[0]:.1f}")
