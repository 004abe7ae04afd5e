"""Intervals of test metrics: they hold the true value as often as they say, and are left out where there are none."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics import MeanAbsoluteError, MetricCollection
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy

from lab.modules.metrics.bootstrap import intervals


def accuracy() -> MetricCollection:
    return MetricCollection({"accuracy": MulticlassAccuracy(2, average="micro")})


def answers(right: Tensor) -> dict[str, Tensor]:
    """Classes, predicted rightly where `right` (N,) says so."""
    return {"preds": right.long(), "target": torch.ones(len(right), dtype=torch.long)}


def test_an_accuracy_has_the_interval_of_a_proportion() -> None:
    right = torch.arange(1000) < 900
    low, high = intervals(accuracy(), answers(right))["accuracy"]
    half = 1.96 * math.sqrt(0.9 * 0.1 / 1000)
    assert (low, high) == pytest.approx((0.9 - half, 0.9 + half), abs=0.004)


def test_it_holds_the_truth_in_95_of_100_test_sets() -> None:
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(60):
        low, high = intervals(accuracy(), answers(torch.rand(200, generator=generator) < 0.8))["accuracy"]
        held += low <= 0.8 <= high
    assert 0.88 <= held / 60 <= 1.0


@pytest.mark.parametrize("rows", [1, 4, 50])
def test_no_interval_is_said_where_resamples_cannot_differ(rows: int) -> None:
    assert intervals(accuracy(), answers(torch.ones(rows, dtype=torch.bool))) == {}


def test_blocks_that_are_nearly_the_whole_test_set_give_no_interval() -> None:
    values = {"preds": torch.randn(57), "target": torch.zeros(57)}
    assert intervals(MetricCollection({"mae": MeanAbsoluteError()}), values, block=39) == {}


def test_neighbours_that_are_alike_widen_the_interval() -> None:
    errors = torch.from_numpy(np.random.default_rng(0).normal(size=40)).repeat_interleave(10)
    values = {"preds": errors, "target": torch.zeros(400, dtype=torch.float64)}
    mae = MetricCollection({"mae": MeanAbsoluteError()})
    apart, together = (intervals(mae, values, block)["mae"] for block in (1, 20))
    assert together[1] - together[0] > 2 * (apart[1] - apart[0])


class Failing(MeanAbsoluteError):
    def compute(self) -> Any:
        raise ValueError("needs both classes")


class Undefined(MeanAbsoluteError):
    def compute(self) -> Any:
        return torch.tensor(math.nan)


def test_a_metric_that_fails_or_is_nan_has_no_interval() -> None:
    metrics = MetricCollection(
        {"fails": Failing(), "nan": Undefined(), "mae": MeanAbsoluteError()}, compute_groups=False
    )
    values = {"preds": torch.randn(30), "target": torch.zeros(30)}
    assert intervals(metrics, values).keys() == {"mae"}


def test_the_same_test_set_gives_the_same_interval() -> None:
    right = torch.arange(300) < 200
    assert intervals(accuracy(), answers(right)) == intervals(accuracy(), answers(right))


def test_no_interval_is_said_where_resamples_differ_by_rounding_alone() -> None:
    separated = {"preds": torch.linspace(0, 1, 16), "target": torch.arange(16) // 8}
    assert intervals(MetricCollection({"auroc": BinaryAUROC()}), separated) == {}


class Sometimes(MeanAbsoluteError):
    """NaN on every fourth resample."""

    computed = 0

    def compute(self) -> Any:
        Sometimes.computed += 1
        return torch.tensor(math.nan) if Sometimes.computed % 4 == 0 else super().compute()


def test_a_metric_that_is_nan_on_a_quarter_of_the_resamples_has_no_interval() -> None:
    values = {"preds": torch.randn(30), "target": torch.zeros(30)}
    assert intervals(MetricCollection({"mae": Sometimes()}), values) == {}
