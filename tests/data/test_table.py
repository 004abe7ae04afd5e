"""Tables from files: inference of column types, encoding, and errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lab.config.sections import Part
from lab.data.encodings import from_json
from lab.data.table import Table
from lab.errors import LabError
from lab.training.building import with_input_adapter

ROWS = 200


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    age = random.normal(40, 10, ROWS).round(2)
    table = pd.DataFrame(
        {
            "id": random.permutation(ROWS) + 1000,
            "age": age,
            "size": random.integers(0, 50, ROWS),
            "city": random.choice(["Oslo", "Rome", "Lima"], ROWS),
            "shop": random.choice([f"shop {number}" for number in range(15)], ROWS),
            "since": pd.date_range("2020-01-01", periods=ROWS).strftime("%d.%m.%Y"),
            "member": random.random(ROWS) < 0.5,
            "country": "NO",
            "note": [f"call {number} back" for number in range(ROWS)],
            "buys": np.where(age > 40, "yes", "no"),
            "spent": 3 * age + 1,
        }
    )
    table.loc[[3, 7], "age"] = np.nan
    table.loc[[5], "city"] = None
    return table


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(rows: pd.DataFrame | str | bytes, target: str = "buys", **settings: Any) -> Table:
    if isinstance(rows, pd.DataFrame):
        rows.to_csv("rows.csv", index=False)
    else:
        Path("rows.csv").write_bytes(rows.encode() if isinstance(rows, str) else rows)
    made: Table = Part("data", "table", {"path": "rows.csv", "target": target, **settings}).build(seed=0)
    made.prepare()
    return made


def refusal(rows: pd.DataFrame | str | bytes, target: str = "buys", **settings: Any) -> str:
    with pytest.raises(LabError) as caught:
        table(rows, target, **settings)
    return str(caught.value)


class TestInference:
    def test_column_types_are_inferred_and_useless_columns_dropped(self) -> None:
        data = table(frame())
        kinds = {column.name: column.kind for column in data.encoding.columns}
        assert kinds == {
            "age": "number",
            "size": "number",
            "city": "category",
            "shop": "category",
            "since": "date",
            "member": "number",
            "spent": "number",
        }
        notes = [note for subject, note in data.notes if subject == "dropped"]
        assert notes == [
            "id: has a different number in every row",
            "country: is always NO",
            "note: has a different text in every row",
        ]

    @pytest.mark.parametrize(
        ("target", "task", "classes"),
        [
            ("buys", "classification", 2),
            ("city", "classification", 3),
            ("member", "classification", 2),
            ("spent", "regression", 0),
            ("size", "regression", 0),
        ],
    )
    def test_the_task_follows_from_the_target(self, target: str, task: str, classes: int) -> None:
        data = table(frame().ffill(), target)
        assert (data.task, data.sizes.classes) == (task, classes)
        assert data.notes[0][1].startswith(f"{task}, ")
        assert "inferred" in data.notes[0][1]

    def test_the_task_can_be_set(self) -> None:
        rows = frame().assign(grade=np.arange(ROWS) % 5)
        assert table(rows, "grade").class_names == ("0", "1", "2", "3", "4")
        data = table(rows, "grade", task="regression")
        assert (data.task, data.class_names, data.target_names) == ("regression", (), ("grade",))

    def test_columns_can_be_dropped_kept_and_declared_categorical(self) -> None:
        data = table(frame(), drop=["shop", "spent"], keep=["id"], categorical=["size"])
        kinds = {column.name: column.kind for column in data.encoding.columns}
        assert "shop" not in kinds
        assert (kinds["id"], kinds["size"]) == ("number", "category")

    @pytest.mark.parametrize("how", [{"sep": ";", "decimal": ","}, {"sep": "\t"}, {"encoding": "utf-16"}])
    def test_separator_decimal_comma_and_text_encoding_are_inferred(self, how: dict[str, str]) -> None:
        expected = table(frame()).encoding
        frame().to_csv("rows.csv", index=False, **how)  # type: ignore[call-overload]
        found = table(Path("rows.csv").read_bytes()).encoding
        assert [(column.name, column.kind) for column in found.columns] == [(c.name, c.kind) for c in expected.columns]
        assert np.array_equal(found.encode(frame()), expected.encode(frame()))

    def test_parquet_gives_the_same_as_csv(self) -> None:
        expected = table(frame())
        frame().to_parquet("rows.parquet")
        data = Part("data", "table", {"path": "rows.parquet", "target": "buys"}).build(seed=0)
        data.prepare()
        assert data.encoding == expected.encoding

    def test_placeholders_for_missing_values_do_not_turn_numbers_into_text(self) -> None:
        rows = frame().astype({"age": object})
        rows.loc[[3, 7], "age"] = "?"
        assert table(rows).encoding == table(frame()).encoding


class TestEncoding:
    def test_it_is_fitted_on_the_training_rows_only(self) -> None:
        data = table(frame())
        train = frame().iloc[data.split_indices["train"]]
        age, city = data.encoding.columns[0], data.encoding.columns[2]
        assert age.fill == pytest.approx(train["age"].median())  # type: ignore[union-attr]
        assert sum(city.shares) == pytest.approx(1)  # type: ignore[union-attr]
        assert city.shares[0] == pytest.approx((train["city"] == city.values[0]).mean())  # type: ignore[union-attr]

    def test_it_is_restored_from_json(self) -> None:
        data = table(frame())
        again = from_json(json.loads(json.dumps(data.encoding.as_json())))
        assert np.array_equal(again.encode(frame()), data.encoding.encode(frame()))

    def test_samples_are_standardised_as_the_predictor_does_it(self) -> None:
        data = table(frame())
        x, _ = data.splits["val"][2]
        row = data.encoding.encode(frame().iloc[[data.split_indices["val"][2]]])
        torch.testing.assert_close(data.input_scale.apply(torch.from_numpy(row))[0], x)

    def test_with_robust_scaling_numbers_are_relative_to_median_and_quartiles(self) -> None:
        data = table(frame(), categories="one_hot", scaling="robust")
        names, x = data.encoding.names(), data.splits["train"].x
        assert [names[index] for index in data.encoding.numbers()] == ["age", "size", "since days", "member", "spent"]
        for name in ("age", "size", "since days"):
            low, median, high = np.quantile(x[:, names.index(name)], (0.25, 0.5, 0.75))
            assert (median, high - low) == pytest.approx((0, 1.349), abs=1e-4)
        assert x[:, names.index("city = Oslo")].std(unbiased=False) == pytest.approx(1, abs=1e-5)

    def test_a_network_is_told_which_of_its_features_are_numbers(self) -> None:
        data = table(frame().drop(columns="since"), categories="embedding", keep=["id"])
        plain = [name for name in data.encoding.names() if name not in ("city", "shop")]
        numbers = [plain[position] for position in data.sizes.supplied()["number_columns"]]
        assert numbers == ["id", "age", "size", "member", "spent"]
        assert plain == ["id", "age", "age missing", "size", "member", "spent"]

    def test_missing_and_unknown_values_encode_to_the_mean(self) -> None:
        data = table(frame(), categories="one_hot")
        row = frame().head(1).assign(city="Tokyo", shop="a new one", size=None)
        encoded = data.input_scale.apply(torch.from_numpy(data.encoding.encode(row)))[0]
        x = dict(zip(data.encoding.names(), encoded, strict=True))
        assert all(abs(x[name]) < 1e-3 for name in x if name.startswith(("city", "shop")))
        assert abs(x["size"]) < 0.3  # the median, near the mean

    def test_a_column_marks_missing_values_if_training_rows_had_some(self) -> None:
        data = table(frame())
        index = data.encoding.names().index("age missing")
        assert data.encoding.encode(frame().iloc[:8])[:, index].tolist() == [0, 0, 0, 1, 0, 0, 0, 1]

    def test_many_categories_are_embedded_and_an_unknown_one_gets_the_mean_embedding(self) -> None:
        data = table(frame())
        index = data.encoding.names().index("shop")
        known = data.encoding.embedded()[index]
        front = with_input_adapter(nn.Identity(), data.input_adapter)
        x = torch.from_numpy(data.encoding.encode(frame().head(2).assign(shop=["unknown", "shop 3"])))
        assert x[0, index] == known
        assert x[1, index] < known
        embedded = front(data.input_scale.apply(x))
        (weights,) = front.parameters()
        torch.testing.assert_close(embedded[0, -weights.shape[1] :], weights.mean(0))
        assert embedded.shape[1] == data.sizes.input_shape[0]

    def test_outliers_are_clipped(self) -> None:
        data = table(frame())
        x = torch.from_numpy(data.encoding.encode(frame().head(1).assign(age=1e9)))
        whole = with_input_adapter(nn.Identity(), data.input_adapter)
        assert whole(data.input_scale.apply(x))[0, 0] == 10

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"age": ["old", "2"]}, "column 'age', row 1: 'old' is not a number"),
            ({"age": [1.0, np.inf]}, "column 'age', row 2: inf is not finite"),
            ({"city": [1, 2]}, "column 'city' holds numbers, but names such as 'Lima' are expected"),
            ({"since": ["2020-01-05", None]}, "column 'since', row 1: '2020-01-05' is not a date such as 31.12.2024"),
            ({"age": pd.Timestamp("2020-01-01")}, "column 'age' holds dates, but numbers are expected"),
        ],
    )
    def test_new_rows_of_other_types_are_refused(self, change: dict[str, Any], message: str) -> None:
        data = table(frame())
        with pytest.raises(LabError) as caught:
            data.encoding.encode(frame().head(2).assign(**change))
        assert message in str(caught.value)

    def test_all_missing_columns_of_new_rows_are_reported_at_once(self) -> None:
        data = table(frame())
        with pytest.raises(LabError) as caught:
            data.encoding.encode(frame().drop(columns=["age", "city"]).rename(columns={"since": "sinse"}))
        assert caught.value.lines[2] == "no column 'since' in the data; did you mean sinse?"
        assert len(caught.value.lines) == 3


class TestErrors:
    def test_a_missing_file(self) -> None:
        table(frame())
        with pytest.raises(LabError, match=r"row.csv: no such file; did you mean rows.csv\?"):
            Part("data", "table", {"path": "row.csv", "target": "buys"}).build(seed=0).prepare()

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ("", "rows.csv: is empty"),
            ("a,b\n", "rows.csv: has column names but no rows"),
            ("1,2\n3,4\n", "the first line has numbers, 1, 2 ...; it must name the columns"),
            ("a,buys,a\n1,x,2\n", "columns 1 and 3 are both called 'a'; rename one"),
            ("a,buys\n1,x\n2,y,3\n", "line 3 has 3 fields, the header 2 (separated by comma)"),
            (
                "a:buys\n1:x\n2:y\n",
                "has only one column, 'a:buys'; if its separator is not comma, semicolon, tab, bar, conv",
            ),
            ("a,buys\nMünchen,x\n".encode("cp1252"), "is not utf-8 text in line 2 (byte 0xfc, perhaps 'München,x')"),
            (b"\x89PNG\r\n\x1a\n\0\0\0", "is not a text file; only CSV and Parquet"),
        ],
    )
    def test_a_file_that_is_not_a_table(self, rows: str | bytes, message: str) -> None:
        assert message in refusal(rows)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"buys": [*["yes", "no"] * 99, None, "yes"]}, "column 'buys' is missing in 1 row, first in row 199"),
            ({"buys": "yes"}, "column 'buys' is 'yes' in all rows; at least two classes are needed"),
            ({"buys": [*["yes", "no"] * 99, "no", "maybe"]}, "row 200: the only row of class 'maybe'"),
            ({"buys": [f"{row}!" for row in range(ROWS)]}, "is different in nearly every row; is it the right target"),
            ({"age": [*np.arange(199) / 2, "forty"]}, "column 'age', row 200: 'forty' is text among 199 numbers"),
            ({"age": [*np.arange(1, 199) / 2, "3,5", "1.234,5"]}, "column 'age', row 199: '3,5' is written unlike"),
            ({"age": [*np.arange(199) / 2, np.inf]}, "column 'age', row 200: inf is not finite"),
        ],
    )
    def test_invalid_columns_are_refused_with_their_row(self, change: dict[str, Any], message: str) -> None:
        assert message in refusal(frame().assign(**change))

    def test_infinite_and_constant_values_to_predict(self) -> None:
        assert "column 'spent', row 1: inf is not finite" in refusal(
            frame().assign(spent=[np.inf, *range(199)]), "spent"
        )
        assert "is the same in all rows, 3.5" in refusal(frame().assign(spent=3.5), "spent")

    def test_an_unknown_target_suggests_similar_names(self) -> None:
        assert refusal(frame(), "buy") == "data.target: no column 'buy'; did you mean buys?"

    def test_wrong_column_names_in_settings(self) -> None:
        assert "data.drop: no column 'citty'; did you mean city?" in refusal(frame(), drop=["citty"])

    @pytest.mark.parametrize("setting", ["drop", "keep", "categorical"])
    def test_the_target_is_no_input(self, setting: str) -> None:
        assert refusal(frame(), **{setting: ["buys"]}) == (
            f"data.{setting}: 'buys' is the target; leave it out of the list"
        )

    def test_cells_that_hold_more_than_one_value(self) -> None:
        frame().assign(age=[[1, 2]] * ROWS).to_parquet("rows.parquet")
        with pytest.raises(LabError, match="column 'age' holds ndarray; only numbers, text and dates are supported"):
            Part("data", "table", {"path": "rows.parquet", "target": "buys"}).build(seed=0).prepare()

    def test_a_table_without_input_columns(self) -> None:
        message = refusal(frame()[["note", "country", "buys"]])
        assert message.startswith("no input columns are left: note has a different text in every row; country")
