"""The view of weights and gradients over the epochs, and its heat maps beside numpy.histogram."""

from pathlib import Path

import numpy as np
import pytest
from made_runs import make_run
from numpy.typing import NDArray
from pages import opened_page, texts

from dashboard.figures import histograms
from lab.tracking import store

Row = NDArray[np.float64]


def row_of(epoch: int, values: Row, bins: int = 32) -> Row:
    counts, edges = np.histogram(values, bins)
    return np.array([epoch, edges[0], edges[-1], 0, *counts])


@pytest.fixture
def values() -> Row:
    return np.random.default_rng(0).normal(size=5_000)


def test_bins_that_are_joined_hold_what_numpy_counts_in_them(values: Row) -> None:
    edges = np.linspace(values.min(), values.max(), 9)  # each of four recorded ones
    expected, _ = np.histogram(values, edges)
    assert histograms.rebinned(row_of(0, values), edges) == pytest.approx(expected / len(values))


def test_bins_that_are_cut_hold_what_numpy_counts_up_to_a_part_of_a_recorded_one(values: Row) -> None:
    edges = np.linspace(-2, 2, 14)
    expected, _ = np.histogram(values, edges)
    found = histograms.rebinned(row_of(0, values), edges)
    assert np.abs(found - expected / len(values)).max() < 0.005
    assert found.sum() == pytest.approx(((values > -2) & (values < 2)).mean(), abs=0.005)


def test_values_that_are_all_equal_are_in_one_bin() -> None:
    rows = np.stack([np.array([0, 0, 0, 0, 7, *[0] * 31]), row_of(1, np.linspace(0, 1, 64))])
    shares = histograms.heat_map(rows, "").figure.data[0].customdata
    assert shares.sum(axis=0) == pytest.approx([1, 1], abs=0.005)
    assert np.count_nonzero(shares[:, 0]) == 1


def test_the_range_is_not_that_of_one_value_far_away_and_the_table_has_it(values: Row) -> None:
    chart = histograms.heat_map(np.stack([row_of(0, np.append(values, 60.0), 4_000)]), "")
    assert chart.figure.layout.yaxis.range[1] < 5
    (row,) = chart.table.to_dict("records")
    assert row["highest"] == 60
    assert row["median"] == pytest.approx(np.median(values), abs=0.02)


def test_a_picture_has_the_root_of_each_share_at_the_middle_of_its_bin_and_nothing_where_there_is_none() -> None:
    """Two values far apart: at 1 three quarters of them, at 2 a quarter; after three epochs all at 1."""
    rows = np.stack([row_of(0, np.array([1.0, 1.0, 1.0, 2.0])), np.array([3, 1, 1, 0, 4, *[0] * 31])])
    chart = histograms.heat_map(rows, "")
    (picture,) = chart.figure.data
    assert picture.x.tolist() == [0, 3]
    assert np.diff(picture.y) == pytest.approx(np.diff(picture.y)[0])
    drawn = np.nan_to_num(picture.z)
    below = picture.y < 1.5
    assert (drawn[below, 0] ** 2).sum() == pytest.approx(0.75, abs=0.01)
    assert (drawn[~below, 0] ** 2).sum() == pytest.approx(0.25, abs=0.01)
    assert picture.y[np.nanargmax(picture.z[:, 1])] == pytest.approx(1, abs=0.05)
    assert np.isnan(picture.z).tolist() == (picture.customdata == 0).tolist()
    assert picture.zmin == 0
    assert chart.table["lowest"].tolist() == [1, 1]
    assert chart.table["highest"].tolist() == [2, 1]


def test_values_that_are_not_finite_are_said() -> None:
    chart = histograms.heat_map(np.array([[0, 0, 0, 5, *[0.0] * 32]]), "")
    assert chart.notes == ("5 values not finite",)


def _run(tmp_path: Path, **tables: Row) -> str:
    client = store.client()
    run = make_run(client, "mlp", "mlp", {}, {"val/loss": [1.0]})
    file = tmp_path / "histograms.npz"
    np.savez_compressed(file, **tables)  # type: ignore[arg-type]
    client.log_artifact(run, str(file))
    return run


def test_each_parameter_has_a_picture_of_its_weights_and_of_its_gradients(workplace: Path, values: Row) -> None:
    rows = np.stack([row_of(epoch, values) for epoch in range(3)])
    run = _run(workplace, **{f"{kind}/{n}.bias": rows for kind in ("weights", "gradients") for n in range(6)})
    app = opened_page("run", run=run, view="weights")
    assert len(app.get("plotly_chart")) == 2 * 4
    chosen = opened_page("run", run=run, view="weights", parameters="5.*")
    assert len(chosen.get("plotly_chart")) == 2
    assert "5.bias: gradients" in texts(chosen).replace("\\", "")


def test_a_run_without_histograms_says_how_to_have_them(workplace: Path) -> None:
    run = make_run(store.client(), "mlp", "mlp", {}, {"val/loss": [1.0]})
    app = opened_page("run", run=run, view="weights")
    assert app.code[-1].value == "trainer.histograms=true"


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros((0, 36)), np.zeros((2, 3))])
def test_a_file_of_another_shape_is_said(workplace: Path, table: Row) -> None:
    run = _run(workplace, **{"weights/0.bias": table})
    assert "cannot be read" in opened_page("run", run=run, view="weights").warning[0].value
