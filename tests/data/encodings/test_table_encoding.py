"""Encoding of tables: every column type, value by value."""

import numpy as np
import pandas as pd
import pytest

from lab.data.encodings import from_json
from lab.data.encodings.table import Category, Date, Number, TableEncoding, dates
from lab.errors import LabError


def encoded(column: Number | Category | Date, *values: object) -> np.ndarray:
    out = TableEncoding((column,)).encode(pd.DataFrame({column.name: list(values)}))
    assert out.dtype == np.float32
    return out


def error(column: Number | Category | Date, *values: object) -> str:
    with pytest.raises(LabError) as caught:
        encoded(column, *values)
    return str(caught.value)


class TestNumber:
    def test_missing_values_are_filled_and_marked(self) -> None:
        column = Number("age", fill=2.5, indicator=True)
        assert column.names() == ["age", "age missing"]
        assert encoded(column, 1.0, None, 4.0).tolist() == [[1, 0], [2.5, 1], [4, 0]]

    def test_without_an_indicator_they_are_filled_only(self) -> None:
        column = Number("age", fill=2.5, indicator=False)
        assert column.names() == ["age"]
        assert encoded(column, 1.0, None).tolist() == [[1], [2.5]]

    def test_text_and_booleans_become_numbers(self) -> None:
        assert encoded(Number("age", 0, False), "1.5", "?", " 3").tolist() == [[1.5], [0], [3]]
        assert encoded(Number("age", 0, False), True, False).tolist() == [[1], [0]]

    def test_errors_name_the_first_row_and_count_the_others(self) -> None:
        column = Number("age", 0, False)
        assert error(column, "1", "x") == "column 'age', row 2: 'x' is not a number; correct it or leave the cell empty"
        assert "row 1: 'y' is not a number (and 2 more); " in error(column, "y", "z", "x", "1")
        assert "row 3: inf is not finite; leave the cell empty if" in error(column, 1.0, 2.0, np.inf)
        assert "row 1: -inf is not finite" in error(column, -np.inf)
        assert error(column, pd.Timestamp("2024-01-01")) == "column 'age' holds dates, but numbers are expected"


class TestCategory:
    def test_one_hot(self) -> None:
        column = Category("city", ("Oslo", "Rome"), (0.75, 0.25), embedded=False)
        assert column.names() == ["city = Oslo", "city = Rome"]
        assert encoded(column, "Rome", " Oslo ", "Lima", None).tolist() == [[0, 1], [1, 0], [0.75, 0.25], [0.75, 0.25]]

    def test_a_missing_value_may_be_a_category(self) -> None:
        column = Category("city", ("Oslo", None, "Rome"), (0.5, 0.25, 0.25), embedded=False)
        assert column.names() == ["city = Oslo", "city missing", "city = Rome"]
        assert encoded(column, "Rome", None, "", "Lima").tolist() == [
            [0, 0, 1],
            [0, 1, 0],
            [0, 1, 0],
            [0.5, 0.25, 0.25],
        ]

    def test_embedded_categories_become_codes_and_unknown_ones_the_next_code(self) -> None:
        column = Category("city", (None, "Oslo", "Rome"), (0.2, 0.4, 0.4), embedded=True)
        assert column.names() == ["city"]
        assert encoded(column, "Oslo", "Rome", None, "Lima").tolist() == [[1], [2], [0], [3]]
        assert TableEncoding((column,)).embedded() == {0: 3}

    def test_numbers_match_categories_that_are_numbers_only(self) -> None:
        column = Category("code", ("1", "2"), (0.5, 0.5), embedded=True)
        assert encoded(column, 2, 1, 3).tolist() == [[1], [0], [2]]
        assert encoded(column, 2.0, None, 1.0).tolist() == [[1], [2], [0]]
        words = Category("city", ("Oslo",), (1.0,), embedded=True)
        assert (
            error(words, 1, 2) == "column 'city' holds numbers, but names such as 'Oslo' are expected; give it as text"
        )
        missing_only = Category("city", (None,), (1.0,), embedded=True)
        assert encoded(missing_only, 1).tolist() == [[1]]
        assert len(TableEncoding((words,)).encode(pd.DataFrame({"city": pd.Series([], dtype=float)}))) == 0
        mixed = Category("code", ("1", "Oslo"), (0.5, 0.5), embedded=True)
        assert encoded(mixed, 1, 2).tolist() == [[0], [2]]


class TestDate:
    COLUMN = Date("day", None, "2024-01-01", fill=7.0, indicator=True, hours=True)

    def test_names(self) -> None:
        assert self.COLUMN.names() == [
            "day days",
            "day season sine",
            "day season cosine",
            "day weekday sine",
            "day weekday cosine",
            "day hour sine",
            "day hour cosine",
            "day missing",
        ]
        plain = Date("day", None, "2024-01-01", 0.0, indicator=False, hours=False)
        assert plain.names() == self.COLUMN.names()[:5]

    def test_days_and_cycles(self) -> None:
        (row,) = encoded(self.COLUMN, "2024-02-07T18:30")  # a Wednesday
        season, weekday, hour = (2 * np.pi * part for part in (38 / 365.25, 2 / 7, 18.5 / 24))
        expected = [37 + 18.5 / 24, *(wave(x) for x in (season, weekday, hour) for wave in (np.sin, np.cos)), 0]
        np.testing.assert_allclose(row, expected, atol=1e-6)

    def test_a_missing_date_is_filled_and_marked(self) -> None:
        assert encoded(self.COLUMN, "2024-01-01", None)[1].tolist() == [7, 0, 0, 0, 0, 0, 0, 1]

    def test_without_hours_and_indicator(self) -> None:
        column = Date("day", "%d.%m.%Y", "2024-01-01", 7.0, indicator=False, hours=False)
        (row,) = encoded(column, "03.01.2024")
        assert len(row) == 5
        assert row[0] == 2

    def test_errors_show_the_format(self) -> None:
        column = Date("day", "%d.%m.%Y", "2024-01-01", 7.0, False, False)
        assert "row 2: '2024-01-03' is not a date such as 31.12.2024" in error(column, "03.01.2024", "2024-01-03")
        assert "row 1: 'soon' is not a date such as 2024-12-31" in error(self.COLUMN, "soon")


class TestTable:
    ENCODING = TableEncoding(
        (
            Number("age", 2.0, True),
            Category("shop", ("a", "b", "c"), (0.5, 0.3, 0.2), True),
            Category("city", ("Oslo", "Rome"), (0.75, 0.25), False),
            Category("area", ("x", "y"), (0.5, 0.5), True),
            Date("day", None, "2024-01-01", 0.0, False, False),
        )
    )
    ROWS = pd.DataFrame(
        {"day": ["2024-01-02"], "other": [1], "area": ["y"], "city": ["Rome"], "shop": ["c"], "age": [None]}
    )

    def test_columns_are_encoded_side_by_side_in_the_order_of_training(self) -> None:
        assert self.ENCODING.names()[:6] == ["age", "age missing", "shop", "city = Oslo", "city = Rome", "area"]
        (row,) = self.ENCODING.encode(self.ROWS)
        assert row[:7].tolist() == [2, 1, 2, 0, 1, 1, 1]
        assert len(row) == len(self.ENCODING.names()) == 11

    def test_embedded_columns_are_given_by_their_encoded_index(self) -> None:
        assert self.ENCODING.embedded() == {2: 3, 5: 2}

    def test_it_is_restored_from_json(self) -> None:
        assert from_json(self.ENCODING.as_json()) == self.ENCODING
        with pytest.raises(
            LabError, match=r"encoding.json: no such kind 'tables'; known: array, table, image, text, series, sequence"
        ):
            from_json({"kind": "tables"})

    def test_all_missing_columns_are_reported(self) -> None:
        with pytest.raises(LabError) as caught:
            self.ENCODING.encode(self.ROWS.rename(columns={"age": "aeg"}).drop(columns="city"))
        assert caught.value.lines[0] == "no column 'age' in the data; did you mean aeg?"
        assert len(caught.value.lines) == 2


class TestCells:
    def test_dates_of_time_zones_are_in_utc(self) -> None:
        zoned = pd.Series(pd.to_datetime(["2024-01-01T12:00+02:00"]))
        assert dates(zoned, None).tolist() == [pd.Timestamp("2024-01-01T10:00")]
        naive = pd.Series(pd.to_datetime(["2024-01-01"]))
        assert dates(naive, None).tolist() == [pd.Timestamp("2024-01-01")]

    def test_names_of_columns_may_be_numbers_and_must_be_unique(self) -> None:
        encoding = TableEncoding((Number("0", 0, False),))
        assert encoding.encode(pd.DataFrame([[1.5], [2.5]])).tolist() == [[1.5], [2.5]]
        with pytest.raises(LabError, match="several columns are called '0'"):
            encoding.encode(pd.DataFrame([[1, 2]], columns=["0", "0"]))

    @pytest.mark.parametrize("cell", [[1.5], {"x": 1}])
    def test_cells_of_several_values_are_refused_with_their_row(self, cell: object) -> None:
        for column in (Number("x", 0, False), Category("x", ("a", "b"), (0.5, 0.5), False)):
            with pytest.raises(LabError, match=r"column 'x', row 2: .* is not a single value"):
                TableEncoding((column,)).encode(pd.DataFrame({"x": ["1" if column.kind == "number" else "a", cell]}))
