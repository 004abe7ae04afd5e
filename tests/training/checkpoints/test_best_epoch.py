"""One rule for the best epoch, in every place that needs it."""

import math

import pytest
import torch

from lab.errors import LabError
from lab.parallel.child_runs import ChildRun
from lab.parallel.jobs import _BestWeights
from lab.training.checkpoints.best_epoch import BestEpoch, best_by
from lab.training.checkpoints.callback import BestAndLast

NAN, INF = math.nan, math.inf
LOSSES = [
    ([3.0, 1.0, 2.0], 2),
    ([1.0, 1.0, 1.0], 1),  # the first of ties
    ([2.0, 1.0, 1.0, 3.0], 2),
    ([NAN, 2.0, NAN, 3.0], 2),
    ([INF, 2.0], 2),
    ([2.0, -INF], 1),  # infinite losses never count
    ([NAN, INF, -INF], 3),  # the last where none is finite
    ([NAN], 1),
    ([], 0),
]


@pytest.mark.parametrize(("losses", "expected"), LOSSES)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_best_epoch_has_the_best_finite_value(losses: list[float], expected: int, sign: int) -> None:
    best = BestEpoch("val/loss", higher_is_better=sign < 0)
    values = [{"val/loss": sign * loss} for loss in losses]
    improved = [epoch for epoch, metrics in enumerate(values, start=1) if best.update(epoch, metrics)]
    assert best.epoch == expected
    assert best.found == bool(improved) == any(map(math.isfinite, losses))
    assert improved == [] or improved[-1] == expected


def test_without_a_monitored_metric_it_is_the_last_epoch() -> None:
    best = BestEpoch(None)
    assert [best.update(epoch, {"val/loss": 1 / epoch}) for epoch in (1, 2)] == [False, False]
    assert best.epoch == 2


def test_what_is_monitored_is_a_metric_with_a_direction() -> None:
    assert best_by("val/accuracy", {"accuracy": True}) == BestEpoch("val/accuracy", higher_is_better=True)
    assert best_by("train/loss", {"loss": False}).metric == "train/loss"
    assert best_by(None, {}).metric is None
    with pytest.raises(LabError, match=r"checkpoints.monitor: no metric 'val/acuracy'.*did you mean val/accuracy"):
        best_by("val/acuracy", {"accuracy": True})


class FakeTrainer:
    """A trainer at the end of an epoch."""

    def __init__(self) -> None:
        self.current_epoch = 0

    def save_checkpoint(self, path: object) -> None: ...


class FakeRecords:
    """The history of a training."""

    def __init__(self) -> None:
        self.history: list[dict[str, float]] = []


class FakeTracker:
    """Takes metrics and drops them."""

    def metrics(self, values: dict[str, float], epoch: int) -> None: ...


@pytest.mark.parametrize(("losses", "expected"), [case for case in LOSSES if case[0]])
def test_runs_and_trials_choose_the_same_epoch(tmp_path, losses: list[float], expected: int) -> None:  # type: ignore[no-untyped-def]
    trainer, records, module = FakeTrainer(), FakeRecords(), torch.nn.Linear(1, 1)
    run = BestAndLast(tmp_path, INF, BestEpoch(), records)  # type: ignore[arg-type]
    job = _BestWeights(BestEpoch(), records)  # type: ignore[arg-type]
    trial = ChildRun(FakeTracker(), BestEpoch())  # type: ignore[arg-type]
    for epoch, loss in enumerate(losses, start=1):
        torch.nn.init.constant_(module.weight, epoch)
        records.history.append({"val/loss": loss})
        for callback in (run, job):
            callback.on_train_epoch_end(trainer, module)  # type: ignore[arg-type]
        trial.record(epoch, {"val/loss": loss})
        trainer.current_epoch = epoch
    run.on_train_end(trainer, module)  # type: ignore[arg-type]
    assert (run.best_epoch, trial.best_epoch) == (expected, expected)
    for chosen in (run.restore_best, job.restore):
        torch.nn.init.constant_(module.weight, len(losses))
        chosen(module)  # type: ignore[arg-type]
        assert module.weight.item() == expected
