"""`lab new` on rows in time: what is a series, and with which settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.errors import LabError
from lab.scaffold.inspection import Inspection, inspect

RANDOM = np.random.default_rng(0)
DAYS = pd.date_range("2020-01-01", periods=200)
Y = RANDOM.normal(size=200)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inspected(rows: pd.DataFrame, target: str | None = None, **given: Any) -> Inspection:
    rows.to_csv("rows.csv", index=False)
    return inspect("rows.csv", target, given.pop("kind", None), given)


def test_days_of_which_some_are_missing_are_a_series_whose_gaps_are_filled() -> None:
    rows = pd.DataFrame({"ds": DAYS, "y": Y}).drop(index=[30, 31, 77])
    found = inspected(rows)
    assert {name: found.settings.get(name) for name in ("kind", "time", "gaps")} == {
        "kind": "series",
        "time": "ds",
        "gaps": "interpolate",
    }
    assert ("gaps", "3 of 200 steps have no value, the first after 2020-01-30; gaps: interpolate") in found.facts
    assert inspected(rows, gaps="mask").settings["gaps"] == "mask"


def test_missing_values_are_gaps_too() -> None:
    found = inspected(pd.DataFrame({"ds": DAYS, "y": pd.Series(Y).mask(pd.Series(range(200)) == 9)}))
    assert found.settings["gaps"] == "interpolate"


def test_where_most_days_are_missing_the_rows_are_a_table_unless_the_kind_is_given() -> None:
    rows = pd.DataFrame({"ds": DAYS, "y": Y})[DAYS.day <= 12]
    table = inspected(rows, "y")
    assert table.settings["kind"] == "table"
    assert dict(table.facts)["time"] == (
        "'ds' has dates, but 57 % of the steps between them have no row; to forecast from row to row, whatever the "
        "time between them: --kind series"
    )
    found = inspected(rows, kind="series")
    assert found.settings["gaps"] == "ignore"
    assert ("gaps", "ignored: each row counts as the next step, whatever the time between them") in found.facts


def test_numbers_that_are_called_a_time_and_count_in_order_are_one() -> None:
    years = pd.DataFrame({"year": range(1801, 2001), "volume": Y})
    assert inspected(years).settings["time"] == "year"
    assert inspected(years.sample(frac=1, random_state=0), "volume").settings["kind"] == "table"
    amounts = pd.DataFrame({"amount": np.arange(200) * 2.0, "y": Y})
    assert inspected(amounts, "y").settings["kind"] == "table"
    with pytest.raises(LabError, match="no column has dates, or regular numbers and a name such as time or year"):
        inspected(amounts, kind="series")


def test_a_year_and_a_quarter_are_one_time() -> None:
    quarters = pd.date_range("1960-01-01", periods=200, freq="QS")
    rows = pd.DataFrame({"year": quarters.year, "quarter": quarters.quarter, "y": Y})
    found = inspected(rows, "y")
    assert {name: found.settings.get(name) for name in ("kind", "time")} == {
        "kind": "series",
        "time": ["year", "quarter"],
    }
    assert ("rows", "200, from 1960-01-01 to 2009-10-01") in found.facts
    assert ("season", "4 steps") in found.facts
    assert ("task", "forecasting y: 4 steps, by 'year, quarter'") in found.facts
    assert inspected(rows.drop(index=[7, 8, 70]), "y").settings["gaps"] == "interpolate"
    assert inspected(rows, "quarter").settings["kind"] == "table"
    assert inspected(rows, "y", time=["quarter", "year"]).settings["time"] == ["quarter", "year"]
    with pytest.raises(LabError, match=r"data\.time: no column 'years'; did you mean year\?"):
        inspected(rows, "y", kind="series", time=["years", "quarter"])


def test_stores_below_each_other_may_have_their_times_in_two_columns() -> None:
    months = pd.date_range("2000-01-01", periods=100, freq="MS")
    store = pd.DataFrame({"Year": months.year, "Month": months.strftime("%B"), "y": Y[:100]})
    found = inspected(pd.concat([store.assign(store="Oslo"), store.assign(store="Moss")]))
    assert {name: found.settings.get(name) for name in ("time", "series")} == {
        "time": ["Year", "Month"],
        "series": "store",
    }


def test_other_columns_are_inputs_only_on_request() -> None:
    rows = pd.DataFrame({"day": DAYS, "y": Y, "price": Y**2})
    found = inspected(rows, "y")
    assert "covariates" not in found.settings
    assert (
        "unused",
        "price; data.covariates: [price] makes them inputs; known_ahead, if they are known in advance",
    ) in found.facts
    assert inspected(rows, "y", covariates=["price"]).data.sizes.input_shape[0] == 2


def test_a_season_and_its_windows_follow_from_the_time_between_rows() -> None:
    found = inspected(pd.DataFrame({"day": DAYS, "y": Y}))
    assert (found.settings["window"], found.settings["horizon"]) == (21, 7)
    assert ("season", "7 steps") in found.facts
    assert inspected(pd.DataFrame({"day": DAYS, "y": Y}), season=10).settings["horizon"] == 10
