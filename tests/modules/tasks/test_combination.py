"""A forecast combined with naive ones: the shares of Bates and Granger, what is combined, and what is refused."""

import json
import re
from pathlib import Path

import made_once
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from made_data import sales_rows
from torch import nn

import lab
from lab.config.experiment import load
from lab.errors import LabError
from lab.explanations import trained as explained
from lab.inference import export
from lab.modules.tasks.combination import CombinedWithNaive, best_shares, choose_shares, combined, described
from lab.parallel.jobs import Job, train_job
from lab.tracking import models
from lab.tracking.reading import stored_runs
from lab.tracking.reading.baselines import QUICK
from lab.training import reproduce
from lab.training import run as training
from lab.training.building import build

SEASON = 4


def chosen(errors: np.ndarray) -> tuple[float, ...]:
    """The best shares for errors (K, n)."""
    return best_shares(errors @ errors.T)


def errors(*variances: float) -> np.ndarray:
    """Errors (K, 400) without mean and correlation, of these variances."""
    independent = np.linalg.qr(np.random.default_rng(0).normal(size=(400, len(variances))))[0].T
    return independent * np.sqrt(400 * np.array(variances))[:, None]


class TestBestShares:
    @pytest.mark.parametrize(
        ("variances", "shares"),
        [((1, 4), (0.8, 0.2)), ((9, 1), (0.1, 0.9)), ((2, 10 / 3, 5), (0.5, 0.3, 0.2)), ((1, 1e6, 1e6), (1, 0, 0))],
    )
    def test_of_independent_errors_are_as_one_over_their_variance(
        self, variances: tuple[float, ...], shares: tuple[float, ...]
    ) -> None:
        assert chosen(errors(*variances)) == pytest.approx(shares)
        assert chosen(1000 * errors(*variances)) == pytest.approx(shares)

    @pytest.mark.parametrize("share", [0.1, 0.3, 0.4, 0.5, 0.8])
    def test_errors_that_cancel_out_leave_none(self, share: float) -> None:
        for seed in range(20):
            one = np.random.default_rng(seed).normal(size=50)
            assert chosen(np.stack([one, -share / (1 - share) * one])) == pytest.approx((share, 1 - share))

    def test_the_mean_is_never_worse_than_the_best_forecast(self) -> None:
        random = np.random.default_rng(1)
        for _ in range(50):
            each = random.normal(random.normal(size=(3, 1)), random.exponential(size=(3, 1)), size=(3, 20))
            mean = np.array(chosen(each)) @ each
            assert (mean**2).mean() <= (each**2).mean(axis=1).min() + 1e-12

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    def test_the_network_has_all_where_nothing_tells_them_apart(self, wrong: float) -> None:
        assert chosen(np.ones((3, 5))) == (1.0, 0.0, 0.0)
        assert chosen(np.where(np.arange(5) == 2, wrong, errors(4, 1, 1)[:, :5])) == (1.0, 0.0, 0.0)


def windows(count: int = 30) -> torch.Tensor:
    """(N, 2, 8), the first channel of which is forecast."""
    return torch.randn(count, 2, 8, generator=torch.Generator().manual_seed(0))


def network(*, times: float = 1.0) -> CombinedWithNaive:
    """Its own forecast of three steps is so many times the mean of the first channel."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.times = nn.Parameter(torch.tensor(times))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.times * x[:, :1].mean(2).expand(-1, 3)

    return CombinedWithNaive(Mean(), 1, 3, (1, SEASON))


class TestCombinedWithNaive:
    def test_the_network_has_all_until_the_shares_are_chosen(self) -> None:
        made, x = network(times=3.0), windows()
        assert torch.equal(made(x), made.architecture(x))

    def test_it_is_the_mean_by_the_shares_that_are_best_on_the_batches(self) -> None:
        made, x = network(), windows()
        own, last, season = x[:, 0].mean(1, keepdim=True).expand(-1, 3), x[:, 0, -1:].expand(-1, 3), x[:, 0, 4:7]
        y = 0.2 * own + 0.3 * last + 0.5 * season
        choose_shares(made, [(x[:20], y[:20]), (x[20:], y[20:])])
        assert made.shares == pytest.approx((0.2, 0.3, 0.5))
        torch.testing.assert_close(made(x), y)
        assert described(made) == (
            "network 0.2, last value 0.3, last season (4 steps) 0.5 (best mean squared error on the validation split)"
        )

    def test_members_have_the_shares_that_suit_their_mean(self) -> None:
        members, x = nn.ModuleList([network(times=0.5), network(times=1.5)]), windows()
        y = 0.6 * x[:, 0].mean(1, keepdim=True).expand(-1, 3) + 0.4 * x[:, 0, -1:]
        choose_shares(members, [(x, y)])
        assert [part.shares for part in combined(members)] == [pytest.approx((0.6, 0.4, 0.0))] * 2

    def test_choosing_leaves_the_mode_and_what_is_not_combined_alone(self) -> None:
        made = network().train()
        choose_shares(made, [(windows(), torch.zeros(30, 3))])
        assert made.training
        plain = nn.Linear(2, 2)
        choose_shares(plain, [(windows(), torch.zeros(30, 3))])
        assert described(plain) == ""


@pytest.mark.usefixtures("empty_workplace")
class TestRefused:
    @pytest.mark.parametrize(
        ("name", "settings", "line"),
        [
            ("mlp", (), "combine_with_naive: is for forecasts of a series, the task is classification; leave it out"),
            ("sunspots", ("loss={kind: quantile}",), "combine_with_naive: is for values, not for the quantiles of "),
            ("gan", (), "combine_with_naive: would not be used, since module: has its own"),
        ],
    )
    def test_in_one_line(self, name: str, settings: tuple[str, ...], line: str) -> None:
        with pytest.raises(LabError, match=line):
            build(load(name, ("combine_with_naive=true", *settings)))


WALK = """
data: {kind: series, path: walk.csv, window: 8, horizon: 3}
model: {kind: mlp, hidden: 8, layers: 1}
combine_with_naive: true
conformal: 0.8
trainer: {max_epochs: 2}
"""
MEMBERS = WALK.replace("max_epochs: 2", "max_epochs: 2, members: 2")
SALES = WALK.replace("walk.csv, window: 8", "sales.csv, window: 12")
STEPS, FIRST = 300, 240  # of the walk, and the first one of its test


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    """A random walk by the day, and the same networks without naive forecasts."""

    def train() -> None:
        values = np.random.default_rng(0).normal(size=STEPS).cumsum()
        times = pd.date_range("2020-01-01", periods=STEPS)
        pd.DataFrame({"day": times, "value": values}).to_csv("walk.csv", index=False)
        sales_rows().to_csv("sales.csv", index=False)
        with_naive = {"walk": WALK, "members": MEMBERS, "sales": SALES}
        alone = {f"{name}_alone": text.replace("true", "false") for name, text in with_naive.items()}
        made_once.train(with_naive | alone)

    return made_once.with_store(tmp_path_factory, "combination", prepared_store, train)


@pytest.fixture
def folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(trained)


def forecasts(name: str) -> np.ndarray:
    """What a run predicted for the windows of the test, (N, targets · 3)."""
    table = pd.read_csv(stored_runs.find(name).artifact("predictions.csv"))
    return table.filter(regex=r"^predicted_\d+$").to_numpy()


def shares(name: str) -> list[float]:
    """Those of the network, the last value and the last season."""
    run = stored_runs.find(name)
    said = [float(each) for each in re.findall(r" (\d\.\d)", run.tags["lab.combination"])]
    assert said == [*json.loads(run.artifact("encoding.json").read_text())["shares"].values()]
    return said


@pytest.mark.usefixtures("folder")
def test_all_targets_have_the_same_shares() -> None:
    data = build(load("sales")).data
    x, _ = data.splits["test"].batch(torch.arange(len(data.splits["test"])))
    assert data.targets == 2
    network, last, season = shares("sales")
    naive = last * x[:, :2, -1:].expand(-1, -1, 3) + season * x[:, :2, :3]
    of_network = (1 - network) * data.target_scale.mean + network * forecasts("sales_alone")
    by_hand = of_network + naive.flatten(1) * data.target_scale.std
    np.testing.assert_allclose(forecasts("sales"), by_hand, rtol=1e-4)


@pytest.mark.usefixtures("folder")
def test_what_is_left_to_users_of_the_weights_alone_is_said() -> None:
    run = stored_runs.find("walk")
    assert models.left_to_you(run, weights_alone=True).endswith(run.tags["lab.combination"])
    assert models.left_to_you(run, weights_alone=False) == ""


@pytest.mark.usefixtures("folder")
def test_a_result_says_what_the_forecast_is_and_that_epochs_are_those_of_the_network() -> None:
    notes = dict(training.run(load("walk", ("checkpoints.every_seconds=31",))).notes)
    said = stored_runs.find("walk").tags["lab.combination"]
    assert notes["forecast"] == f"{said}; train and val are those of the network alone"


@pytest.mark.usefixtures("folder")
def test_a_replicate_is_tested_as_a_run_is() -> None:
    outcome = train_job(Job(0, "walk", load("walk").to_yaml(), test=True, quick_baseline=True), lambda *_: False)
    logged = stored_runs.find("walk").metrics
    assert {name: logged[name] for name in outcome.metrics} == pytest.approx(outcome.metrics)
    assert "baseline_quick/test/mae" in {name.replace(QUICK, "baseline_quick/") for name in outcome.metrics}


@pytest.mark.usefixtures("folder")
def test_the_second_baseline_is_the_best_mean_of_the_naive_forecasts() -> None:
    values = pd.read_csv("walk.csv")["value"].to_numpy()
    of_split = {}
    for split, (first, end) in {"val": (210, FIRST), "test": (FIRST, STEPS)}.items():
        steps = np.arange(first, end - 2)[:, None] + np.arange(3)
        last, season = values[steps[:, :1] - 1] + np.zeros(3), values[steps - 7]
        of_split[split] = {w: w * last + (1 - w) * season - values[steps] for w in np.arange(11) / 10}
    best = min(of_split["val"], key=lambda w: float((of_split["val"][w] ** 2).mean()))
    measured = stored_runs.find("walk").metrics[f"{QUICK}test/mae"]
    assert measured == pytest.approx(np.abs(of_split["test"][best]).mean(), rel=1e-4)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["walk", "members"])
class TestARun:
    def test_forecasts_the_mean_of_what_the_same_network_does_alone_and_naive_forecasts(self, name: str) -> None:
        network, last, season = shares(name)
        assert network < 1
        values = pd.read_csv("walk.csv")["value"].to_numpy()
        steps = np.arange(FIRST, STEPS - 2)[:, None] + np.arange(3)
        by_hand = network * forecasts(f"{name}_alone") + last * values[steps[:, :1] - 1] + season * values[steps - 7]
        np.testing.assert_allclose(forecasts(name), by_hand, atol=1e-4)

    def test_is_tested_again_with_the_same_shares_and_intervals(self, name: str) -> None:
        again, logged = reproduce.test_again(name)
        assert again == pytest.approx(logged)
        assert "test/conformal_coverage" in again

    def test_is_explained_with_the_same_shares(self, name: str) -> None:
        found = explained.load(stored_runs.find(name))
        assert described(found.module.architecture) == stored_runs.find(name).tags["lab.combination"]

    def test_predicts_and_is_exported_with_the_mean(self, name: str, tmp_path: Path) -> None:
        model = lab.load(name)
        path, _ = export.export(model, "onnx", tmp_path / "model.onnx")
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (exported,) = session.run(None, {"input": model.example})
        np.testing.assert_allclose(exported, model.outputs(model.example), rtol=1e-4, atol=1e-4)
        tested = model.outputs(_windows())[:, :3]
        np.testing.assert_allclose(tested, forecasts(name), atol=1e-4)


def _windows() -> np.ndarray:
    """Those of the test, (N, 1, 8)."""
    values = pd.read_csv("walk.csv")["value"].to_numpy(np.float32)
    return values[np.arange(FIRST, STEPS - 2)[:, None] - 8 + np.arange(8)][:, None]
