"""Splits of a table by its columns, and by files of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.config.sections import Part
from lab.data.table import Table
from lab.errors import LabError

RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame(
    {
        "patient": np.repeat(np.arange(40), 5),
        "day": pd.date_range("2024-01-01", periods=200)[RANDOM.permutation(200)].strftime("%d.%m.%Y"),
        "size": RANDOM.normal(size=200).round(3),
        "fold": RANDOM.choice(["train", "Test", "validation"], 200, p=[0.6, 0.2, 0.2]),
        "y": RANDOM.choice(["a", "b"], 200),
    }
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ROWS.to_csv("rows.csv", index=False)


def table(**settings: Any) -> Table:
    made: Table = Part("data", "table", {"path": "rows.csv", "target": "y", "batch_size": 8, **settings}).build(seed=0)
    made.prepare()
    return made


def of(data: Table, column: str) -> dict[str, pd.Series]:
    """The values of a column in each split."""
    return {split: ROWS[column].iloc[indices] for split, indices in data.split_indices.items()}


def inputs(data: Table) -> list[str]:
    return [column.name for column in data.encoding.columns]


def test_a_group_is_on_one_side_and_no_input() -> None:
    data = table(group="patient")
    patients = {split: set(values) for split, values in of(data, "patient").items()}
    assert sum(map(len, patients.values())) == 40
    assert len(set.union(*patients.values())) == 40
    assert inputs(data) == ["day", "size", "fold"]
    assert ("split", "by 'patient': none of its 40 values is on two sides") in data.notes


def test_the_last_in_time_are_the_test() -> None:
    data = table(order_by="day")
    days = {split: pd.to_datetime(values, format="%d.%m.%Y") for split, values in of(data, "day").items()}
    assert days["train"].max() < days["val"].min()
    assert days["val"].max() < days["test"].min()
    assert len(days["test"]) == 40


def test_dates_are_ordered_as_their_format_says() -> None:
    days = pd.date_range("2024-01-01", periods=12)  # up to the twelfth: day or month first is open
    rows = ROWS.assign(day=np.tile(days.strftime("%d/%m/%Y"), 17)[:200])
    rows.to_csv("rows.csv", index=False)
    data = table(order_by="day", date_format="%d/%m/%Y")
    last = rows["day"].iloc[data.split_indices["test"]]
    assert set(last) == {"12/01/2024", "11/01/2024", "10/01/2024"}


def test_a_column_says_the_split() -> None:
    data = table(split="fold")
    for split, name in (("train", "train"), ("val", "validation"), ("test", "Test")):
        assert set(of(data, "fold")[split]) == {name}
    assert inputs(data) == ["patient", "day", "size"]
    counts = ROWS["fold"].value_counts()
    (note,) = [text for about, text in data.notes if about == "split"]
    assert note == (
        f"as given by the values of 'fold': train {counts['train']}, val {counts['validation']}, test {counts['Test']}"
    )


class TestFiles:
    def test_the_rows_of_another_file_are_the_test(self) -> None:
        ROWS.head(30).to_csv("test.csv", index=False)
        ROWS.tail(20).to_parquet("val.parquet")
        data = table(test_path="test.csv", val_path="val.parquet")
        assert [len(data.split_indices[split]) for split in ("train", "val", "test")] == [200, 20, 30]
        assert data.split_indices["test"].tolist() == [*range(220, 250)]

    def test_its_columns_are_read_as_those_of_the_main_file(self) -> None:
        ROWS.assign(code=["001", "B2"] * 100).to_csv("rows.csv", index=False)
        ROWS.assign(code="001").head(30).to_csv("test.csv", index=False)
        data = table(test_path="test.csv")
        (code,) = [column for column in data.encoding.columns if column.name == "code"]
        assert code.values == ("001", "B2")  # type: ignore[union-attr]
        x = data.splits["test"].x.numpy()  # type: ignore[attr-defined]
        column = data.encoding.names().index("code = 001")
        assert (x[:, column] > 0).all()

    def test_beside_a_test_file_the_order_is_that_of_the_validation_rows(self) -> None:
        ROWS.head(30).to_csv("test.csv", index=False)
        data = table(test_path="test.csv", order_by="day")
        assert ("split", "by 'day': the last of the other rows are validation") in data.notes
        days = pd.to_datetime(ROWS["day"], dayfirst=True)
        assert days[data.split_indices["train"]].max() < days[data.split_indices["val"]].min()

    def test_one_without_any_target_is_refused(self) -> None:
        ROWS.head(30).assign(y="").to_csv("test.csv", index=False)
        with pytest.raises(LabError, match=r"test.csv: column 'y' is missing in all rows"):
            table(test_path="test.csv", missing_target="skip")

    def test_what_is_left_out_of_it_is_said(self) -> None:
        ROWS.head(30).to_csv("test.csv", index=False)
        with Path("test.csv").open("a") as file:
            file.write(",,,,\nSource: the ward\n")
        notes = table(test_path="test.csv").notes
        assert ("skipped", "test.csv: 1 line with a single field") in notes
        assert ("skipped", "test.csv: 1 empty row") in notes

    def test_a_column_that_it_lacks_is_named(self) -> None:
        ROWS.drop(columns=["y", "size"]).to_csv("test.csv", index=False)
        with pytest.raises(LabError, match=r"test.csv: has no column size, y, which rows.csv has"):
            table(test_path="test.csv")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"group": "patients"}, "data.group: no column 'patients'; did you mean patient?"),
        ({"split": "patient"}, "column 'patient', row 1: '0' is no split; write train, val or test"),
        ({"order_by": "fold"}, "data.order_by: column 'fold' has neither dates nor numbers"),
        ({"group": "patient", "order_by": "day"}, "data.group, data.order_by: set one of them"),
        ({"split": "fold", "test_path": "rows.csv"}, "data.split: leave it out where data.test_path"),
        (
            {"split": "fold", "order_by": "day"},
            "data.order_by: leave it out where the validation and the test split are",
        ),
        ({"split": "fold", "group": "patient"}, "is in train and val, as given by the values of 'fold'"),
        ({"test_path": "rows.csv", "group": "patient"}, "'0' of column 'patient' (and 39 more) is in test and train"),
    ],
)
def test_what_does_not_fit_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(LabError) as error:
        table(**settings)
    assert message in str(error.value)


def test_rows_without_a_group_are_refused() -> None:
    ROWS.assign(patient=ROWS["patient"].where(ROWS.index != 3)).to_csv("rows.csv", index=False)
    with pytest.raises(LabError, match=r"data.group: column 'patient', row 4: is missing"):
        table(group="patient")


class TestTargets:
    def test_rows_without_one_are_left_out_on_request(self) -> None:
        ROWS.assign(y=ROWS["y"].where(ROWS.index > 4)).to_csv("rows.csv", index=False)
        with pytest.raises(LabError, match=r"is missing in 5 rows, first in row 1; .*data.missing_target: skip"):
            table()
        data = table(missing_target="skip")
        assert sum(len(part) for part in data.split_indices.values()) == 195
        assert ("skipped", "5 rows without y") in data.notes

    def test_a_price_is_a_number(self) -> None:
        ROWS.assign(y=[f"${value:,.0f}" for value in np.linspace(900, 9_000, 200)]).to_csv("rows.csv", index=False)
        data = table()
        assert data.task == "regression"
        assert data.target_scale is not None
        assert float(data.target_scale.mean) == pytest.approx(4_950, rel=0.05)

    def test_a_class_may_be_called_none_and_it_is_said(self) -> None:
        ROWS.assign(y=["None", "Biscoe"] * 100).to_csv("rows.csv", index=False)
        data = table()
        assert data.class_names == ("Biscoe", "None")
        assert any("'None' in 100 rows is taken as a class" in note for _, note in data.notes)
