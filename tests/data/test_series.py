"""Time series from files."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lab.config.sections import Part
from lab.data.encodings import from_json
from lab.data.series import Series
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


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def series(rows: pd.DataFrame, **settings: Any) -> Series:
    rows.to_csv("rows.csv", index=False)
    settings = {"path": "rows.csv", "window": 12, "horizon": 3, **settings}
    made: Series = Part("data", "series", settings).build(seed=0)
    made.prepare()
    return made


def refusal(rows: pd.DataFrame, **settings: Any) -> str:
    with pytest.raises(LabError) as caught:
        series(rows, **settings)
    return str(caught.value)


def test_the_time_column_and_the_targets_are_inferred() -> None:
    data = series(frame())
    assert data.encoding.columns == ("sales", "visits", "price")
    assert data.notes == [("task", "forecasting sales, visits, price: 3 steps, by 'month'")]
    assert data.target_names[:4] == ("sales +1", "sales +2", "sales +3", "visits +1")
    assert (data.sizes.input_shape, data.sizes.out_features) == ((3, 12), 9)


def test_targets_come_first_and_covariates_are_inputs_only() -> None:
    data = series(frame(), targets="visits", covariates=["sales"])
    assert data.encoding.columns == ("visits", "sales")
    assert (data.sizes.input_shape, data.sizes.out_features) == ((2, 12), 3)


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
    assert torch.equal(seen[0][:, 2], x[:, 2])
    plain = series(frame(), relative=False)
    assert isinstance(with_input_adapter(Zero(), plain.input_adapter), Zero)


def test_a_forecast_is_made_from_the_last_rows() -> None:
    data = series(frame(), targets="sales")
    again = from_json(data.encoding.as_json())
    assert again.encode(frame()).tolist() == [[frame()["sales"].astype("float32").tolist()[-12:]]]
    for rows, message in (
        (frame().tail(5), "5 rows are too few; a forecast needs the last 12 steps"),
        (frame()[::-1], "column 'month': the newest row comes first"),
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


def test_invalid_times_are_refused_with_their_row() -> None:
    rows = frame()
    swapped = rows.iloc[[0, 1, 3, 2, *range(4, STEPS)]]
    assert "column 'month', row 4: 2010-03-01 comes before row 3, 2010-04-01" in refusal(swapped)
    assert "the newest row comes first; sort the rows by it, oldest first" in refusal(rows[::-1])
    twice = rows.iloc[[0, 1, 1, *range(2, STEPS)]]
    assert "row 3: 2010-02-01 is the same time as row 2" in refusal(twice)
    gap = rows.drop(index=[10, 11])
    assert "row 11: 2011-01-01 follows a gap after row 10, 2010-10-01; add the missing rows" in refusal(gap)
    assert series(gap, gaps="ignore").sizes.input_shape == (3, 12)
    assert "row 5: the time is missing" in refusal(rows.assign(month=rows["month"].mask(rows.index == 4)))


def test_invalid_values_and_names_are_refused() -> None:
    rows = frame()
    assert "column 'sales', row 8: nan is missing" in refusal(rows.assign(sales=rows["sales"].mask(rows.index == 7)))
    assert "column 'shop', row 1: 'Oslo' is not a number" in refusal(rows, targets="shop")
    assert "data.targets: no column 'sale'; did you mean sales?" in refusal(rows, targets="sale")
    assert "no column has dates or is called time, year" in refusal(rows.drop(columns="month"))
    assert "no column of numbers to forecast" in refusal(rows[["month", "shop"]])
    assert "12 past and 30 next steps do not fit into splits of 72, 24 and 24 steps" in refusal(rows, horizon=30)
