"""Outages of a real tracking server, at the start, in the middle and at the end of trainings.

Sessions with and without outages take turns, so that both meet the same machine. A session is one outbox with a
training for each kind of outage; its records are compared with what stands in the store, one by one.
"""

import os
import random
import signal
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rows import Row
from serving import Gate, Server

from lab.config.experiment import Experiment, from_sections
from lab.parallel.jobs import Job, train_job
from lab.tracking import store
from lab.tracking.writing import upload
from lab.tracking.writing.outbox import Outbox
from lab.tracking.writing.tracker import Tracker

KINDS = ("stopped", "frozen", "closed", "error", "lost")
MOMENTS = ("start", "middle", "end")
SECONDS = (0.3, 2.5)  # how long an outage lasts; one that is frozen every fourth time longer than a client waits
LONG_FREEZE = 11.5
RECORDS_PER_EPOCH = 10  # beside that of the epoch itself
Point = tuple[str, int, str]  # metric, step, value: as text, so that NaN equals NaN


@dataclass
class Training:
    """What one training recorded, and how long it took."""

    tracker: Tracker
    seconds: float = 0.0
    points: list[Point] = field(default_factory=list)

    def record(self, values: dict[str, float], step: int) -> None:
        self.tracker.metrics(values, step)
        self.points += [(name, step, repr(float(value))) for name, value in values.items()]


def experiment(epochs: int) -> Experiment:
    sections = {
        "data": {"kind": "digits", "batch_size": 32},
        "model": {"kind": "mlp", "hidden": 64, "layers": 2},
        "trainer": {"max_epochs": epochs},
    }
    return from_sections("outages", "Does training notice the tracking server?", sections)


class Outages:
    """Brings about outages, one at a time, each in a thread of its own."""

    def __init__(self, server: Server, gate: Gate, seed: int):
        self.server = server
        self.gate = gate
        self.random = random.Random(seed)
        self._thread: threading.Thread | None = None
        self._freezes = 0

    def begin(self, kind: str) -> None:
        """Begin an outage that ends by itself."""
        self.over()
        seconds = self.random.uniform(*SECONDS)
        if kind == "frozen":
            self._freezes += 1
            seconds = LONG_FREEZE if self._freezes % 4 == 1 else seconds
        self._thread = threading.Thread(target=getattr(self, f"_{kind}"), args=(seconds,))
        self._thread.start()

    def over(self) -> None:
        """Wait until the outage is over."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _stopped(self, seconds: float) -> None:
        self.server.stop()
        time.sleep(seconds)
        self.server.start()

    def _frozen(self, seconds: float) -> None:
        self.server.signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.server.signal(signal.SIGCONT)

    def _closed(self, seconds: float) -> None:
        self.gate.close()
        time.sleep(seconds)
        self.gate.open()

    def _misbehaves(self, mode: str, seconds: float) -> None:
        self.gate.mode = mode
        time.sleep(seconds)
        self.gate.mode = "pass"

    def _error(self, seconds: float) -> None:
        self._misbehaves("error", seconds)

    def _lost(self, seconds: float) -> None:
        self._misbehaves("lost", seconds)


def train(outbox: Outbox, shape: Experiment, seed: int, disturb: Callable[[str], None]) -> Training:
    """One tracked training; `disturb` is told the moments."""
    disturb("start")
    training = Training(outbox.tracker())
    began = time.perf_counter()
    training.tracker.start(shape.name, f"training {seed}", shape.settings(), {})
    epochs = shape.trainer["max_epochs"]

    def on_epoch(number: int, epoch: int, values: dict[str, float]) -> bool:
        training.record(values, epoch)
        for part in range(RECORDS_PER_EPOCH):
            training.record({"part": epoch + part / 100}, epoch * RECORDS_PER_EPOCH + part)
        if epoch == epochs // 2:
            disturb("middle")
        return False

    varied = shape.varied({"seed": seed})
    assert train_job(Job(seed, varied.name, varied.to_yaml()), on_epoch).state == "finished"
    training.seconds = time.perf_counter() - began
    disturb("end")
    training.tracker.end("FINISHED")
    return training


def session(shape: Experiment, plan: list[tuple[str, str]], outages: Outages | None) -> list[Training]:
    """One outbox with a training for each (kind, moment) of the plan; without `outages`, undisturbed."""
    outbox = Outbox()
    done = []
    for seed, (kind, moment) in enumerate(plan):

        def disturb(now: str, kind: str = kind, moment: str = moment) -> None:
            if outages is not None and now == moment:
                outages.begin(kind)

        done.append(train(outbox, shape, seed, disturb))
    outbox.close()
    if outages is not None:
        outages.over()
    until = time.monotonic() + 120
    while outbox.folder.exists():  # the sender goes on alone
        assert time.monotonic() < until, "the records are not delivered though the server is back"
        time.sleep(0.1)
    return done


def wrong(training: Training) -> tuple[int, int, str]:
    """Records of a training that are missing in the store, records too many, and what else is wrong."""
    client = store.client()
    runs = upload.stored_runs(client, training.tracker.id)
    if len(runs) != 1:
        return len(training.points), 0, f"{len(runs)} runs"
    run = client.get_run(runs[0])
    names = {name for name, _, _ in training.points}
    stored = Counter(
        (name, point.step, repr(float(point.value)))
        for name in names
        for point in client.get_metric_history(runs[0], name)
    )
    recorded = Counter(training.points)
    fine = run.info.status == "FINISHED" and run.data.params
    return (recorded - stored).total(), (stored - recorded).total(), "" if fine else run.info.status


def run(folder: Path, sessions: int = 10, epochs: int = 30, seed: int = 0) -> Row:
    """As many outages of each kind as there are sessions."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    server = Server(folder)
    server.start()
    gate = Gate(server.port)
    os.environ["MLFLOW_TRACKING_URI"] = gate.address
    shape, outages = experiment(epochs), Outages(server, gate, seed)
    try:
        session(shape, [("", "")], None)  # imports, data
        times: dict[bool, list[float]] = {False: [], True: []}
        found: list[tuple[int, int, str]] = []
        for _ in range(sessions):
            kinds = random.Random(seed + len(found)).sample(KINDS, len(KINDS))
            plan = [(kind, outages.random.choice(MOMENTS)) for kind in kinds]
            for disturbed in (False, True):
                done = session(shape, plan, outages if disturbed else None)
                times[disturbed] += [training.seconds for training in done]
                if disturbed:
                    found += [wrong(training) for training in done]
        ratio = statistics.median(times[True]) / statistics.median(times[False])
    finally:
        gate.close()
        server.stop()
        del os.environ["MLFLOW_TRACKING_URI"]
    lost, doubled = sum(one for one, _, _ in found), sum(two for _, two, _ in found)
    held = sum(problem == (0, 0, "") for problem in found)
    others = "; ".join({problem for _, _, problem in found if problem})
    detail = f"{lost} records lost, {doubled} doubled; training took {ratio:.3f} times as long as undisturbed"
    return Row("outage of the tracking server", len(found), held, f"{detail} {others}".strip())
