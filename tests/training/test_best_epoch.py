"""One rule for the best epoch, in every place that needs it."""

import math

import pytest
import torch

from lab.parallel.child_runs import ChildRun
from lab.parallel.jobs import _BestWeights
from lab.training.best_epoch import BestEpoch
from lab.training.checkpoints import BestAndLast

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
def test_the_best_epoch_has_the_lowest_finite_loss(losses: list[float], expected: int) -> None:
    best = BestEpoch()
    improved = [epoch for epoch, loss in enumerate(losses, start=1) if best.update(epoch, loss)]
    assert best.epoch == expected
    assert math.isfinite(best.loss) == bool(improved) == any(map(math.isfinite, losses))
    assert improved == [] or improved[-1] == expected


class FakeTrainer:
    """A trainer at the end of an epoch."""

    def __init__(self) -> None:
        self.current_epoch = 0
        self.callback_metrics: dict[str, torch.Tensor] = {}

    def save_checkpoint(self, path: object) -> None: ...


class FakeTracker:
    """Takes metrics and drops them."""

    def metrics(self, values: dict[str, float], epoch: int) -> None: ...


@pytest.mark.parametrize(("losses", "expected"), [case for case in LOSSES if case[0]])
def test_runs_and_trials_choose_the_same_epoch(tmp_path, losses: list[float], expected: int) -> None:  # type: ignore[no-untyped-def]
    trainer, module = FakeTrainer(), torch.nn.Linear(1, 1)
    run, job, trial = BestAndLast(tmp_path, INF), _BestWeights(), ChildRun(FakeTracker())  # type: ignore[arg-type]
    for epoch, loss in enumerate(losses, start=1):
        torch.nn.init.constant_(module.weight, epoch)
        trainer.callback_metrics["val/loss"] = torch.tensor(loss)
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
