"""The interval of the test loss, against scipy's bootstrap of the losses of single samples."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from lab.config.experiment import load
from lab.modules.metrics import loss_interval
from lab.training import run as training

OUTPUTS = torch.randn(400, 5, generator=torch.Generator().manual_seed(0))
TARGETS = torch.randint(5, (400,), generator=torch.Generator().manual_seed(1))


def parts(size: int = 64) -> list[tuple[Tensor, ...]]:
    kept = loss_interval.TestedBatches()
    for outputs, target in zip(OUTPUTS.split(size), TARGETS.split(size), strict=True):
        kept.keep(outputs, (torch.empty(len(target), 1), target))
    return kept.parts


def mean(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[tuple[Tensor, ...]], tuple[float, float]]:
    return lambda part: (float(loss(part[0], part[1])), float(len(part[0])))


def test_it_is_that_of_scipys_bootstrap() -> None:
    found = loss_interval.interval(parts(), 400, mean(nn.CrossEntropyLoss()), 1)
    of_each = nn.functional.cross_entropy(OUTPUTS, TARGETS, reduction="none").numpy()
    expected = stats.bootstrap(
        (of_each,), np.mean, confidence_level=0.95, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    width = float(expected.high - expected.low)
    assert found == pytest.approx((expected.low, expected.high), abs=0.12 * width)  # 300 resamples against 9,999


def test_a_loss_that_compares_the_samples_of_a_batch_has_none() -> None:
    def of_pairs(outputs: Tensor, target: Tensor) -> Tensor:
        return torch.cdist(outputs, outputs).sum() / 400

    assert loss_interval.interval(parts(), 400, mean(of_pairs), 1) is None


def test_outputs_that_are_too_many_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_interval, "MOST_VALUES", 1_000)
    assert loss_interval.interval(parts(), 400, mean(nn.CrossEntropyLoss()), 1) is None


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    "settings",
    [
        ("breast_cancer", "loss={kind: bce, class_weights: balanced}"),
        ("diabetes", "loss={kind: huber}"),
        ("digits", "loss={kind: 'torch.nn:CrossEntropyLoss', reduction: sum}"),
    ],
)
def test_a_run_says_it_of_its_loss(settings: tuple[str, str]) -> None:
    name, *overrides = settings
    result = training.run(load(name, [*overrides, "trainer.max_epochs=2"]))
    low, high = result.intervals["test/loss"]
    assert low < result.metrics["test/loss"] < high
