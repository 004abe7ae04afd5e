"""The simulation of many workers: in time where the driver is, late where it is not."""

import itertools

import pytest
from benchmarks import drivers
from benchmarks.drivers import HEADER, Enough, Plan, Scheduled

from lab.parallel.jobs import Job
from lab.parallel.workers import run_jobs


def test_a_real_driver_serves_a_few_workers_in_time() -> None:
    (row,) = drivers.measure("sqlite", [3], Plan(epoch_seconds=10, seconds=60))
    figures = dict(zip(HEADER, row, strict=True))
    assert float(figures["reports/s"]) == pytest.approx(3 / 10, rel=0.3)
    assert float(figures["workers idle"].rstrip("%")) < 5
    assert float(figures["driver busy"].rstrip("%")) < 5


def served(workers: int, seconds_a_report: float) -> Scheduled:
    """What workers with a report every 10 seconds see of a driver that does nothing but take reports."""
    worked = 0.0

    def take(number: int, epoch: int, values: dict[str, float]) -> bool:
        nonlocal worked
        worked += seconds_a_report
        return False

    fake = Scheduled(workers, 10.0, lambda: worked, 60.0, 1_000.0)
    numbers = itertools.count()
    fake.begin()
    with pytest.raises(Enough):
        run_jobs(fake, lambda: Job(next(numbers), "", ""), take, lambda outcome: None)
    return fake


def test_a_driver_that_is_too_slow_keeps_its_workers_waiting() -> None:
    slow, quick = served(100, 0.5), served(100, 0.001)
    assert len(slow.lateness) / slow.busy == pytest.approx(2.0, rel=0.01)
    assert slow.busy / slow.now == pytest.approx(1.0, rel=0.05)
    assert max(slow.lateness) > 10
    assert sum(slow.idle) > 0.3 * 100 * slow.now
    assert len(quick.lateness) / quick.now == pytest.approx(100 / 10, rel=0.15)
    assert max(quick.lateness) < 0.1
    assert sum(quick.idle) < 0.01 * 100 * quick.now
