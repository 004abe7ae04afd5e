"""Forecasts as a table: of several targets, of several series, after gaps, in the format of their times."""

import numpy as np
import pandas as pd
import pytest

from lab.data.encodings import from_json
from lab.data.encodings.series import SeriesEncoding
from lab.data.reading.times import parts
from lab.errors import LabError
from lab.inference.model import following_times, forecasts


def test_each_series_continues_with_its_own_times() -> None:
    encoding = SeriesEncoding(("sales",), 2, 2, "day", "ffill", "store", "%d.%m.%Y", "1 days")
    raw = pd.DataFrame(
        {
            "day": ["03.01.2024", "01.01.2024", "31.12.2023", "30.12.2023"],
            "store": ["Oslo", "Oslo", "Moss", "Moss"],
            "sales": [3.0, 1.0, 20.0, 10.0],
        }
    )
    assert encoding.encode(raw).tolist() == [[[10, 20]], [[1, 3]]]  # the 2nd of January is filled
    found = forecasts(raw, np.array([[21, 22], [4, 5]], dtype=np.float32), encoding)
    assert found.to_dict("list") == {
        "store": ["Moss", "Moss", "Oslo", "Oslo"],
        "day": ["01.01.2024", "02.01.2024", "04.01.2024", "05.01.2024"],
        "prediction": [21, 22, 4, 5],
    }


def test_a_time_in_several_columns_continues_in_these_columns() -> None:
    rows = pd.DataFrame({"year": [2023.0, 2023.0, 2024.0], "quarter": [2, 4, 1], "sales": [1.0, 3.0, 4.0]})
    time = parts.of_columns(rows, ["year", "quarter"])
    encoding = SeriesEncoding(("sales",), 4, 2, time.name, "interpolate", step="3 months", parts=time)
    assert from_json(encoding.as_json()) == encoding
    assert encoding.encode(rows[::-1]).tolist() == [[[1, 2, 3, 4]]]  # the third quarter is filled
    found = forecasts(rows[::-1], np.array([[5, 6]], dtype=np.float32), encoding)
    assert found.to_dict("list") == {"year": [2024, 2024], "quarter": [2, 3], "prediction": [5, 6]}
    with pytest.raises(LabError, match="no column 'quarter' in the data"):
        encoding.encode(rows.drop(columns="quarter"))


def test_several_targets_and_rows_without_times() -> None:
    encoding = SeriesEncoding(("a", "b", "c"), 2, 2, "day")
    outputs = np.arange(4, dtype=np.float32)[None]  # two targets; c is a covariate
    found = forecasts(pd.DataFrame({"a": [1, 2], "b": [1, 2], "c": [1, 2]}), outputs, encoding)
    assert found.to_dict("list") == {"step": [1, 2], "prediction of a": [0, 1], "prediction of b": [2, 3]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["2023Q3", "2023Q4"], ["2024Q1", "2024Q2"]),
        (["Q1 2023", "Q3 2023", "Q4 2023"], ["Q1 2024", "Q2 2024"]),  # after a gap
        (["2023-W51", "2023-W52"], ["2024-W01", "2024-W02"]),
        (["01/30/23", "01/31/23"], ["02/01/23", "02/02/23"]),
        (["Dec 30, 2023", "Dec 31, 2023"], ["Jan 01, 2024", "Jan 02, 2024"]),
        (["01/01/2023 11:00 PM", "01/02/2023 12:00 AM", "01/02/2023 01:00 AM"], ["01/02/2023 02:00 AM"]),
        ([20231229, 20231230, 20231231], [20240101, 20240102]),
        ([1672531200, 1672534800, 1672538400], [1672542000, 1672545600]),
        (["2023-01-31", "2023-02-28", "2023-03-31", "2023-06-30", "2023-07-31"], ["2023-08-31", "2023-09-30"]),
        (["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"], ["2024-01-06", "2024-01-07"]),
    ],
)
def test_times_continue_as_they_are_written(given: list[object], expected: list[object]) -> None:
    assert following_times(pd.Series(given, name="when"), len(expected)) == expected
