"""Jobs on workers of which some are lost: workers that end each job as a script says, since real ones take minutes."""

from collections.abc import Callable, Iterable

import pytest

from lab.errors import TrainingFailed
from lab.parallel.jobs import Job, OnEpoch, Outcome
from lab.parallel.workers import run_jobs


class Scripted:
    """Workers whose jobs end in these states, one after the other, each with the capacity that is left then."""

    def __init__(self, capacity: int, endings: Iterable[tuple[str, int]]):
        self.capacity = capacity
        self._endings = iter(endings)
        self._jobs: list[Job] = []

    def submit(self, job: Job) -> None:
        self._jobs.append(job)

    def wait(self, on_epoch: OnEpoch, on_pause: Callable[[], None]) -> list[Outcome]:
        state, self.capacity = next(self._endings)
        return [Outcome(self._jobs.pop(0).number, state, "its disk is gone" if state == "lost" else "")]

    def close(self) -> None: ...


def states(workers: Scripted, jobs: int) -> list[str]:
    """How the jobs ended."""
    todo = [Job(number, f"job {number}", "") for number in range(jobs)]
    found: list[str] = []
    run_jobs(workers, lambda: todo.pop() if todo else None, lambda *report: False, lambda one: found.append(one.state))
    return found


def test_the_losses_of_a_node_that_is_put_aside_do_not_count_against_the_others() -> None:
    workers = Scripted(2, [("lost", 2), ("lost", 2), ("lost", 1), ("lost", 1), ("finished", 1)])
    assert states(workers, 5) == ["lost"] * 4 + ["finished"]


def test_one_loss_after_the_other_on_the_workers_that_are_left_ends_the_work() -> None:
    with pytest.raises(TrainingFailed, match=r"^3 trainings one after the other were lost; the last: its disk is gone"):
        states(Scripted(2, [("lost", 2), ("lost", 1), ("lost", 1), ("lost", 1), ("lost", 1)]), 9)


def test_a_training_that_ends_as_it_should_starts_the_count_anew() -> None:
    endings = [("lost", 1), ("lost", 1), ("finished", 1), ("lost", 1), ("lost", 1), ("finished", 1)]
    assert len(states(Scripted(1, endings), 6)) == 6
