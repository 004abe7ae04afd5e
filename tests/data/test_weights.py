"""Weights of samples from tables, arrays and data modules of one's own: what they are, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lab.config.sections import Part
from lab.data.base import SampleDataModule, Samples
from lab.errors import LabError

RANDOM = np.random.default_rng(0)
ROWS = 60
WEIGHT = RANDOM.integers(0, 4, ROWS) / 2


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(weight: Any = WEIGHT) -> pd.DataFrame:
    size = np.random.default_rng(1).normal(size=ROWS)
    return pd.DataFrame({"size": size, "weight": weight, "price": 3 * size + 1})


def table(frame: pd.DataFrame, **settings: Any) -> Any:
    frame.to_csv("rows.csv", index=False)
    chosen = {"path": "rows.csv", "target": "price", "weight": "weight", "batch_size": 8, **settings}
    made = Part("data", "table", chosen).build(seed=0)
    made.prepare()
    return made


def arrays(**content: Any) -> Any:
    np.savez("data.npz", **content)
    made = Part("data", "arrays", {"path": "data.npz", "batch_size": 8}).build(seed=0)
    made.prepare()
    return made


def of_split(data: Any, split: str) -> list[float]:
    dataset = data.splits[split]
    weights: list[float] = dataset.batch(torch.arange(len(dataset)))[2].tolist()
    return weights


class TestTables:
    def test_the_column_is_the_weight_and_no_feature(self) -> None:
        data = table(rows())
        for split in ("train", "val", "test"):
            assert of_split(data, split) == WEIGHT[data.split_indices[split]].tolist()
        assert [column.name for column in data.encoding.columns] == ["size"]
        zero = int((WEIGHT == 0).sum())
        sentence = f"column 'weight', from 0 to 1.5, in the loss and in every metric; {zero} rows of weight 0"
        assert ("weight", f"{sentence} count for nothing") in data.notes

    def test_new_rows_need_no_weight(self) -> None:
        assert table(rows()).encoding.encode(pd.DataFrame({"size": [1.0]})).shape == (1, 1)

    def test_the_targets_are_standardised_by_their_weighted_mean(self) -> None:
        data = table(rows())
        train = data.split_indices["train"]
        mean = np.average(rows()["price"].to_numpy()[train], weights=WEIGHT[train])
        assert float(data.target_scale.mean) == pytest.approx(mean, rel=1e-6)

    def test_weights_may_be_written_with_a_comma(self) -> None:
        frame = rows([f"{weight:.1f}".replace(".", ",") for weight in WEIGHT])
        frame.to_csv("comma.csv", index=False, sep=";")
        made = Part("data", "table", {"path": "comma.csv", "target": "price", "weight": "weight"}).build(seed=0)
        assert made.read().weight.tolist() == WEIGHT.tolist()

    @pytest.mark.parametrize(
        ("value", "problem"),
        [
            (-1.0, "row 8: -1"),
            (np.nan, "row 8: missing"),
            ("inf", "row 8: inf is not finite"),
            ("heavy", "row 8: 'heavy' is not a number"),
        ],
    )
    def test_what_is_no_weight_is_refused_in_one_line_with_its_row(self, value: Any, problem: str) -> None:
        weight = WEIGHT.astype(object)
        weight[7] = value
        with pytest.raises(LabError) as caught:
            table(rows(weight))
        assert str(caught.value) == f"data.weight: column 'weight', {problem}; a weight is a number from 0 on"

    def test_a_split_without_weight_is_refused(self) -> None:
        frame = rows().assign(part=np.repeat(["train", "val", "test"], 20))
        frame.loc[20:39, "weight"] = 0
        with pytest.raises(LabError, match=r"^data: all 20 weights of the val split are 0, so that no sample counts$"):
            table(frame, split="part")

    @pytest.mark.parametrize("setting", ["drop", "keep", "categorical"])
    def test_a_column_has_one_use(self, setting: str) -> None:
        with pytest.raises(LabError, match=f"'weight' is named by data.{setting} too; a column has one use"):
            table(rows(), **{setting: ["weight"]})

    def test_an_unknown_column(self) -> None:
        with pytest.raises(LabError, match=r"data\.weight"):
            table(rows(), weight="weigth")


X, Y = RANDOM.normal(size=(ROWS, 3)), RANDOM.normal(size=ROWS)


class TestArrays:
    def test_of_one_array(self) -> None:
        data = arrays(x=X, y=Y, weight=WEIGHT)
        assert of_split(data, "test") == WEIGHT[data.split_indices["test"]].tolist()

    def test_of_each_part(self) -> None:
        parts = {"x_train": X[:40], "y_train": Y[:40], "weight_train": WEIGHT[:40]}
        data = arrays(**parts, x_test=X[40:], y_test=Y[40:], weight_test=WEIGHT[40:])
        assert of_split(data, "test") == WEIGHT[40:].tolist()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"weight": WEIGHT[:9]}, r"weight is \(9,\); give one value for each of the 60 samples of x"),
            ({"weight": np.where(np.arange(ROWS) == 4, -2, WEIGHT)}, "weight, row 5: -2; a weight is a number from 0"),
            ({"weight": WEIGHT, "x_test": X, "y_test": Y}, "has no weight_test; each of weight, weight_test must"),
            ({"weight": np.full(ROWS, "1")}, "weight of type <U1; a weight is a number"),
        ],
    )
    def test_what_is_refused(self, content: dict[str, Any], message: str) -> None:
        with pytest.raises(LabError, match=message):
            arrays(x=X, y=Y, **content)


class Own(SampleDataModule):
    def __init__(self, weight: Any):
        super().__init__(batch_size=8)
        self.weight = weight

    def read(self) -> Samples:
        return Samples(X, Y[:, None], weight=self.weight)


class TestOwnDataModules:
    @pytest.mark.parametrize(
        ("weight", "problem"),
        [
            (WEIGHT[:5], r"weight of shape \(5,\) for 60 samples"),
            (np.full(ROWS, 1e300), r"gives weight, row 1: 1e\+300; a weight is"),
            ((-WEIGHT).tolist(), "gives weight, row 1: -1.5; a weight is"),
        ],
    )
    def test_what_is_refused(self, weight: Any, problem: str) -> None:
        with pytest.raises(LabError, match=problem):
            Own(weight).prepare()
