"""A folder with a run of every kind of data, and the data that they were trained on."""

from pathlib import Path

import made_once
import numpy as np
import pandas as pd
import pytest
from made_data import draw, sales_rows
from own_modules import MODULES

from lab.training.results import artifacts

MLP = "{kind: mlp, hidden: 16, layers: 1}"
EXPERIMENTS = {
    "cancer": f"data: {{kind: breast_cancer}}\nmodel: {MLP}",
    "decided": f"data: {{kind: breast_cancer}}\nmodel: {MLP}\noptimizer: {{kind: sgd, lr: 0.001}}\nthreshold: f1",
    "digits": "data: {kind: digits, batch_size: 256}\nmodel: {kind: linear}",
    "shop": f"data: {{kind: table, path: shop.csv, target: spent, val_fraction: 0.3}}\nmodel: {MLP}",
    "tags": f"data: {{kind: table, path: rows.csv, target: tags, task: multilabel, drop: [grade]}}\nmodel: {MLP}\n"
    "threshold: f1",
    "grades": f"data: {{kind: table, path: rows.csv, target: grade, task: ordinal, order: [low, mid, high], "
    f"drop: [tags]}}\nmodel: {MLP}\noptimizer: {{kind: adamw, lr: 0.01}}",
    "sales": "data: {kind: series, path: sales.csv, targets: sales, covariates: [visits], window: 12, horizon: 3}\n"
    "model: {kind: lstm, hidden: 8, layers: 1}",
    "pictures": "data: {kind: images, path: pictures, batch_size: 8}\nmodel: {kind: conv2d, channels: 4}",
    "waves": "data: {kind: arrays, path: waves.npz, batch_size: 32}\nmodel: {kind: conv1d, channels: 8, layers: 2}\n"
    "module: {kind: own:Standard}",
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    """The folder; its runs have the names of their experiments."""
    return made_once.with_store(tmp_path_factory, "explained", prepared_store, _train)


def _train() -> None:
    _write_data()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(artifacts, "keep_model", lambda *_: None)  # an explanation needs no exported model
        made_once.train({name: f"{text}\ntrainer: {{max_epochs: 3}}" for name, text in EXPERIMENTS.items()})


def _write_data() -> None:
    Path("own.py").write_text(MODULES)
    sales_rows().to_csv("sales.csv", index=False)
    draw(Path("pictures"), 20)
    random = np.random.default_rng(0)
    phases = random.uniform(0, 6, (120, 1))
    kinds = np.arange(120) % 3
    waves = np.sin(np.linspace(0, 6 + 6 * kinds, 30).T + phases).astype(np.float32)
    np.savez("waves.npz", x=waves[:, None], y=np.array(["slow", "fast", "faster"])[kinds])
    _write_shop(random)
    _write_rows(random)


def _write_rows(random: np.random.Generator) -> None:
    """Rows with labels and a grade."""
    x = random.normal(size=(240, 3))
    truth = x + random.normal(size=(240, 3)) / 3 > [0.8, 0.4, 0.0]
    rows = pd.DataFrame(x, columns=["a", "b", "c"]).round(3)
    rows["tags"] = [";".join(np.array(["blue", "green", "red"])[row]) for row in truth]
    rows["grade"] = np.array(["low", "mid", "high"])[np.digitize(x[:, 0] + random.normal(size=240) / 3, [-0.5, 0.5])]
    rows.to_csv("rows.csv", index=False)


def _write_shop(random: np.random.Generator) -> None:
    """Rows with a number, a one-hot category, an embedded one and a date; line 3 of the data is empty."""
    rows = pd.DataFrame(
        {
            "age": random.integers(18, 90, 200),
            "city": random.choice(["Oslo", "Rome", "Bern"], 200),
            "shop": random.choice([f"shop {number:02}" for number in range(14)], 200),
            "since": pd.date_range("2020-01-01", periods=200, freq="3D").strftime("%Y-%m-%d"),
        }
    )
    rows["spent"] = 10.0 * (rows["city"] == "Rome") + 0.1 * rows["age"] + random.normal(0, 0.1, 200)
    lines = rows.to_csv(index=False).splitlines()
    lines.insert(3, ",,,,")
    Path("shop.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the runs, in which the test works."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.syspath_prepend(trained)
    monkeypatch.chdir(trained)
    return trained
