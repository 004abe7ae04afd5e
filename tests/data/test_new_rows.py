"""The same row is encoded to the same numbers, alone or among others, from any format."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lab.config.sections import Part
from lab.data.encodings.table import TableEncoding
from lab.data.reading.settings import Reading
from lab.data.reading.table_files import read, read_rows, read_steps
from lab.data.table import Table
from lab.data.time_series.series import Series

ROWS = 60
TABLES = 200
Random = np.random.Generator


def money(random: Random) -> list[str]:
    return [f"${value:,.2f}" for value in random.uniform(1, 9_999, ROWS)]


def european(random: Random) -> list[str]:
    values = [f"{value:,.2f}" for value in random.uniform(500, 99_999, ROWS)]
    return [value.replace(",", " ").replace(".", ",").replace(" ", ".") for value in values]


def days(random: Random) -> list[str]:
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, ROWS), "D")
    return list(days.strftime(str(random.choice(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%y", "%d %B %Y", "%Y%m%d"]))))


def of(*values: str) -> Callable[[Random], list[str]]:
    return lambda random: [str(value) for value in random.choice(values, ROWS)]


COLUMNS: dict[str, Callable[[Random], list[str]]] = {
    "plain": lambda random: [f"{value:.3g}" for value in random.normal(0, 100, ROWS)],
    "whole": lambda random: [str(value) for value in random.integers(-5, 1_000, ROWS)],
    "large": lambda random: [str(value) for value in random.integers(10**8, 10**12, ROWS)],
    "yes": of("true", "false"),
    "code": of("001", "002", "010", "100"),
    "mixed": of("001", "A01", "7", "true"),
    "words": of("Oslo", "São Paulo", "None", "north-west", "1.5x"),
    "versions": of("1.10", "1.1", "2.0", "2"),
    "percent": lambda random: [f"{value} %" for value in random.integers(0, 100, ROWS)],
    "money": money,
    "european": european,
    "days": days,
    "weight": lambda random: [f"{value:.1f} kg" for value in random.uniform(40, 99, ROWS)],
}


def written(random: Random) -> pd.DataFrame:
    """A random table as texts, with missing cells."""
    chosen = random.choice(list(COLUMNS), random.integers(2, 8), replace=False)
    table = pd.DataFrame({name: COLUMNS[name](random) for name in chosen})
    missing = random.random(table.shape) < random.choice([0.0, 0.1])
    return table.mask(missing, str(random.choice(["", "NA", "?"])))


def forms(rows: pd.DataFrame, encoding: TableEncoding) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows as a person may give them: files, frames of texts and of types, JSON."""
    rows.to_csv("new.csv", index=False)
    yield "CSV", read_rows("new.csv", encoding)
    rows.to_csv("new.tsv", index=False, sep="\t")
    yield "TSV", read_rows("new.tsv", encoding)
    yield "texts", rows
    yield "JSON of texts", pd.DataFrame(json.loads(rows.to_json(orient="records")))
    rows.to_parquet("texts.parquet")
    yield "Parquet of texts", read_rows("texts.parquet", encoding)


def typed_forms(typed: pd.DataFrame, encoding: TableEncoding) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows with the types that the columns have in memory."""
    yield "frame", typed
    typed.to_parquet("typed.parquet")
    yield "Parquet", read_rows("typed.parquet", encoding)
    yield "JSON", pd.DataFrame(json.loads(typed.to_json(orient="records", date_format="iso", double_precision=15)))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def trained(table: pd.DataFrame) -> Table:
    table.assign(y=["a", "b"] * (ROWS // 2)).to_csv("rows.csv", index=False)
    made: Table = Part("data", "table", {"path": "rows.csv", "target": "y", "batch_size": 8}).build(seed=0)
    made.prepare()
    return made


@pytest.mark.parametrize("part", range(4))
def test_a_row_is_encoded_alike_alone_or_among_others_in_any_order_and_format(part: int) -> None:
    for seed in range(part, TABLES, 4):
        random = np.random.default_rng(seed)
        table = written(random)
        encoding = trained(table).encoding
        expected = encoding.encode(read_rows("rows.csv", encoding))
        typed = read("rows.csv", Reading()).frame.drop(columns="y")
        order = random.permutation(ROWS)
        assert np.array_equal(encoding.encode(table.iloc[order]), expected[order]), seed
        chosen = order[: random.choice([1, 7])]
        for form, rows in forms(table.iloc[chosen].reset_index(drop=True), encoding):
            assert np.array_equal(encoding.encode(rows), expected[chosen]), (seed, form)
        for form, rows in typed_forms(typed.iloc[chosen].reset_index(drop=True), encoding):
            assert np.allclose(encoding.encode(rows), expected[chosen], rtol=1e-6), (seed, form)


class TestTextEncoding:
    """New rows from the program that wrote the training data, or from another one."""

    @pytest.mark.parametrize("text_encoding", ["cp1252", "utf-8", "utf-16"])
    def test_rows_are_read_in_that_of_the_training_data_or_in_unicode(self, text_encoding: str) -> None:
        table = pd.DataFrame({"Größe": ["1,5 €", "2,5 €"] * 30, "Ort": ["Köln", "Bonn"] * 30, "y": [0, 1] * 30})
        table.to_csv("rows.csv", index=False, sep=";", encoding="cp1252")
        data = Table("rows.csv", "y", text_encoding="cp1252", batch_size=8)
        data.prepare()
        encoding = TableEncoding.from_json(json.loads(json.dumps(data.encoding.as_json())))
        table.to_csv("new.csv", index=False, sep=";", encoding=text_encoding)
        assert np.array_equal(encoding.encode(read_rows("new.csv", encoding)), encoding.encode(table))

    @pytest.mark.parametrize("text_encoding", ["cp1252", "utf-8"])
    def test_steps_of_a_series_too(self, text_encoding: str) -> None:
        days = pd.date_range("2024-01-01", periods=90).astype(str)
        table = pd.DataFrame({"Tag": days, "Erträge": np.arange(90.0)})
        table.to_csv("rows.csv", index=False, encoding="cp1252")
        data = Series("rows.csv", window=6, horizon=2, text_encoding="cp1252")
        data.prepare()
        table.to_csv("new.csv", index=False, encoding=text_encoding)
        assert read_steps("new.csv", data.encoding)["Erträge"].tolist() == list(range(90))
