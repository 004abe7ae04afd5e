"""Properties of every data module that ships with its data; those that read files have their own tests."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_data import shop_rows
from shipped import PROJECT

from lab.config.experiment import from_sections
from lab.config.sections import Part
from lab.data.base import DataModule
from lab.errors import LabError
from lab.training.building import build

SAMPLES = {
    "digits": (1797, (1, 8, 8), 10, 10),
    "breast_cancer": (569, (30,), 1, 2),
    "diabetes": (442, (10,), 1, 0),
    "mnist1d": (5000, (1, 40), 10, 10),
}
KINDS = [*SAMPLES, "sunspots"]


def prepared(kind: str, seed: int = 0, **settings: object) -> DataModule:
    module = Part("data", kind, settings).build(seed=seed)
    module.prepare()
    return module


@pytest.fixture(params=KINDS)
def data(request: pytest.FixtureRequest) -> Iterator[DataModule]:
    return prepared(request.param)


@pytest.mark.parametrize("kind", SAMPLES)
def test_sizes_are_those_of_the_source(kind: str) -> None:
    total, shape, outputs, classes = SAMPLES[kind]
    data = prepared(kind)
    assert sum(len(split) for split in data.splits.values()) == total
    assert (data.sizes.input_shape, data.sizes.out_features, data.sizes.classes) == (shape, outputs, classes)
    x, _ = data.splits["train"][0]
    assert tuple(x.shape) == shape


def test_mnist1d_keeps_the_test_samples_of_the_generator() -> None:
    data = prepared("mnist1d")
    assert data.split_indices["test"].tolist() == list(range(4000, 5000))


def test_no_sample_is_in_two_splits(data: DataModule) -> None:
    train, val, test = (set(data.split_indices[split].tolist()) for split in ("train", "val", "test"))
    assert train
    assert val
    assert test
    assert not train & val | train & test | val & test


def test_scaling_is_fitted_on_the_training_split_only(data: DataModule) -> None:
    train = torch.cat([x for x, _ in data.loader("train")]).double()
    dims = [0, *range(2, train.ndim)]
    if data.task != "forecasting":  # windows overlap: the middle of a series counts more often than its ends
        torch.testing.assert_close(train.mean(dims), torch.zeros_like(train.mean(dims)), atol=1e-5, rtol=0)
        torch.testing.assert_close(train.std(dims, unbiased=False).max(), torch.tensor(1.0).double(), atol=1e-4, rtol=0)
        assert torch.cat([x for x, _ in data.loader("test")]).double().mean(dims).abs().max() > 1e-4


def test_the_same_seed_gives_the_same_split_and_another_seed_the_same_test_samples() -> None:
    for kind in KINDS:
        one, same, other = prepared(kind, 3), prepared(kind, 3), prepared(kind, 4)
        assert one.split_fingerprint() == same.split_fingerprint()
        assert one.fingerprint == same.fingerprint == other.fingerprint
        assert one.split_indices["test"].tolist() == other.split_indices["test"].tolist()
        if one.task != "forecasting":
            assert one.split_indices["val"].tolist() != other.split_indices["val"].tolist()


@pytest.mark.parametrize("kind", ["digits", "breast_cancer", "mnist1d"])
def test_splits_are_stratified(kind: str) -> None:
    data = prepared(kind)
    counts = {
        split: np.bincount(torch.cat([y for _, y in data.loader(split)])) / len(data.splits[split])  # type: ignore
        for split in ("train", "val")
    }
    assert np.abs(counts["train"] - counts["val"]).max() < 0.02


def test_a_series_is_split_by_time_and_targets_stay_in_their_split() -> None:
    data = prepared("sunspots", window=20, horizon=3)
    bounds = [(data.split_indices[s][0], data.split_indices[s][-1]) for s in ("train", "val", "test")]
    assert bounds[0][1] < bounds[1][0] < bounds[1][1] < bounds[2][0]
    for split, (first, last) in zip(("train", "val", "test"), bounds, strict=True):
        starts = data.splits[split].starts  # type: ignore[attr-defined]
        targets = torch.cat([starts + 20, starts + 22])
        assert targets.min() >= first
        assert targets.max() <= last


def test_a_window_is_followed_by_its_target() -> None:
    data = prepared("sunspots", window=5, horizon=2)
    series = data.splits["train"].series[0]  # type: ignore[attr-defined]
    x, y = data.splits["train"][7]
    assert torch.equal(x[0], series[7:12])
    assert torch.equal(y, series[12:14])


@pytest.mark.parametrize("kind", ["digits", "sunspots"])
def test_worker_processes_give_the_same_batches_in_the_same_order(kind: str) -> None:
    here, workers = prepared(kind), prepared(kind, num_workers=2)
    with contextlib.closing(workers.train_dataloader()) as loader:
        for one, other in zip(here.train_dataloader(), loader, strict=True):
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(LabError, match=r"data\.batch_size: 5000 is more than the 3601 training samples"):
        prepared("mnist1d", batch_size=5000)


def test_windows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LabError, match=r"data.window, data.horizon: 300 past and 6 next steps do not fit"):
        prepared("sunspots", window=300)


def test_training_never_ends_on_a_batch_of_one_sample() -> None:
    size = len(prepared("diabetes").splits["train"])  # type: ignore[arg-type]
    data = prepared("diabetes", batch_size=size - 1)
    assert [len(x) for x, _ in data.train_dataloader()] == [size - 1]
    assert sum(len(x) for x, _ in data.loader("train")) == size


def test_data_depends_on_no_network() -> None:
    for path in (PROJECT / "lab" / "data").rglob("*.py"):
        assert not re.search(r"lab\.(architectures|modules|training)", path.read_text(encoding="utf-8")), path


def test_a_users_data_module_may_wrap_the_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    shop_rows(40).assign(buys=["yes", "no"] * 20).to_csv("rows.csv", index=False)
    Path("wrapping_data.py").write_text(
        "from torch import nn\n"
        "from lab.data.table import Table\n"
        "class Noisy(Table):\n"
        "    def wrap(self, architecture):\n"
        "        return nn.Sequential(nn.Dropout(0.1), super().wrap(architecture))\n"
    )
    sections: dict[str, Any] = {
        "data": {"kind": "wrapping_data:Noisy", "path": "rows.csv", "target": "buys", "categories": "embedding"},
        "model": {"kind": "linear"},
    }
    sections["data"]["batch_size"] = 8
    whole = build(from_sections("wrapped", "", sections)).module.architecture
    assert [type(layer).__name__ for layer in (whole[0], whole[1], whole[1].architecture)] == [
        "Dropout",
        "Embedded",
        "Linear",
    ]
