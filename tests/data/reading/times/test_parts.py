"""Times in several columns: found, joined, and written again in these columns."""

import pandas as pd
import pytest

from lab.data.reading.times import columns, parts
from lab.data.reading.times.parts import JoinedTime
from lab.errors import LabError

HOURS = pd.date_range("2015-01-30", periods=80, freq="h")
QUARTERS = pd.date_range("1959-01-01", periods=80, freq="QS")
MONTHS = pd.date_range("1949-01-01", periods=80, freq="MS")
WEEKS = pd.date_range("2015-12-07", periods=80, freq="W-MON")  # 2015 has 53 weeks
FRENCH = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]
GERMAN = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "Sept.", "Oktober", "Nov.", "Dezember"]

CASES = {
    "numbers of quarters": (QUARTERS, {"year": QUARTERS.year * 1.0, "quarter": QUARTERS.quarter * 1.0}),
    "names of quarters": (QUARTERS, {"Year": QUARTERS.year, "Qtr": [f"Q{each}" for each in QUARTERS.quarter]}),
    "months": (MONTHS, {"month": MONTHS.month, "year": MONTHS.year}),
    "names of months": (MONTHS, {"year": MONTHS.year, "month": MONTHS.strftime("%B")}),
    "French months": (MONTHS, {"année": MONTHS.year, "mois": [FRENCH[each - 1] for each in MONTHS.month]}),
    "German months": (MONTHS, {"Jahr": MONTHS.year, "Monat": [GERMAN[each - 1] for each in MONTHS.month]}),
    "ISO weeks": (WEEKS, {"year": WEEKS.isocalendar().year.array, "week": WEEKS.isocalendar().week.array}),
    "days": (HOURS[::24], {"year": HOURS[::24].year, "month": HOURS[::24].month, "day": HOURS[::24].day}),
    "hours": (HOURS, {"date": HOURS.strftime("%d.%m.%Y"), "hour": HOURS.hour}),
    "hours from 1 to 24": (HOURS, {"date": HOURS.strftime("%Y-%m-%d"), "hr": HOURS.hour + 1}),
    "dates in memory": (HOURS, {"date": HOURS.normalize(), "hour": HOURS.hour}),
    "times of day": (HOURS, {"Date": HOURS.strftime("%d/%m/%Y"), "Time": HOURS.strftime("%H.%M.%S")}),
    "all apart": (
        HOURS,
        {"No": range(80), "year": HOURS.year, "month": HOURS.month, "day": HOURS.day, "hour": HOURS.hour},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_parts_are_found_joined_and_written_as_they_were(case: str) -> None:
    times, cells = CASES[case]
    frame = pd.DataFrame({**cells, "y": 1.0})
    found = parts.find(frame)
    assert found is not None
    assert set(found) == set(cells) - {"No"}
    for time in (parts.of_columns(frame, found), parts.of_columns(frame, found[::-1])):
        assert time.joined(frame)[time.name].tolist() == times.tolist()
        again = time.taken_apart(times, frame)
        assert {name: again[name] for name in found} == {name: frame[name].tolist() for name in found}
        assert JoinedTime.from_json(time.as_json()) == time


@pytest.mark.parametrize(
    "cells",
    [
        {"year": range(2000, 2008), "grade": [1, 2, 3, 4] * 2},  # no quarter by its name
        {"year": range(2000, 2008), "quarter": [1, 2, 3, 5] * 2},  # nor by its values
        {"year": range(2000, 2008), "quarter": [True, False] * 4},
        {"year": range(2000, 2008), "quarter": [None] * 8},
        {"year": range(2000, 2008), "quarter": [[1], [2]] * 4},
        {"year": range(2000, 2008), "quarter": [3] * 8},  # one value says nothing
        {"quarter": [1, 2, 3, 4] * 2, "y": range(8)},
        {"day": [1, 2, 3, 4] * 2, "hour": range(8)},
    ],
)
def test_other_columns_are_no_parts(cells: dict[str, object]) -> None:
    assert parts.find(pd.DataFrame(cells)) is None


def test_a_column_that_is_a_time_by_itself_is_taken_alone() -> None:
    frame = pd.DataFrame({"date": QUARTERS, "year": QUARTERS.year, "quarter": QUARTERS.quarter})
    assert columns.find(frame) == "date"
    assert columns.find(frame.drop(columns="date")) == ["year", "quarter"]


def test_the_name_decides_where_the_values_leave_it_open() -> None:
    frame = pd.DataFrame({"jr": [2020, 2020, 2020, 2020], "month": [1, 2, 3, 4], "k": [1, 2, 3, 4]})
    assert parts.of_columns(frame, ["jr", "month"]).joined(frame)["jr, month"].dt.month.tolist() == [1, 2, 3, 4]
    assert parts.of_columns(frame, ["jr", "k"]).joined(frame)["jr, k"].dt.month.tolist() == [1, 4, 7, 10]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"year": [2020, 2021], "quarter": [1, 5]}, "column 'quarter', row 2: 5 is no quarter from 1 to 4"),
        ({"year": [2020, 20], "quarter": [1, 2]}, "column 'year', row 2: 20 is no year from 1500 to 2200"),
        ({"year": ["2020", "x"], "quarter": [1, 2]}, "column 'year', row 2: 'x' is not a number"),
    ],
)
def test_new_cells_that_are_no_such_part_are_refused_with_their_row(
    rows: dict[str, list[object]], message: str
) -> None:
    _, cells = CASES["numbers of quarters"]
    time = parts.of_columns(pd.DataFrame(cells), ["year", "quarter"])
    with pytest.raises(LabError, match=message):
        time.joined(pd.DataFrame(rows))


def test_days_that_do_not_exist_and_columns_that_are_no_time_are_refused() -> None:
    rows = pd.DataFrame({"year": [2021, 2021], "month": [2, 2], "day": [28, 29]})
    time = parts.of_columns(rows, ["year", "month", "day"])
    with pytest.raises(LabError, match=r"column 'year, month, day', row 2: '2021-2-29' is no date; correct it"):
        time.joined(rows)
    with pytest.raises(
        LabError, match=r"data\.time: month, day are no time together; name one column, or those of a year"
    ):
        parts.of_columns(rows, ["month", "day"])
