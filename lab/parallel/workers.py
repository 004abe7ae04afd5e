"""What trains the jobs of a study or comparison: this process, others of this machine, or workers of a cluster."""

import os
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

from lab.config.experiment import Experiment
from lab.errors import LabError, TrainingFailed, see
from lab.parallel import machine, template
from lab.parallel.jobs import Job, OnEpoch, Outcome, Resources, train_job
from lab.parallel.local_workers import LocalWorkers
from lab.signals import uninterrupted
from lab.training.devices.strategy import check_alone

P = ParamSpec("P")
T = TypeVar("T")
WORKER_BYTES = 1e9  # of memory, that a worker is allowed for
MOST_LOST = 3  # jobs one after the other, for each worker


class Workers(Protocol):
    """Trains up to `capacity` jobs at once."""

    capacity: int

    def submit(self, job: Job) -> None:
        """Start a job, or queue it."""

    def wait(self, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
        """Wait until at least one job has ended, and call `on_epoch` for each epoch until then.

        `on_pause` is called when no further epoch is known of.
        """
        ...

    def close(self) -> None:
        """Release the workers."""


def run_jobs(
    workers: Workers,
    next_job: Callable[[], Job | None],
    on_epoch: OnEpoch,
    on_outcome: Callable[[Outcome], None],
    on_pause: Callable[[], None] = lambda: None,
) -> None:
    """Keep all workers busy until `next_job` returns None and the last job has ended.

    Ctrl-C interrupts the training, but none of the callbacks. What these raise ends the work, and is never a failure of
    the job in training. Raises TrainingFailed where one job after the other is lost: then the environment needs fixing.
    """
    running = lost = 0
    while True:
        while running < workers.capacity:
            with uninterrupted():
                job = next_job()
            if job is None:
                break
            workers.submit(job)
            running += 1
        if not running:
            return
        capacity = workers.capacity
        for outcome in _wait(workers, on_epoch, on_pause):
            running -= 1
            with uninterrupted():
                on_outcome(outcome)
            lost = lost + 1 if outcome.state == "lost" else 0
            if workers.capacity < capacity:  # the losses were those of a node that is put aside now
                lost = 0
            if lost >= MOST_LOST * workers.capacity:
                why = f"the last: {outcome.reason}{see('lost-trainings')}"
                raise TrainingFailed(f"{lost} trainings one after the other were lost; {why}")


def _wait(workers: Workers, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
    """Wait for a job to end; raises what the callbacks raise."""
    try:
        return workers.wait(_as_callback(on_epoch), _as_callback(on_pause))
    except _NotOfTheJob as raised:
        raise raised.error from raised.error.__cause__


def _as_callback(call: Callable[P, T]) -> Callable[P, T]:
    def uninterrupted_call(*arguments: P.args, **named: P.kwargs) -> T:
        with uninterrupted():
            try:
                return call(*arguments, **named)
            except Exception as error:
                raise _NotOfTheJob(error) from error

    return uninterrupted_call


class _NotOfTheJob(BaseException):
    """What a callback raised; no Exception, which a training in this process would take for one of its own."""

    def __init__(self, error: Exception):
        super().__init__(str(error))
        self.error = error


def open_workers(count: int | None, experiments: Sequence[Experiment]) -> Workers:
    """The process of the command for one, others beside it for several, or a cluster's where RAY_ADDRESS names it.

    They train variants of the experiments. Without a number, as many as there is room for. Raises LabError where they
    cannot be had.
    """
    for experiment in experiments:
        check_alone(experiment)
    if os.environ.get("RAY_ADDRESS") and count != 1:
        from lab.parallel.ray_workers import RayWorkers

        return RayWorkers(count, experiments)
    resources = Resources.of(experiments)
    _check_machine(resources)
    count = count or default_count(resources)
    if count > 1:
        return LocalWorkers(count, experiments)
    template.close_idle()
    return InProcess()


def default_count(resources: Resources) -> int:
    """As many trainings as this machine carries at once: by processors, GPUs and the memory that is free.

    One on a machine with a GPU where a training does not say what share of it it needs.
    """
    if machine.gpus() and not resources.gpus:
        return 1
    return max(1, min(resources.fit(machine.as_mapping()), int(machine.free_memory() // WORKER_BYTES)))


def _check_machine(resources: Resources) -> None:
    """Raise LabError where this machine does not have what one training asks for."""
    if not resources.fit(machine.as_mapping()):
        there = Resources(*machine.as_mapping().values())
        raise LabError(f"resources: a training needs {resources}, and this machine has {there}")


class InProcess:
    """Trains one job at a time, in this process."""

    capacity = 1

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.append(job)

    def wait(self, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
        """Train it."""

        def report(number: int, epoch: int, values: dict[str, float]) -> bool:
            stops = on_epoch(number, epoch, values)
            on_pause()
            return stops

        return [train_job(self._jobs.pop(), report)]

    def close(self) -> None:
        """Nothing to release."""
