"""Columns that are known for the steps to forecast, such as promotions: inputs `horizon` steps ahead."""

from functools import partial

import made_series
import numpy as np
import pandas as pd
import pytest

from lab.data.encodings import from_json
from lab.data.encodings.series import SeriesEncoding
from lab.data.time_series.series import Series
from lab.data.time_series.windows import WindowDataset
from lab.errors import LabError
from lab.inference.model import forecasts

WINDOW, HORIZON, STEPS = 6, 3, 120
RANDOM = np.random.default_rng(0)
PROMOTION = (RANDOM.random(STEPS) < 0.4) * 1.0
SALES = 5 * PROMOTION + RANDOM.normal(scale=0.5, size=STEPS)


def frame(steps: int = STEPS) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "day": pd.date_range("2024-01-01", periods=steps).astype(str),
            "sales": SALES[:steps],
            "visits": np.arange(steps) * 1.0,
            "promotion": PROMOTION[:steps],
        }
    )


series = partial(made_series.series, targets="sales", window=WINDOW, horizon=HORIZON)
ahead = partial(series, known_ahead=["promotion"])


def windows(data: Series, split: str) -> tuple[np.ndarray, np.ndarray]:
    """All windows of a split and their targets, in their own units."""
    dataset = data.splits[split]
    assert isinstance(dataset, WindowDataset)
    x, y = dataset.batch(np.arange(len(dataset)))  # type: ignore[arg-type]
    assert data.target_scale is not None
    return data.input_scale.invert(x).numpy(), data.target_scale.invert(y).numpy()


def expected(columns: list[np.ndarray], promotion: np.ndarray, first: int, last: int) -> np.ndarray:
    """A plain loop over all windows whose targets lie in the steps from first to last."""
    found = []
    for now in range(max(first, WINDOW), last - HORIZON + 1):
        past = [column[now - WINDOW : now] for column in columns]
        found.append([*past, promotion[now - WINDOW + HORIZON : now + HORIZON]])
    return np.array(found)


class TestWindows:
    def test_the_last_channel_ends_at_the_last_step_to_forecast(self) -> None:
        data = ahead(frame(), covariates=["visits"])
        columns = [SALES, np.arange(STEPS), PROMOTION]
        for split, (first, last) in {"train": (0, 72), "val": (72, 96), "test": (96, 120)}.items():
            x, y = windows(data, split)
            np.testing.assert_allclose(x, expected(columns, PROMOTION, first, last), atol=1e-4)
            starts = range(max(first, WINDOW), last - HORIZON + 1)
            np.testing.assert_allclose(y, [SALES[now : now + HORIZON] for now in starts], atol=1e-5)

    def test_no_value_of_a_target_at_or_after_the_forecast_is_in_them(self) -> None:
        changed = frame()
        changed.loc[100:, ["sales", "visits"]] = 1e6
        before, after = (windows(ahead(rows, covariates=["visits"]), "test")[0] for rows in (frame(), changed))
        np.testing.assert_allclose(before[:5], after[:5], atol=0.1)  # these are of steps up to 99

    def test_two_series_are_not_mixed(self) -> None:
        two = pd.concat([frame().assign(store="a"), frame().assign(store="b", promotion=1 - PROMOTION)])
        x, _ = windows(ahead(two, series="store"), "test")
        both = [expected([SALES, known], known, 96, 120) for known in (PROMOTION, 1 - PROMOTION)]
        np.testing.assert_allclose(x, np.concatenate(both), atol=1e-4)

    def test_they_are_given_as_they_are_not_relative_to_the_last_value(self) -> None:
        data = ahead(frame(), covariates=["visits"])
        assert data.input_adapter is not None
        assert data.input_adapter.channels == 2  # type: ignore[union-attr]

    def test_rows_after_the_last_value_of_the_target_are_unused_and_said(self) -> None:
        rows = frame()
        rows.loc[115:, "sales"] = np.nan
        data = ahead(rows)
        assert ("known_ahead", "5 rows after the last value of sales: unused") in data.notes
        np.testing.assert_allclose(windows(data, "test")[0], windows(ahead(frame(115)), "test")[0])


def test_a_linear_network_knows_what_will_be() -> None:
    """Least squares on the training windows, root mean squared error on the test windows."""
    errors = {}
    for name, data in (("without", series(frame(), covariates=["promotion"])), ("with", ahead(frame()))):
        (x, y), (new, truth) = windows(data, "train"), windows(data, "test")
        flat, new_flat = (np.column_stack([each.reshape(len(each), -1), np.ones(len(each))]) for each in (x, new))
        weights = np.linalg.lstsq(flat, y, rcond=None)[0]
        errors[name] = float(np.sqrt(np.mean((new_flat @ weights - truth) ** 2)))
    assert errors["with"] < 1.0  # the noise is 0.5
    assert errors["without"] > 2.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"known_ahead": ["promo"]}, "data.known_ahead: no column 'promo'; did you mean promotion"),
        ({"known_ahead": ["sales"]}, "data.known_ahead: 'sales' is in data.targets, too; leave it out of one of them"),
        ({"covariates": ["promotion"]}, "data.known_ahead: 'promotion' is in data.covariates, too; leave it out"),
        ({"window": 2}, "data.known_ahead: data.window=2 must be at least data.horizon=3"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(LabError, match=message):
        ahead(frame(), **settings)


class TestForecast:
    def encoding(self, **settings: object) -> SeriesEncoding:
        found = ahead(frame(100), **settings).encoding
        assert isinstance(found, SeriesEncoding)
        assert from_json(found.as_json()) == found
        return found

    def rows(self) -> pd.DataFrame:
        """One hundred steps, and what is known of the next three."""
        rows = frame(103)
        rows.loc[100:, ["sales", "visits"]] = np.nan
        return rows

    def test_the_rows_of_the_next_steps_say_what_is_known(self) -> None:
        encoding = self.encoding(covariates=["visits"])
        window = encoding.encode(self.rows().sample(frac=1, random_state=0))
        whole = expected([SALES, np.arange(STEPS), PROMOTION], PROMOTION, 100, 103)
        np.testing.assert_allclose(window, whole, atol=1e-5)
        assert encoding.channels == ["sales", "visits", "promotion", "promotion, 3 steps ahead"]
        found = forecasts(self.rows(), np.zeros((1, 3), np.float32), encoding)
        assert found["day"].tolist() == ["2024-04-10", "2024-04-11", "2024-04-12"]

    def test_without_times_the_rows_are_in_order(self) -> None:
        encoding = self.encoding()
        window = encoding.encode(self.rows().drop(columns="day"))
        np.testing.assert_allclose(window, expected([SALES, PROMOTION], PROMOTION, 100, 103), atol=1e-5)

    def test_gaps_are_filled_as_the_settings_say_but_not_in_what_is_known(self) -> None:
        encoding = self.encoding(gaps="mask")
        assert encoding.encode(self.rows().drop(index=97)).shape == (1, 4, WINDOW)
        with pytest.raises(LabError, match="1 are missing"):
            encoding.encode(self.rows().drop(index=101))

    @pytest.mark.parametrize("rows", [0, 2])
    def test_rows_that_lack_are_asked_for_in_one_line(self, rows: int) -> None:
        message = (
            "a forecast needs promotion for the next 3 steps, in rows after day 2024-04-09 in which sales are empty; "
            f"{3 - rows} are missing"
        )
        with pytest.raises(LabError, match=message):
            self.encoding().encode(self.rows().head(100 + rows))
