"""Encoding of time series: the last window of a table, and arrays of windows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.data.encodings import from_json
from lab.data.encodings.series import SeriesEncoding, series_values
from lab.errors import LabError

ENCODING = SeriesEncoding(("sales", "price"), window=3, horizon=2, time="day")
ROWS = pd.DataFrame(
    {
        "price": [1.0, 2.0, 3.0, 4.0],
        "day": pd.date_range("2024-01-01", periods=4),
        "sales": [10, 20, 30, 40],
    }
)


def error(encoding: SeriesEncoding, raw: object) -> str:
    with pytest.raises(LabError) as caught:
        encoding.encode(raw)
    return str(caught.value)


def test_the_last_rows_of_a_table_are_one_window() -> None:
    encoded = ENCODING.encode(ROWS)
    assert (encoded.shape, encoded.dtype) == ((1, 2, 3), np.float32)
    assert encoded.tolist() == [[[20, 30, 40], [2, 3, 4]]]
    assert ENCODING.encode(ROWS.tail(3)).tolist() == encoded.tolist()


def test_an_array_of_windows_is_taken_unchanged() -> None:
    windows = np.arange(12).reshape(2, 2, 3)
    encoded = ENCODING.encode(windows)
    assert encoded.dtype == np.float32
    assert np.array_equal(encoded, windows)
    assert ENCODING.encode(windows.tolist()).tolist() == windows.tolist()
    assert error(ENCODING, windows[:, :1]) == "windows (N, 2, 3) of numbers are expected, not (2, 1, 3)"
    assert "of numbers are expected" in error(ENCODING, windows.astype(str))


def test_too_few_rows_and_missing_columns_are_refused() -> None:
    assert error(ENCODING, ROWS.tail(2)) == "2 rows are too few; a forecast needs the last 3 steps"
    assert error(ENCODING, ROWS.rename(columns={"sales": "sale"})) == (
        "no column 'sales' in the data; did you mean sale?"
    )
    with pytest.raises(LabError) as caught:
        ENCODING.encode(ROWS[["day"]])
    assert len(caught.value.lines) == 2


def test_times_are_checked_if_the_table_has_them() -> None:
    assert ENCODING.encode(ROWS[::-1]).tolist() == ENCODING.encode(ROWS).tolist()
    assert "is the same time as" in error(ENCODING, pd.concat([ROWS, ROWS]))
    gap = pd.concat([ROWS, ROWS.assign(day=ROWS["day"] + pd.Timedelta(days=9))])
    assert "follows a gap" in error(ENCODING, gap)
    ignoring = SeriesEncoding(("sales", "price"), 3, 2, time="day", gaps="ignore")
    assert ignoring.encode(gap).tolist() == [[[20, 30, 40], [2, 3, 4]]]
    assert ENCODING.encode(ROWS[::-1].drop(columns="day")).tolist() == [[[30, 20, 10], [3, 2, 1]]]


def test_values_must_be_present_numbers() -> None:
    assert "column 'sales', row 2: nan is missing; a series needs a value at every step" in error(
        ENCODING, ROWS.assign(sales=[1, None, 2, 3])
    )
    assert "column 'price', row 1: 'a' is not a number" in error(ENCODING, ROWS.assign(price=["a", "1", "2", "3"]))
    assert series_values(ROWS, ("price", "sales")).tolist() == [[1, 2, 3, 4], [10, 20, 30, 40]]


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ("interpolate", [[10, 20, 30], [5, 5, 7]]),
        ("ffill", [[10, 10, 30], [5, 5, 7]]),
        ("mask", [[10, 10, 30], [5, 5, 7], [1, 1, 0]]),
    ],
)
def test_missing_values_are_filled_from_the_first_row_on(gaps: Any, expected: list[list[float]]) -> None:
    encoding = SeriesEncoding(("sales", "price"), window=3, horizon=2, gaps=gaps)
    rows = pd.DataFrame({"sales": [10, None, 30], "price": [None, 5, 7]})
    assert encoding.encode(rows).tolist() == [expected]
    assert encoding.encode(np.array([expected])).tolist() == [expected]
    assert error(encoding, rows.assign(price=None)) == "column 'price' has no value in any row"


def test_a_time_that_is_the_index_too_is_read_from_its_column() -> None:
    assert ENCODING.encode(ROWS.set_index("day", drop=False)).tolist() == ENCODING.encode(ROWS).tolist()


class TestKnownAhead:
    ENCODING = SeriesEncoding(("sales", "offer"), window=3, horizon=2, time="day", known_ahead=("offer",), targets=1)
    ROWS = pd.DataFrame(
        {
            "day": pd.date_range("2024-01-01", periods=7),
            "sales": [10, 20, 30, 40, None, None, None],
            "offer": [1, 2, 3, 4, 5, 6, 7],
        }
    )

    def test_what_is_known_of_the_next_steps_is_a_channel_of_its_own(self) -> None:
        expected = [[[20, 30, 40], [2, 3, 4], [4, 5, 6]]]
        for rows in (self.ROWS, self.ROWS.head(6), self.ROWS.drop(columns="day")):
            assert self.ENCODING.encode(rows).tolist() == expected
        assert self.ENCODING.channels == ["sales", "offer", "offer, 2 steps ahead"]

    def test_steps_of_which_nothing_is_known_are_counted(self) -> None:
        message = (
            "a forecast needs offer for the next 2 steps, in rows after day 2024-01-04 in which sales are empty; "
            "{} are missing"
        )
        assert error(self.ENCODING, self.ROWS.head(4)) == message.format(2)
        assert error(self.ENCODING, self.ROWS.head(5)) == message.format(1)
        filling = replace(self.ENCODING, gaps="ffill")
        assert error(filling, self.ROWS.drop(4)) == message.format(1)  # the rows go on after a gap
        assert error(self.ENCODING, self.ROWS.assign(sales=None)) == "sales: no row has a value"


def test_it_is_restored_from_json() -> None:
    encoding = SeriesEncoding(("sales",), 3, 2, "day", "mask", "store", "%d.%m.%Y", "1 days")
    assert encoding.as_json()["columns"] == ["sales"]
    assert from_json(encoding.as_json()) == encoding
    assert from_json(SeriesEncoding(("a",), 1, 1).as_json()) == SeriesEncoding(("a",), 1, 1)


def test_encodings_of_version_0_1_said_whether_gaps_are_ignored() -> None:
    old = {"kind": "series", "columns": ["a"], "window": 3, "horizon": 2, "time": "day"}
    assert from_json(old | {"gaps": True}) == SeriesEncoding(("a",), 3, 2, "day", "ignore")
    assert from_json(old | {"gaps": False}) == SeriesEncoding(("a",), 3, 2, "day", "refuse")
