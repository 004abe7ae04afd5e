"""Quantiles and intervals beside predictions: of a table and of a series, in every way that a model is used."""

import json
from pathlib import Path

import made_once
import mlflow
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from made_data import sales_rows, shop_rows

import lab
from lab.inference import export
from lab.tracking import models
from lab.tracking.reading import stored_runs
from lab.training import reproduce

MODEL = "model: {kind: mlp, hidden: 8, layers: 1}\nconformal: 0.8\ntrainer: {max_epochs: 2}\n"
PRICES = "data: {kind: table, path: shop.csv, target: price, weight: times}\nloss: {kind: quantile}\n"
EXPERIMENTS = {
    "plain": "data: {kind: table, path: shop.csv, target: price, drop: [times]}\n" + MODEL,
    "weighed": PRICES + MODEL.replace("conformal: 0.8\n", ""),
    "sales": "data: {kind: series, path: sales.csv, window: 12, horizon: 3}\nloss: {kind: quantile}\n" + MODEL,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    return made_once.with_store(tmp_path_factory, "intervals", prepared_store, _train)


def _train() -> None:
    rows = shop_rows(200)
    random = np.random.default_rng(0)
    price = rows["age"] * 2 + random.normal(0, 5, len(rows))
    rows.assign(price=price, times=random.integers(0, 3, len(rows))).to_csv("shop.csv", index=False)
    sales_rows().to_csv("sales.csv", index=False)
    made_once.train(EXPERIMENTS)


@pytest.fixture(autouse=True)
def folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(trained)


def test_values_come_with_the_ends_of_their_interval() -> None:
    predicted = lab.load("plain").predict(shop_rows(5))
    assert list(predicted) == ["prediction", "lower", "upper"]
    stored = json.loads(stored_runs.find("plain").artifact("conformal.json").read_text())
    assert (stored["level"], stored["samples"]) == (0.8, 16)
    np.testing.assert_allclose(predicted["upper"] - predicted["prediction"], stored["margins"][0], rtol=1e-4)
    np.testing.assert_allclose(predicted["prediction"] - predicted["lower"], stored["margins"][0], rtol=1e-4)


def test_the_test_reports_coverage_and_width() -> None:
    run = stored_runs.find("plain")
    table = pd.read_csv(run.artifact("predictions.csv"))
    inside = (table["lower_1"] <= table["true_1"]) & (table["true_1"] <= table["upper_1"])
    assert run.metrics["test/conformal_coverage"] == pytest.approx(inside.mean())
    assert run.metrics["test/conformal_width"] == pytest.approx((table["upper_1"] - table["lower_1"]).mean())
    assert run.metrics["low/test/conformal_coverage"] < inside.mean() < run.metrics["high/test/conformal_coverage"]


def test_a_run_is_tested_again_with_the_same_intervals() -> None:
    again, logged = reproduce.test_again("plain")
    assert again == pytest.approx(logged)
    assert "test/conformal_coverage" in again


def test_new_rows_of_a_weighted_table_need_no_weight_and_get_each_quantile() -> None:
    predicted = lab.load("weighed").predict(shop_rows(5))
    assert list(predicted) == ["prediction", "quantile 0.1", "quantile 0.5", "quantile 0.9"]
    np.testing.assert_array_equal(predicted["prediction"], predicted["quantile 0.5"])
    assert (predicted["quantile 0.1"] <= predicted["quantile 0.5"]).all()
    assert (predicted["quantile 0.5"] <= predicted["quantile 0.9"]).all()


def test_forecasts_have_bands_for_each_step() -> None:
    forecast = lab.load("sales").predict(sales_rows())
    assert len(forecast) == 3
    kinds = ["prediction", "quantile 0.1", "quantile 0.5", "quantile 0.9", "lower", "upper"]
    assert list(forecast)[1:] == [f"{kind} of {name}" for kind in kinds for name in ("sales", "visits")]
    for name in ("sales", "visits"):
        assert (forecast[f"lower of {name}"] <= forecast[f"prediction of {name}"]).all()
    assert stored_runs.find("sales").artifact("figures/forecast.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", ["plain", "weighed"])
def test_plain_mlflow_gives_the_same_columns(name: str) -> None:
    rows = shop_rows(5)
    loaded = mlflow.pyfunc.load_model(str(models.download(stored_runs.find(name))))
    pd.testing.assert_frame_equal(loaded.predict(rows), lab.load(name).predict(rows), rtol=1e-5)


@pytest.mark.parametrize("name", ["plain", "weighed", "sales"])
def test_exports_give_the_same_numbers(name: str, tmp_path: Path) -> None:
    model = lab.load(name)
    path, _ = export.export(model, "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (predicted,) = session.run(None, {"input": model.example})
    np.testing.assert_allclose(predicted, model.outputs(model.example), rtol=1e-4, atol=1e-4)
    path, _ = export.export(model, "torch", tmp_path / "model.pt2")
    program = torch.export.load(path).module()
    np.testing.assert_array_equal(program(torch.from_numpy(model.example)).detach(), model.outputs(model.example))
