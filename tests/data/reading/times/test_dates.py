"""Dates: every usual way of writing them, day or month first, and what is no date."""

from typing import Any

import pandas as pd
import pytest

from lab.data.reading.times import dates
from lab.data.reading.times.date_formats import Format, infer
from lab.errors import LabError

DAYS = pd.date_range("2023-01-30", periods=4)
FIRST_OF_MONTH = pd.date_range("2012-01-01", periods=15, freq="MS")


def column(values: Any) -> pd.Series:
    return pd.Series(list(values), name="when")


def notes(values: Any) -> list[str]:
    found = infer(column(values))
    assert found is not None
    return list(found.notes())


@pytest.mark.parametrize(
    "format",
    [
        *("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%Y%m%d", "%d.%m.%y", "%m/%d/%y"),
        *("%d %B %Y", "%b %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%d%b%Y", "%A, %B %d, %Y", "%d. %B %Y", "%Y-%b-%d"),
        *("%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%d/%b/%Y:%H:%M:%S"),
        *("%G-W%V-%u", "%m/%d/%Y %H:%M:%S.%f", "%Y%m%d%H%M%S", "%a, %d %b %Y %H:%M:%S GMT"),
    ],
)
def test_days_are_read_and_written_in_the_usual_formats(format: str) -> None:
    written = column(DAYS.strftime(format))
    found = infer(written)
    assert found is not None
    assert dates.parse(written, found.text).tolist() == DAYS.tolist()
    assert dates.write(DAYS, found.text, written[0]) == written.tolist()


@pytest.mark.parametrize(
    ("texts", "first", "second"),
    [
        (["2023-01", "2023-02"], "2023-01-01", "2023-02-01"),
        (["Jan 2023", "Feb 2023"], "2023-01-01", "2023-02-01"),
        (["Jan-23", "Feb-23"], "2023-01-01", "2023-02-01"),
        (["12/2022", "01/2023"], "2022-12-01", "2023-01-01"),
        (["2023Q1", "2023Q2"], "2023-01-01", "2023-04-01"),
        (["2023-Q4", "2024-Q1"], "2023-10-01", "2024-01-01"),
        (["Q3 2023", "Q4 2023"], "2023-07-01", "2023-10-01"),
        (["2020-W53", "2021-W01"], "2020-12-28", "2021-01-04"),  # as in Python's date.fromisocalendar
    ],
)
def test_months_quarters_and_weeks_are_their_first_day(texts: list[str], first: str, second: str) -> None:
    found = infer(column(texts))
    assert found is not None
    times = dates.parse(column(texts), found.text)
    assert times.tolist() == [pd.Timestamp(first), pd.Timestamp(second)]
    assert dates.write(pd.DatetimeIndex(times), found.text, texts[0]) == texts


@pytest.mark.parametrize(("unit", "factor"), [("seconds", 1), ("milliseconds", 1_000)])
@pytest.mark.parametrize("as_text", [False, True])
def test_unix_time(unit: str, factor: int, as_text: bool) -> None:
    values = column([(1_672_531_200 + 3_600 * hour) * factor for hour in (0, 2, 1)])
    values = values.astype(str) if as_text else values
    found = infer(values)
    assert found is not None
    assert list(found.notes()) == [f"is read as Unix time in {unit}, UTC"]
    assert dates.parse(values, found.text).dt.hour.tolist() == [0, 2, 1]
    assert dates.parse(values, found.text)[0] == pd.Timestamp("2023-01-01")


def test_digits_alone_may_be_numbers_or_texts_and_have_gaps() -> None:
    for values in ([20230131, 20230228, 20230331], [20230131.0, 20230228.0, None, 20230331.0]):
        found = infer(column(values))
        assert found == Format("%Y%m%d")
        assert dates.parse(column(values), found.text).dropna().dt.day.tolist() == [31, 28, 31]


@pytest.mark.parametrize(
    "values",
    [
        *([1, 2, 3], [2021, 2022, 2023], [200_001, 200_002, 200_003], [20_230_131, 20_230_230, 20_230_301]),
        *([20_230_131], [2_025_550_123, 2_125_550_125, 2_025_550_199], [1_500_000_001, 1_500_000_002, 1_500_000_003]),
        *([0.5, 1.5], [True, False], ["hello 12"], ["12 apples"], ["192.168.0.1"], ["10:30"], ["a-1"], ["Mayor 12"]),
        *(["555-1234"], ["2023-13-01"], ["31.11.2023"], ["2023-Q5"], ["2023-W54"], ["01.01.2023", "soon"], [None]),
        ["13/01/2023", "01/13/2023"],  # both orders in one column
    ],
)
def test_other_values_are_no_dates(values: list[Any]) -> None:
    assert infer(column(values)) is None


def test_a_column_may_mix_formats() -> None:
    values = column(["01.02.2023", "2023-02-02", "03.02.2023", None])
    found = infer(values)
    assert found == Format("%d.%m.%Y | ISO8601")
    assert list(found.notes()) == ["has dates in several formats: %d.%m.%Y | ISO8601"]
    assert dates.parse(values, found.text).dt.strftime("%m-%d").tolist()[:3] == ["02-01", "02-02", "02-03"]


def test_time_zones_are_converted_to_utc_and_said() -> None:
    for values in (["2023-01-01T12:00:00+02:00", "2023-01-01T10:00:00Z"], ["01.01.2023 12:00 +0200"]):
        found = infer(column(values))
        assert found is not None
        assert list(found.notes()) == ["has times with a time zone, converted to UTC"]
        assert set(dates.parse(column(values), found.text)) == {pd.Timestamp("2023-01-01 10:00")}


class TestDayOrMonthFirst:
    def test_one_cell_of_a_thousand_proves_it(self) -> None:
        for proof, format in (("25/01/2023", "%d/%m/%Y"), ("01/25/2023", "%m/%d/%Y")):
            found = infer(column([f"{1 + n % 12:02}/{1 + n % 7:02}/2023" for n in range(1_000)] + [proof]))
            assert found == Format(format)

    def test_else_the_order_of_the_rows_decides_and_is_said(self) -> None:
        days = column(f"{day:02}/{month:02}/2012" for month in range(1, 13) for day in range(1, 13))
        assert notes(days) == [
            "is read day first, as then the rows are in order of time; else set data.date_format: '%m/%d/%Y'"
        ]

    def test_else_equal_steps_decide(self) -> None:
        for format, other in (("%d/%m/%Y", "%m/%d/%Y"), ("%m/%d/%Y", "%d/%m/%Y")):
            found = infer(column(FIRST_OF_MONTH.strftime(format)))
            assert (found and (found.text, found.other, found.reason)) == (format, other, "even")

    def test_else_the_month_is_first_and_that_is_said(self) -> None:
        assert notes(["01/02/2012", "03/04/2013", "01/02/2010"]) == [
            "is read month first, as no cell shows which it is; else set data.date_format: '%d/%m/%Y'"
        ]

    def test_nothing_is_said_where_both_readings_agree(self) -> None:
        assert notes(["01/01/2012", "02/02/2012"]) == []


def test_years_of_two_digits_are_said() -> None:
    assert notes(["31.12.68", "31.12.69"]) == ["has years of two digits, read as 1969 to 2068"]
    assert dates.parse(column(["31.12.68", "31.12.69"]), "%d.%m.%y").dt.year.tolist() == [2068, 1969]


def test_the_year_comes_first_only_where_nothing_else_fits() -> None:
    assert infer(column(["30/12/23", "31/12/23", "01/01/24"])) == Format("%d/%m/%y")
    assert infer(column(["97-12-31", "98-01-01"])) == Format("%y-%m-%d")


def test_a_cell_that_is_no_date_is_refused_with_its_row() -> None:
    for format, like in (("%d.%m.%Y", "31.12.2024"), (None, "2024-12-31"), ("quarter", "2024Q4"), ("week", "2025-W01")):
        with pytest.raises(LabError) as caught:
            dates.parse(column([None, "soon", "never"]), format)
        assert str(caught.value) == (
            f"column 'when', row 2: 'soon' is not a date such as {like} (and 1 more); "
            "correct it or leave the cell empty"
        )


def test_a_chosen_format_is_checked() -> None:
    for format in ("%d/%m/%Y", "quarter", "ISO8601", "%d.%m.%Y | ISO8601"):
        assert dates.check(format) == format
    with pytest.raises(LabError, match=r"data\.date_format: 'dd/mm' is not a format of dates; write one such as"):
        dates.check("dd/mm")


def test_a_year_of_two_digits_is_in_front_where_else_there_were_more_years_than_days() -> None:
    days = pd.date_range("2021-03-05", periods=90, freq="9D")
    found = infer(column(days.strftime("%y-%m-%d")))
    assert found is not None
    assert (found.text, found.other) == ("%y-%m-%d", "%d-%m-%y")
    assert any("is read year first, as else there would be more years than days" in note for note in found.notes())
    found = infer(column(days.strftime("%d-%m-%y")))
    assert found is not None
    assert found.text == "%d-%m-%y"


SOME_DAYS = pd.date_range("2023-01-17", periods=24, freq="23D")
MONTH_NAMES = {
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "cut de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "cut fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
}


@pytest.mark.parametrize(
    ("names", "written", "format"),
    [
        ("de", "{0.day}. {1} {0.year}", "German: %d. %B %Y"),
        ("de", "{1} {0.year}", "German: %B %Y"),
        ("fr", "{0.day} {1} {0.year}", "French: %d %B %Y"),
        ("cut fr", "{0.day} {1} {0.year}", "French: %d %b %Y"),
        ("cut de", "{0.day:02}-{1}-{0.year} 12:30", "German: %d-%b-%Y %H:%M"),
    ],
)
def test_months_may_be_named_in_german_and_french(names: str, written: str, format: str) -> None:
    cells = pd.Series([written.format(day, MONTH_NAMES[names].split()[day.month - 1]) for day in SOME_DAYS])
    found = infer(cells)
    assert found is not None
    assert found.text == format
    expected = [day if "%d" in format else day.replace(day=1) for day in SOME_DAYS]
    moments = dates.read(cells, found.text)
    assert moments.dt.normalize().tolist() == expected
    again = dates.write(pd.DatetimeIndex(moments), found.text, cells[0])
    assert [text.lstrip("0") for text in again] == [cell.lstrip("0") for cell in cells]
    assert dates.check(format) == format


def test_english_months_are_read_as_before() -> None:
    for cells, format in ((SOME_DAYS.strftime("%d %B %Y"), "%d %B %Y"), (SOME_DAYS.strftime("%b %d, %Y"), "%b %d, %Y")):
        found = infer(pd.Series(cells))
        assert found is not None
        assert found.text == format
