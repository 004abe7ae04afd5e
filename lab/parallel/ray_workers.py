"""Workers on the Ray cluster that RAY_ADDRESS names."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lab.config.experiment import Experiment
from lab.errors import LabError, Stopped, TrainingFailed, say
from lab.parallel import cluster, rehearsal, working_folder
from lab.parallel.cluster import Node, reason
from lab.parallel.jobs import Job, OnEpoch, Outcome, Resources
from lab.parallel.ray_trainer import RayTrainer
from lab.parallel.rehearsal import Surroundings

POLL_SECONDS = 0.5  # between two looks for a signal
CHECK_SECONDS = 5.0  # between two looks for the cluster
REHEARSAL_SECONDS = 180.0  # of a node, the start of its first process included
MOST_LOST = 3  # trainings on a node, one after the other, before it is put aside


@dataclass(frozen=True)
class _Busy:
    """A worker in training, and the future of its next reports."""

    worker: "_Worker"
    job: Job


@dataclass(frozen=True)
class _Worker:
    """An actor that trains, and the node that it runs on."""

    actor: Any
    node: Node


class RayWorkers:
    """Trains on the cluster that RAY_ADDRESS names.

    It gets a copy of the working folder, and its nodes rehearse the experiments; one that cannot train them is
    put aside. So is one that only loses trainings. A worker that dies is replaced. Nothing but the workers runs
    elsewhere: the driver asks each of them for its reports.
    """

    def __init__(self, count: int | None, experiments: Sequence[Experiment]):
        self._resources = Resources.of(experiments)
        with TemporaryDirectory(prefix="lab-") as folder:
            shipped = working_folder.copy(experiments, Path(folder))
            self._ray = cluster.connect({"working_dir": folder})
        self._busy: dict[Any, _Busy] = {}  # by the future of the outcome
        self._reports: dict[Any, Any] = {}  # the future of the next reports of a job, and that of its outcome
        self._idle: list[_Worker] = []
        self._check_due = 0.0  # of whether the cluster is there
        try:
            self._nodes = cluster.nodes(self._ray, self._resources)
            self._check_room(count)
            say(str(shipped))
            self._rehearse(experiments)
            room = sum(node.room for node in self._nodes)
            self._wanted = self.capacity = min(count or room, room)
            for worker in self._idle[self._wanted :]:
                self._end(worker)
            self._idle = self._idle[: self._wanted]
            self._fill()
        except BaseException:
            self._ray.shutdown()
            raise

    def _check_room(self, count: int | None) -> None:
        """Raise LabError where the nodes have no room for so many workers."""
        room = sum(node.room for node in self._nodes)
        if count is not None and count > room:
            raise LabError(f"--workers {count}: there is room for {room}, each with {self._resources}")

    def _rehearse(self, experiments: Sequence[Experiment]) -> None:
        """Start a worker on each node and keep those that can train the experiments; raises LabError if none can."""
        jobs = [Job(0, each.name, each.to_yaml()) for each in experiments]
        expected = rehearsal.here(jobs)
        workers = [self._new_worker(node) for node in self._nodes]
        futures = [worker.actor.rehearse.remote(jobs, self._resources.gpus) for worker in workers]
        with _stopped_as_such():
            self._ray.wait(futures, num_returns=len(futures), timeout=REHEARSAL_SECONDS)
        lines: list[str] = []
        unfit_nodes: dict[str, list[str]] = {}  # names by what is different
        for worker, future in zip(workers, futures, strict=True):
            different, unfit = rehearsal.difference(self._surroundings(future), expected)
            if unfit:
                self._nodes.remove(worker.node)
                self._ray.kill(worker.actor)
                unfit_nodes.setdefault(different, []).append(worker.node.name)
            else:
                self._idle.append(worker)
            if different:
                lines.append(f"node {worker.node.name}{' is put aside' if unfit else ''}: {different}")
        if not self._nodes:
            each = [f"{different} ({', '.join(names)})" for different, names in unfit_nodes.items()]
            raise LabError(f"no node can train this: {'; '.join(each)}")
        for line in lines:
            say(line)

    def _surroundings(self, future: Any) -> Surroundings:
        try:
            found: Surroundings = self._ray.get(future, timeout=0.1)
        except self._ray.exceptions.GetTimeoutError:
            return Surroundings({}, (), f"no answer within {REHEARSAL_SECONDS:g} seconds")
        except self._ray.exceptions.RayError as error:
            return Surroundings({}, (), reason(error))
        return found

    def _roomiest(self) -> Node:
        return max(self._nodes, key=lambda node: node.room - node.workers)

    def _new_worker(self, node: Node) -> _Worker:
        """Start a worker on a node, and on no other."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node.workers += 1
        actor = self._ray.remote(
            num_cpus=self._resources.cpus,
            num_gpus=self._resources.gpus,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            concurrency_groups={"reports": 2},
        )(RayTrainer)
        return _Worker(actor.remote(max(1, int(self._resources.cpus))), node)

    def submit(self, job: Job) -> None:
        """Start a job on an idle worker."""
        worker = self._idle.pop()
        outcome = worker.actor.train.remote(job)
        self._busy[outcome] = _Busy(worker, job)
        self._ask_for_reports(outcome)

    def _ask_for_reports(self, outcome: Any) -> None:
        busy = self._busy[outcome]
        method = busy.worker.actor.reports.options(concurrency_group="reports")
        self._reports[method.remote(busy.job.number)] = outcome

    def wait(self, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
        """Forward reports until a job has ended; raises TrainingFailed when no node is left."""
        while True:
            self._check_cluster()
            with _stopped_as_such():
                waiting = [*self._reports, *self._busy]
                ready, _ = self._ray.wait(waiting, num_returns=1, timeout=POLL_SECONDS)
                ready = [*ready, *self._ray.wait(waiting, num_returns=len(waiting), timeout=0)[0]] if ready else []
            for future in [each for each in dict.fromkeys(ready) if each in self._reports]:
                self._forward(future, on_epoch)
            on_pause()
            if done := [each for each in dict.fromkeys(ready) if each in self._busy]:
                return [self._outcome(future, on_epoch) for future in done]

    def _check_cluster(self) -> None:
        if time.monotonic() > self._check_due:
            self._check_due = time.monotonic() + CHECK_SECONDS
            cluster.check_there(self._ray)

    def _forward(self, future: Any, on_epoch: OnEpoch) -> None:
        """Forward the reports that have come, and ask for more; those of a dead worker are lost with its job."""
        outcome = self._reports.pop(future)
        try:
            with _stopped_as_such():
                reports, last = self._ray.get(future)
        except self._ray.exceptions.RayError:
            return
        if not last:
            self._ask_for_reports(outcome)
        for report in reports:
            if on_epoch(*report):
                actor = self._busy[outcome].worker.actor
                actor.stop.options(concurrency_group="reports").remote(report[0])

    def _outcome(self, future: Any, on_epoch: OnEpoch) -> Outcome:
        """How a job ended, after all of its reports; its worker is free again, or replaced."""
        try:
            with _stopped_as_such():
                outcome: Outcome = self._ray.get(future)
            while asked := [each for each, of in self._reports.items() if of == future]:
                self._forward(asked[0], on_epoch)
        except self._ray.exceptions.RayError as error:
            self._reports = {asked: of for asked, of in self._reports.items() if of != future}
            busy = self._busy.pop(future)
            self._replace(busy.worker, reason(error))
            return Outcome(busy.job.number, "lost", f"{busy.worker.node.name}: its worker died: {reason(error)}")
        worker = self._busy.pop(future).worker
        if outcome.state == "lost":
            self._count_loss(worker.node, outcome.reason)
        else:
            worker.node.lost = 0
        if worker.node in self._nodes:
            self._idle.append(worker)
        else:
            self._end(worker)
        self._fill(outcome.reason)
        return outcome

    def _replace(self, worker: _Worker, why: str) -> None:
        """Replace a worker that died, on its node or another with room; without room there is one worker less."""
        worker.node.workers -= 1
        if not cluster.is_alive(self._ray, worker.node):
            self._put_aside(worker.node, "it is gone")
        else:
            self._count_loss(worker.node, why)
        self._fill(why)

    def _count_loss(self, node: Node, why: str) -> None:
        node.lost += 1
        if node.lost >= MOST_LOST:
            self._put_aside(node, f"{node.lost} trainings one after the other were lost there; the last: {why}")

    def _put_aside(self, node: Node, why: str) -> None:
        """Train on a node no more; its other trainings may end."""
        if node not in self._nodes:
            return
        say(f"node {node.name} is put aside: {why}")
        self._nodes.remove(node)
        for worker in [each for each in self._idle if each.node is node]:
            self._idle.remove(worker)
            self._end(worker)

    def _fill(self, why: str = "") -> None:
        """Start as many workers as are wanted and there is room for; raises TrainingFailed where none is left."""
        while self._nodes and len(self._idle) + len(self._busy) < self._wanted:
            if self._roomiest().workers >= self._roomiest().room:
                break
            self._idle.append(self._new_worker(self._roomiest()))
        self.capacity = len(self._idle) + len(self._busy)
        if not self.capacity:
            raise TrainingFailed(f"no node is left; the last: {why}")

    def _end(self, worker: _Worker) -> None:
        worker.node.workers -= 1
        self._ray.kill(worker.actor)

    def close(self) -> None:
        """End the workers and disconnect; a cluster keeps running."""
        if cluster.is_there(self._ray):
            for worker in [*self._idle, *(busy.worker for busy in self._busy.values())]:
                self._ray.kill(worker.actor)
        self._ray.shutdown()


@contextmanager
def _stopped_as_such() -> Iterator[None]:
    """Raise Stopped as it is: from a signal handler that runs inside Ray it arrives as the cause of a SystemError."""
    try:
        yield
    except SystemError as error:
        if isinstance(error.__cause__, Stopped):
            raise error.__cause__ from None
        raise
