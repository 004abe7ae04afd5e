"""A folder with runs of every kind of data, whose data and experiment files were deleted after training."""

import shutil
from pathlib import Path

import made_once
import numpy as np
import pytest
from made_data import draw, sales_rows, shop_rows

EXPERIMENTS = {
    "shop": "data: {kind: table, path: shop.csv, target: bought}\nmodel: {kind: mlp, hidden: 16, layers: 1}",
    "sales": "data: {kind: series, path: sales.csv, window: 12, horizon: 3}\nmodel: {kind: lstm, hidden: 8, layers: 1}",
    "pictures": "data: {kind: images, path: pictures, batch_size: 8}\nmodel: {kind: conv2d, channels: 4}",
    "digits": "data: {kind: digits}\nmodel: {kind: linear}",
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, prepared_store: Path) -> Path:
    """The folder; its runs have the names of their experiments, and `shop` has a second run with seed 1."""
    return made_once.with_store(tmp_path_factory, "trained", prepared_store, _train)


def _train() -> None:
    _write_data()
    experiments = {name: f"{text}\ntrainer: {{max_epochs: 2}}" for name, text in EXPERIMENTS.items()}
    made_once.train(experiments, ("shop", ("seed=1",)))
    shutil.rmtree("experiments")
    shutil.rmtree("pictures")
    for path in Path.cwd().glob("*.csv"):
        path.unlink()


def _write_data() -> None:
    rows = shop_rows(300)
    rows.assign(bought=np.where(rows["age"] > 50, "yes", "no")).to_csv("shop.csv", index=False)
    sales_rows().to_csv("sales.csv", index=False)
    draw(Path("pictures"), 20)


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for files of the test; the working directory is the one with the runs."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(trained)
    return tmp_path
