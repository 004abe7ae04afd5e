"""Workers on this machine: processes that train one job after the other."""

import contextlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch

from lab.config.experiment import Experiment
from lab.errors import LabError, TrainingFailed
from lab.parallel import machine, template
from lab.parallel.jobs import Job, OnEpoch, Outcome, Resources
from lab.parallel.local_process import Setup
from lab.parallel.template import Template

POLL_SECONDS = 0.5  # between two looks for a signal


@dataclass
class _Worker:
    """A process that trains, and its place among the others, by which it has its GPUs."""

    place: int
    connection: Connection
    job: Job | None = None


class LocalWorkers:
    """Trains on processes of this machine; one that dies is replaced, and its job is lost."""

    def __init__(self, count: int, experiments: Sequence[Experiment]):
        self.capacity = count
        self._resources = Resources.of(experiments)
        self._check_gpus()
        self._of_the_call = [*sys.path], str(Path.cwd()), dict(os.environ)
        self._templates: list[Template] = []
        self._answered = False  # one of the workers
        self._workers: list[_Worker] = []
        try:
            for place in range(count):
                self._workers.append(self._new(place))
        except OSError as error:
            self.close()
            raise LabError(f"--workers {count}: this machine has no room for so many processes: {error}") from None

    def _check_gpus(self) -> None:
        """Raise LabError where the GPUs are too few; processors may be shared."""
        there = {"CPU": self.capacity * self._resources.cpus, "GPU": torch.cuda.device_count()}
        if self.capacity > (room := self._resources.fit(there)):
            raise LabError(f"--workers {self.capacity}: there is room for {room}, each with {self._resources}")

    def _new(self, place: int) -> _Worker:
        if not self._templates:
            self._templates.append(template.take())
        elif not template.FORKS:
            self._templates.append(Template())
        worker = _Worker(place, self._templates[-1].new_worker())
        threads = max(1, machine.processors() // self.capacity, int(self._resources.cpus))
        setup = Setup(threads, gpus_of(place, self._resources), *self._of_the_call)
        with contextlib.suppress(OSError):  # it could not be started, which `wait` finds
            worker.connection.send(setup)
        return worker

    def submit(self, job: Job) -> None:
        """Start a job on an idle worker."""
        worker = next(worker for worker in self._workers if worker.job is None)
        worker.job = job
        with contextlib.suppress(OSError):  # it has died, which `wait` finds
            worker.connection.send(job)

    def wait(self, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
        """Forward reports until a job has ended; raises TrainingFailed where no worker can be started."""
        while True:
            busy = {worker.connection: worker for worker in self._workers if worker.job}
            ready = wait(list(busy), POLL_SECONDS)
            outcome = None
            for connection in [each for each in busy if each in ready]:
                # One at a time: should a callback raise, the outcome of another worker would be lost.
                if outcome := self._read(busy[connection], on_epoch):
                    break
            on_pause()
            if outcome:
                return [outcome]

    def _read(self, worker: _Worker, on_epoch: OnEpoch) -> Outcome | None:
        """Forward what a worker has sent; its outcome, if that is among it."""
        try:
            while worker.connection.poll():
                message = worker.connection.recv()
                self._answered = True
                if isinstance(message, Outcome):
                    worker.job = None
                    return message
                if message is not None:
                    worker.connection.send(on_epoch(*message))
        except (EOFError, ConnectionError):
            return self._replaced(worker)
        return None

    def _replaced(self, worker: _Worker) -> Outcome:
        """Replace a worker that died; the outcome of its job."""
        assert worker.job
        if why := self._templates[-1].why():
            if not self._answered:
                raise TrainingFailed(f"workers cannot be started ({why}); --workers 1 trains without them")
            if template.FORKS:
                self._templates.append(Template())
        worker.connection.close()
        self._workers[self._workers.index(worker)] = self._new(worker.place)
        return Outcome(worker.job.number, "lost", f"{platform.node()}: its worker died")

    def close(self) -> None:
        """End the workers, in the middle of a training too."""
        idle = self._answered and not any(worker.job for worker in self._workers)
        for worker in self._workers:
            worker.connection.close()
        with contextlib.ExitStack() as stack:
            for each in self._templates:
                stack.callback(template.keep if idle else Template.close, each)


def gpus_of(place: int, resources: Resources) -> str | None:
    """The GPUs that a worker sees, as CUDA_VISIBLE_DEVICES names them; None: all, since trainings ask for none."""
    if not resources.gpus:
        return None
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    there = named.split(",") if named else [str(number) for number in range(torch.cuda.device_count())]
    if resources.gpus < 1:
        return there[place // resources.sharing_a_gpu]
    first, each = round(place * resources.gpus), round(resources.gpus)
    return ",".join(there[first : first + each])
