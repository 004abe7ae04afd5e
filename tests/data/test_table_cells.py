"""What a table makes of odd cells: read as they are meant, or refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.config.sections import Part
from lab.data.table import Table
from lab.errors import LabError

ROWS = 90


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cells(*values: object) -> list[object]:
    return [values[row % len(values)] for row in range(ROWS)]


def prices(sign: str = "") -> list[str]:
    return [f"{sign}{value:,.2f}" for value in np.random.default_rng(0).uniform(1, 9_999, ROWS)]


def days(format: str) -> list[str]:
    return list(pd.date_range("2021-03-05", periods=ROWS, freq="9D").strftime(format))


def table(path: str = "rows.csv", target: str = "y", **settings: Any) -> Table:
    return Part("data", "table", {"path": path, "target": target, "batch_size": 8, **settings}).build(seed=0)  # type: ignore[return-value]


def of(column: object, **settings: Any) -> Table:
    """The table with this column, and another one."""
    pd.DataFrame({"c": column, "x": np.arange(ROWS) % 7, "y": cells("a", "b")}).to_csv("rows.csv", index=False)
    made = table(**settings)
    made.prepare()
    return made


def refusal(column: object, **settings: Any) -> str:
    with pytest.raises(LabError) as error:
        of(column, **settings)
    return str(error.value)


def kind(column: object, **settings: Any) -> str:
    """As what the column is encoded; "" if it is dropped."""
    return next((found.kind for found in of(column, **settings).encoding.columns if found.name == "c"), "")


def targets(column: object, path: str = "rows.csv", **settings: Any) -> list[Any]:
    frame = pd.DataFrame({"x": np.arange(ROWS) % 7, "y": column})
    frame.to_parquet(path) if path.endswith(".parquet") else frame.to_csv(path, index=False)
    return list(table(path, **settings).read().y.ravel())


class TestInputs:
    def test_times_of_the_day_are_categories(self) -> None:
        assert kind(cells("12:30", "08:15", "")) == "category"

    def test_addresses_of_machines_are_no_numbers(self) -> None:
        assert kind([f"192.168.0.{row}" for row in range(ROWS)]) == ""

    def test_none_among_prices_is_missing(self) -> None:
        assert kind(["None", *prices("$")[1:]]) == "number"

    @pytest.mark.parametrize("mark", ["#DIV/0!", "\\N", "(null)", ".", "--"])
    def test_marks_of_spreadsheets_and_databases_are_missing_among_numbers(self, mark: str) -> None:
        assert kind(cells(1.5, 2, mark, 3)) == "number"
        assert kind([mark, *prices("$")[1:]]) == "number"

    def test_a_day_zero_is_missing_among_dates(self) -> None:
        assert kind(["0000-00-00", *days("%Y-%m-%d")[1:]]) == "date"

    def test_two_currencies_and_percent_here_and_there_are_refused(self) -> None:
        assert "'€" in refusal([*prices("$")[1:], prices("€")[0]])
        assert "row 90: '0.5' is written unlike" in refusal([*[f"{row}.5%" for row in range(1, ROWS)], "0.5"])

    def test_a_dash_for_zero_of_a_spreadsheet_is_refused(self) -> None:
        assert "row 1: '$-' is text among" in refusal(["$-", *[f"$({value})" for value in prices()[1:]]])

    def test_numbers_that_the_settings_rule_out_are_no_numbers(self) -> None:
        assert kind(prices(), decimal=",", thousands="none") == ""

    def test_a_column_of_dates_with_another_text_is_refused_with_its_row(self) -> None:
        assert "row 90: '31.02.2022' is not a date" in refusal([*days("%d.%m.%Y")[1:], "31.02.2022"])

    def test_a_flag_is_dropped_for_the_right_reason_and_may_be_kept(self) -> None:
        assert ("dropped", "c: is empty or x") in of(cells("x", "")).notes
        assert kind(cells("x", ""), keep=["c"]) == "category"


class TestDateFormat:
    def test_unix_time_in_any_order(self) -> None:
        seconds = np.random.default_rng(0).permutation(np.arange(1_600_000_000, 1_700_000_000, 10**8 // ROWS)[:ROWS])
        assert kind(seconds) == "number"
        assert kind(seconds, date_format="unix_s") == "date"

    def test_one_that_no_column_has_is_refused(self) -> None:
        assert "no column has dates such as 12/31/2024" in refusal(days("%d/%m/%Y"), date_format="%m/%d/%Y")

    def test_it_says_the_order_of_the_rows_too(self) -> None:
        ambiguous = [f"{1 + row % 12:02d}/{1 + row // 12:02d}/2024" for row in range(ROWS)]
        data = of(ambiguous, order_by="c", date_format="%d/%m/%Y")
        last = data.rows.of(
            data.example.assign(c=["02/01/2024", "01/02/2024", "03/01/2024", "01/03/2024"]),
            np.array([""] * 4),
            "%d/%m/%Y",
        )
        assert list(np.argsort(last[0]["order"])) == [0, 2, 1, 3]


class TestTargets:
    def test_without_any_value(self) -> None:
        with pytest.raises(LabError, match="'y' is missing in all rows"):
            targets(cells(""), missing_target="skip")

    def test_marks_of_missing_values_are_honoured_among_numbers_of_any_kind(self) -> None:
        for path in ("rows.csv", "rows.parquet"):
            for mark in (-999, -999.0):
                found = targets([mark, *range(ROWS - 1)], path, missing=["", -999], missing_target="skip")
                assert len(found) == ROWS - 1

    def test_none_among_prices_is_missing(self) -> None:
        assert len(targets(["None", *prices("$")[1:]], missing_target="skip")) == ROWS - 1

    def test_text_among_numbers_is_named(self) -> None:
        with pytest.raises(LabError, match="row 1: 'unknown' is text among 89 numbers"):
            targets(["unknown", *range(ROWS - 1)])
