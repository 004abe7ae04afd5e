"""Time series from files."""

from functools import partial
from pathlib import Path
from typing import Any

import made_series
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lab.config.sections import Part
from lab.data.encodings import from_json
from lab.data.time_series.series import Series
from lab.errors import LabError
from lab.training.building import with_input_adapter

STEPS = 120


def frame() -> pd.DataFrame:
    step = np.arange(STEPS)
    return pd.DataFrame(
        {
            "month": pd.date_range("2010-01-01", periods=STEPS, freq="MS").strftime("%Y-%m"),
            "sales": 100 + step + 10 * np.sin(step),
            "visits": 5.0 + step % 12,
            "price": np.where(step % 7 < 3, 1.0, 2.0),
            "shop": "Oslo",
        }
    )


series = partial(made_series.series, window=12, horizon=3)


def refusal(rows: pd.DataFrame, **settings: Any) -> str:
    with pytest.raises(LabError) as caught:
        series(rows, **settings)
    return str(caught.value)


def test_a_line_that_is_no_row_is_said() -> None:
    frame().to_csv("noted.csv", index=False)
    with Path("noted.csv").open("a") as file:
        file.write("Source: the shops\n")
    made: Series = Part("data", "series", {"path": "noted.csv", "window": 12, "horizon": 3}).build(seed=0)
    made.prepare()
    assert ("skipped", "1 line with a single field") in made.notes


def test_the_time_column_and_the_targets_are_inferred() -> None:
    data = series(frame())
    assert data.encoding.columns == ("sales", "visits", "price")
    assert data.notes[:2] == [
        ("task", "forecasting sales, visits, price: 3 steps, by 'month'"),
        ("unused", "shop: not numbers"),
    ]
    assert data.target_names[:4] == ("sales +1", "sales +2", "sales +3", "visits +1")
    assert (data.sizes.input_shape, data.sizes.out_features) == ((3, 12), 9)


def test_targets_come_first_and_covariates_are_inputs_only() -> None:
    data = series(frame(), targets="visits", covariates=["sales"])
    assert data.encoding.columns == ("visits", "sales")
    assert (data.sizes.input_shape, data.sizes.out_features) == ((2, 12), 3)
    assert (
        "unused",
        "price; data.covariates: [price] makes them inputs; known_ahead, if they are known in advance",
    ) in data.notes


def test_a_window_is_followed_by_its_targets_channel_by_channel() -> None:
    data = series(frame(), targets=["sales", "visits"])
    x, y = data.splits["train"][5]
    assert data.target_scale is not None
    values = frame()[["sales", "visits"]].to_numpy(dtype=np.float32).T
    torch.testing.assert_close(data.input_scale.invert(x), torch.tensor(values[:, 5:17]))
    torch.testing.assert_close(data.target_scale.invert(y), torch.tensor(values[:, 17:20].flatten()))


def test_an_output_of_zero_is_the_last_value_forecast() -> None:
    data = series(frame(), targets=["sales", "visits"], covariates=["price"])
    x, _ = data.splits["train"].batch(torch.arange(4))  # type: ignore[attr-defined]
    seen = []

    class Zero(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return torch.zeros(len(x), 6)

    forecast = with_input_adapter(Zero(), data.input_adapter)(x)
    torch.testing.assert_close(forecast, x[:, :2, -1].repeat_interleave(3, dim=1))
    assert (seen[0][:, :2, -1] == 0).all()
    assert (seen[0][:, 2, -1] == 0).all()
    plain = series(frame(), relative=False)
    assert isinstance(with_input_adapter(Zero(), plain.input_adapter), Zero)


def test_a_forecast_is_made_from_the_last_rows() -> None:
    data = series(frame(), targets="sales")
    again = from_json(data.encoding.as_json())
    assert again.encode(frame()).tolist() == [[frame()["sales"].astype("float32").tolist()[-12:]]]
    for rows, message in (
        (frame().tail(5), "5 rows are too few; a forecast needs the last 12 steps"),
        (frame().drop(columns="sales"), "no column 'sales' in the data"),
        (frame().assign(sales=None), "column 'sales', row 1: None is missing"),
    ):
        with pytest.raises(LabError) as caught:
            again.encode(rows)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("times", "name"),
    [
        (pd.date_range("2010-01-31", periods=STEPS, freq="ME"), "when"),
        (pd.bdate_range("2010-01-01", periods=STEPS), "day"),
        (pd.date_range("2010-01-01 05:00", periods=STEPS, freq="h"), "measured"),
        (pd.date_range("2010-01-01", periods=STEPS, freq="W").strftime("%d.%m.%Y"), "week"),
        (pd.date_range("2010-01-01", periods=STEPS, freq="MS").strftime("%b %Y"), "month"),
        (np.arange(1900, 1900 + STEPS), "year"),
        (np.arange(STEPS) / 10, "time"),
    ],
)
def test_times_are_recognised_in_many_formats(times: Any, name: str) -> None:
    rows = frame().drop(columns="month").assign(**{name: times})
    assert series(rows).notes[0][1].endswith(f"by '{name}'")


def test_rows_in_any_order_are_sorted_and_that_is_said() -> None:
    values = series(frame()).splits["test"].series  # type: ignore[attr-defined]
    for rows, said in (
        (frame()[::-1], "the newest row came first"),
        (frame().sample(frac=1, random_state=0), "rows were not in order of time"),
    ):
        data = series(rows)
        assert ("time", f"rows sorted, {said}") in data.notes
        assert torch.equal(data.splits["test"].series, values)  # type: ignore[attr-defined]
        assert data.encoding.encode(rows).tolist() == data.encoding.encode(frame()).tolist()


def test_a_column_is_not_the_time_for_its_name_alone() -> None:
    rows = frame().rename(columns={"price": "amount", "visits": "count"})
    assert series(rows).notes[0][1].endswith("by 'month'")
    regular = rows.drop(columns="month").assign(amount=np.arange(STEPS) * 2.0)
    assert "no column has dates, or regular numbers and a name" in refusal(regular)
    irregular = rows.drop(columns="month").assign(year=np.random.default_rng(0).permutation(STEPS) ** 2)
    assert "no column has dates" in refusal(irregular)
    constant = rows.drop(columns="month").assign(day="2024-01-01")
    assert "no column has dates" in refusal(constant)


def test_days_and_months_are_told_apart_or_a_format_is_set() -> None:
    rows = frame().drop(columns="month").assign(day=pd.date_range("2012-01-01", periods=STEPS, freq="MS"))
    written = rows.assign(day=rows["day"].dt.strftime("%d/%m/%Y"))
    said = "'day' is read day first, as then the rows are about equally far apart"
    assert any(subject == "time" and note.startswith(said) for subject, note in series(written).notes)
    chosen = series(written, date_format="%d/%m/%Y")
    assert not [note for subject, note in chosen.notes if subject == "time"]
    assert chosen.encoding.format == "%d/%m/%Y"
    assert "data.date_format: 'dmy' is not a format of dates" in refusal(written, date_format="dmy")


def test_invalid_times_are_refused_with_their_row() -> None:
    rows = frame()
    twice = rows.iloc[[0, 1, 1, *range(2, STEPS)]]
    assert "row 3: 2010-02-01 is the same time as row 2, 2010-02-01; keep one row for each time" in refusal(twice)
    gap = rows.drop(index=[10, 11])
    assert "row 11: 2011-01-01 follows a gap after row 10, 2010-10-01; a step is missing: add it" in refusal(gap)
    wrong = rows.assign(month=rows["month"].mask(rows.index == 6, "2010-13"))
    assert "column 'month', row 7: '2010-13' is not a date such as 2024-12-31" in refusal(wrong)
    assert "row 5: the time is missing" in refusal(rows.assign(month=rows["month"].mask(rows.index == 4)))


def test_invalid_values_and_names_are_refused() -> None:
    rows = frame()
    assert "column 'sales', row 8: nan is missing" in refusal(rows.assign(sales=rows["sales"].mask(rows.index == 7)))
    assert "column 'shop', row 1: 'Oslo' is not a number" in refusal(rows, targets="shop")
    assert "data.targets: no column 'sale'; did you mean sales?" in refusal(rows, targets="sale")
    assert "no column has dates, or regular numbers and a name such as time or year" in refusal(
        rows.drop(columns="month")
    )
    assert "no column of numbers to forecast" in refusal(rows[["month", "shop"]])
    assert "12 past and 30 next steps do not fit into splits of 72, 24 and 24 steps" in refusal(rows, horizon=30)
