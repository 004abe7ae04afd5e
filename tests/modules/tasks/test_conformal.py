"""Conformal intervals: the margins of the papers, their coverage in simulations, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from modules.made_modules import task
from statsmodels.stats.proportion import proportion_confint
from torch import nn

from lab.config.experiment import load
from lab.data.base import SampleDataModule, Samples
from lab.data.preparation import Scale
from lab.errors import LabError
from lab.modules.metrics.coverage import binomial_interval
from lab.modules.tasks.conformal import margins
from lab.modules.tasks.quantiles import QuantileLoss, QuantileRegression
from lab.modules.tasks.regression import RegressionModule
from lab.training.building import build

SCALE = Scale(torch.tensor([10.0]), torch.tensor([2.0]))


def module(level: float, quantiles: bool = False) -> Any:
    """Its network gives back its inputs, but for a parameter that has no effect."""
    levels = (0.25, 0.5, 0.75)
    loss = QuantileLoss(levels) if quantiles else nn.MSELoss()
    made: dict[str, Any] = {"target_scale": SCALE, "columns": {"y": slice(0, 1)}, "conformal": level, **task(loss)}
    made["architecture"] = _Same()
    return QuantileRegression(levels=levels, **made) if quantiles else RegressionModule(**made)


class _Same(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.zero


class TestMargins:
    @pytest.mark.parametrize(("samples", "level", "place"), [(99, 0.9, 90), (19, 0.9, 18), (9, 0.9, 9), (100, 0.8, 81)])
    def test_are_the_errors_of_the_finite_sample_rank(self, samples: int, level: float, place: int) -> None:
        errors = torch.randperm(samples).double()[:, None] + 1  # 1 to samples
        assert margins(errors, level).tolist() == [place]

    def test_each_column_has_its_own(self) -> None:
        errors = torch.arange(1.0, 20.0)[:, None] * torch.tensor([1.0, 10.0])
        assert margins(errors, 0.9).tolist() == [18.0, 180.0]

    def test_too_few_validation_samples_are_refused_in_one_line(self) -> None:
        with pytest.raises(
            LabError, match=r"^conformal: 0\.95 needs at least 19 validation samples, there are 18; raise"
        ):
            margins(torch.zeros(18, 1), 0.95)

    def test_are_measured_in_the_units_of_the_target(self) -> None:
        made = module(0.5)
        x, y = torch.zeros(3, 1), torch.tensor([[0.5], [-1.0], [3.0]])
        made.calibrate([(x[:2], y[:2]), (x[2:], y[2:])])
        assert made.margins.tolist() == [2.0]
        assert made.output()(torch.tensor([[1.0]])).tolist() == [[12.0, 10.0, 14.0]]
        assert made.bands() == ["lower", "upper"]

    def test_of_quantiles_widen_or_narrow_the_outer_ones(self) -> None:
        made = module(0.5, quantiles=True)
        x = torch.tensor([[-1.0, 0.0, 1.0]]).expand(3, -1)
        for y, margin in (([2.0, 1.5, 0.0], 1.0), ([0.5, 0.75, 0.0], -1.0)):
            made.calibrate([(x, torch.tensor(y)[:, None])])
            assert made.margins.tolist() == [margin]
        median, *quantiles, lower, upper = made.output()(x[:1])[0].tolist()
        assert (median, quantiles) == (10.0, [8.0, 10.0, 12.0])
        assert (lower, upper) == (9.0, 11.0)

    def test_never_leave_the_prediction_outside(self) -> None:
        made = module(0.5, quantiles=True)
        made.margins = torch.tensor([-5.0])
        lower, upper = made.output()(torch.tensor([[-1.0, 0.0, 1.0]]))[0, -2:].tolist()
        assert (lower, upper) == (10.0, 10.0)


@pytest.mark.parametrize("quantiles", [False, True])
@pytest.mark.parametrize("level", [0.6, 0.9])
def test_the_mean_coverage_of_many_splits_is_the_level(level: float, quantiles: bool) -> None:
    """Of 400 splits with 39 calibration samples, so that its standard error is below 0.005."""
    random, hits = torch.Generator().manual_seed(0), []
    made = module(level, quantiles)
    for _ in range(400):
        error = torch.randn(139, 1, generator=random).exp()  # skewed: nothing is assumed of the errors
        x = torch.randn(139, 1, generator=random)
        x, y = (torch.cat([x - 0.5, x, x + 0.5], 1) if quantiles else x), x + error
        made.calibrate([(x[:39], y[:39])])
        scored = made.scored(made(x[39:]), (x[39:], y[39:]))
        inside = (scored["lower"] <= scored["target"]) & (scored["target"] <= scored["upper"])
        hits.append(float(inside.double().mean()))
    expected = math.ceil(40 * level) / 40
    assert np.mean(hits) == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (9, 10), (10, 10), (450, 500)])
def test_the_interval_of_a_coverage_is_that_of_clopper_and_pearson(hits: int, count: int) -> None:
    expected = proportion_confint(hits, count, method="beta")
    assert binomial_interval(hits, count) == pytest.approx(expected, abs=1e-9)


class Weighed(SampleDataModule):
    def read(self) -> Samples:
        x = np.random.default_rng(0).normal(size=(200, 2))
        return Samples(x, x[:, :1], weight=np.ones(200))


@pytest.mark.usefixtures("empty_workplace")
class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "overrides", "message"),
        [
            ("mlp", (), r"^conformal: intervals are for values, the task is classification; leave it out$"),
            (
                "diabetes",
                ("data.val_fraction=0.01",),
                r"^conformal: 0\.9 needs at least 9 validation samples, there are 4",
            ),
            ("diabetes", (f"data={{kind: '{__name__}:Weighed'}}",), "^conformal: its share counts every sample alike"),
            ("gan", (), r"^conformal: a module of your own predicts in its own terms"),
        ],
    )
    def test_in_one_line(self, name: str, overrides: tuple[str, ...], message: str) -> None:
        with pytest.raises(LabError, match=message):
            build(load(name, ["conformal=0.9", *overrides]))

    @pytest.mark.parametrize("level", ["1.0", "0", "high"])
    def test_what_is_no_level(self, level: str) -> None:
        with pytest.raises(LabError, match="conformal"):
            load("diabetes", [f"conformal={level}"])
