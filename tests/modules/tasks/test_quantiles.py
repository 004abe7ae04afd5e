"""Quantiles: the pinball loss, their metrics and baselines as scikit-learn has them, and what is predicted."""

from typing import Any

import numpy as np
import pytest
import torch
from modules.made_modules import batches, task
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_absolute_error, mean_pinball_loss
from torch import Tensor

from lab.architectures.adapters import FromLastValue
from lab.config.experiment import load
from lab.data.preparation import Scale
from lab.errors import LabError
from lab.modules.metrics.epoch_scores import EpochScores, weighted
from lab.modules.sample_weights import weighted_loss
from lab.modules.tasks.quantiles import QuantileForecasting, QuantileLoss, QuantileRegression, by_level
from lab.training.baselines import quick_baseline
from lab.training.building import build

LEVELS = (0.1, 0.5, 0.8, 0.95)
SAMPLES = 40
GENERATOR = torch.Generator().manual_seed(1)
Y = torch.randn(SAMPLES, 2, generator=GENERATOR)
OUTPUTS = torch.randn(SAMPLES, 4 * 2, generator=GENERATOR)
WEIGHT = torch.rand(SAMPLES, generator=GENERATOR)
SCALE = Scale(torch.tensor([100.0, -3.0]), torch.tensor([5.0, 0.1]))
COLUMNS = {"a": slice(0, 1), "b": slice(1, 2)}


def of_scikit_learn(outputs: Tensor, weight: Any = None) -> float:
    quantiles = by_level(outputs, len(LEVELS)).double().numpy()
    return float(
        np.mean(
            [
                mean_pinball_loss(Y.double().numpy(), quantiles[:, index], alpha=level, sample_weight=weight)
                for index, level in enumerate(LEVELS)
            ]
        )
    )


class TestLoss:
    def test_is_the_mean_pinball_loss_of_scikit_learn(self) -> None:
        assert float(QuantileLoss(LEVELS)(OUTPUTS, Y)) == pytest.approx(of_scikit_learn(OUTPUTS), rel=1e-6)

    def test_with_weights_too(self) -> None:
        found = weighted_loss(QuantileLoss(LEVELS), OUTPUTS, Y, WEIGHT)
        assert float(found) == pytest.approx(of_scikit_learn(OUTPUTS, WEIGHT), rel=1e-6)

    @pytest.mark.parametrize("levels", [[0.1, 0.9], [0.5, 0.9], [0.1, 0.5], [0.9, 0.5, 0.1], [0.1, 0.5, 0.5, 0.9]])
    @pytest.mark.usefixtures("empty_workplace")
    def test_levels_without_the_median_between_others_are_refused_in_one_line(self, levels: list[float]) -> None:
        experiment = load("diabetes", [f"loss={{kind: quantile, levels: {levels}}}"])
        with pytest.raises(LabError, match=r"^loss\.levels: give ascending numbers") as caught:
            build(experiment)
        assert len(caught.value.lines) == 1

    @pytest.mark.usefixtures("empty_workplace")
    def test_classes_have_no_quantiles(self) -> None:
        with pytest.raises(LabError, match=r"loss\.kind: quantile does not fit classification"):
            build(load("mlp", ["loss={kind: quantile}"]))


def module(**more: Any) -> QuantileRegression:
    return QuantileRegression(LEVELS, target_scale=SCALE, columns=COLUMNS, **task(QuantileLoss(LEVELS)), **more)


def scores(made: QuantileRegression, *weights: Tensor) -> dict[str, float]:
    collected = EpochScores(made.new_metrics())
    parts = zip(*(part.split(7) for part in (OUTPUTS, Y, Y, *weights)), strict=True)
    for outputs, *batch in parts:
        losses = [made.loss_of(outputs, tuple(batch))]
        collected.add(*weighted(made.loss, losses, [batch[1]], batch[2:] or None), made.scored(outputs, tuple(batch)))
    return collected.compute()


class TestMetrics:
    @pytest.mark.parametrize("weights", [(), (WEIGHT,)], ids=["alike", "weighted"])
    def test_are_those_of_the_sorted_quantiles(self, weights: tuple[Tensor, ...]) -> None:
        found = scores(module(weighted=bool(weights)), *weights)
        weight = weights[0].double().numpy() if weights else None
        quantiles = np.sort(by_level(OUTPUTS, 4).double().numpy(), axis=1)
        inside = (quantiles[:, 0] <= Y.numpy()) & (Y.numpy() <= quantiles[:, -1])
        width = quantiles[:, -1] - quantiles[:, 0]
        assert found["coverage"] == pytest.approx(np.average(inside.mean(1), weights=weight), rel=1e-6)
        assert found["coverage_b"] == pytest.approx(np.average(inside[:, 1], weights=weight), rel=1e-6)
        assert found["width_a"] == pytest.approx(5 * np.average(width[:, 0], weights=weight), rel=1e-6)
        assert found["width_scaled"] == pytest.approx(np.average(width.mean(1), weights=weight), rel=1e-6)
        of_b = [
            mean_pinball_loss(Y[:, 1].double(), quantiles[:, index, 1], alpha=level, sample_weight=weight)
            for index, level in enumerate(LEVELS)
        ]
        assert found["pinball_b"] == pytest.approx(0.1 * np.mean(of_b), rel=1e-5)
        median = mean_absolute_error(Y[:, 0], quantiles[:, 1, 0], sample_weight=weight)
        assert found["mae_a"] == pytest.approx(5 * median, rel=1e-6)
        assert found["loss"] == pytest.approx(of_scikit_learn(OUTPUTS, weight), rel=1e-6)

    def test_coverage_and_width_have_no_direction(self) -> None:
        assert not {"coverage", "width_scaled", "width_a"} & module().directions().keys()
        assert module().directions()["pinball_scaled"] is False


class TestPredictions:
    def test_are_the_median_and_the_levels_in_order_and_in_own_units(self) -> None:
        made = module()
        predicted = made.output()(OUTPUTS).unflatten(1, (5, 2))
        ascending = by_level(OUTPUTS, 4).sort(dim=1).values * SCALE.std + SCALE.mean
        assert torch.equal(predicted[:, 1:], ascending)
        assert torch.equal(predicted[:, 0], ascending[:, 1])
        assert made.bands() == ["quantile 0.1", "quantile 0.5", "quantile 0.8", "quantile 0.95"]

    def test_each_level_of_a_series_is_relative_to_its_last_value(self) -> None:
        adapter = FromLastValue(torch.nn.Flatten(), targets=1, horizon=2, levels=3)
        x = torch.arange(12.0).reshape(2, 1, 6)
        assert adapter(x).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


class TestTrivialBaseline:
    @pytest.mark.parametrize("weights", [(), (WEIGHT,)], ids=["alike", "weighted"])
    def test_has_the_quantiles_of_the_training_targets(self, weights: tuple[Tensor, ...]) -> None:
        made = module(weighted=bool(weights))
        made.fit_trivial(zip(*(part.split(7) for part in (Y, Y, *weights)), strict=True))
        for index, level in enumerate(LEVELS):
            dummy = DummyRegressor(strategy="quantile", quantile=level)
            expected = dummy.fit(np.zeros((SAMPLES, 1)), Y.numpy(), *(part.numpy() for part in weights)).constant_[0]
            np.testing.assert_allclose(made.trivial_quantiles[index], expected, rtol=1e-5)

    def test_of_a_forecast_adds_the_quantiles_of_its_errors(self) -> None:
        x = torch.randn(SAMPLES, 1, 5, generator=GENERATOR)
        made = QuantileForecasting(
            levels=LEVELS, target_scale=SCALE, columns={"a": slice(0, 2)}, **task(QuantileLoss(LEVELS))
        )
        made.fit_trivial(batches((x, Y), 7))
        errors = (Y - x[:, :, -1]).double().numpy()
        np.testing.assert_allclose(made.trivial_quantiles, np.quantile(errors, LEVELS, axis=0), rtol=1e-5)
        outputs = by_level(made.trivial_outputs((x, Y)), 4)
        np.testing.assert_allclose(outputs[3, 2], x[3, 0, -1] + made.trivial_quantiles[2], rtol=1e-5)
        assert made.trivial_name == "last value with its error quantiles"


@pytest.mark.usefixtures("empty_workplace")
def test_the_quick_baseline_is_a_linear_quantile_regression() -> None:
    built = build(load("diabetes", ["loss={kind: quantile}"]))
    x, y = load_diabetes(return_X_y=True, scaled=False)
    train, test = built.data.split_indices["train"], built.data.split_indices["test"]
    x = (x - x[train].mean(0)) / x[train].std(0)
    levels = (0.1, 0.5, 0.9)
    fits = [QuantileRegressor(quantile=level, alpha=0).fit(x[train], y[train]) for level in levels]
    quantiles = np.sort(np.stack([fit.predict(x[test]) for fit in fits]), axis=0)
    losses = [mean_pinball_loss(y[test], quantiles[index], alpha=level) for index, level in enumerate(levels)]
    found = quick_baseline.measure(built)
    assert found.name == "linear quantile regression"
    assert found.metrics["test/pinball"] == pytest.approx(np.mean(losses), rel=1e-3)


@pytest.mark.usefixtures("empty_workplace")
def test_data_that_is_used_again_has_the_outputs_of_the_loss_that_asks() -> None:
    first = build(load("diabetes", ["loss={kind: quantile}"]))
    assert first.data.sizes.out_features == 3
    assert build(load("diabetes"), first.data).data.sizes.out_features == 1
    assert len(first.data.target_columns()) == 1
