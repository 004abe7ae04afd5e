"""Times after the end of a series: irregular steps, few rows, formats."""

import pandas as pd
import pytest

from lab.inference.model import following_times


def following(given: list[object], count: int = 3) -> list[object]:
    return following_times(pd.Series(given, name="when"), count)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 2, 3, 10], [11, 12, 13]),  # the median step
        ([10, 20, 30], [40, 50, 60]),
        ([1, 2, 4, 6, 7, 8, 10, 12], [14, 16, 18]),
        ([1, 2, 4], [5.5, 7.0, 8.5]),
        ([0.0, 2.0, 4.0], [6.0, 8.0, 10.0]),
    ],
)
def test_numbers_continue_with_the_median_step(given: list[object], expected: list[object]) -> None:
    found = following(given)
    assert found == expected
    assert [isinstance(time, float) for time in found] == [isinstance(time, float) for time in expected]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["2024-01-01", "2024-01-03"], ["2024-01-05", "2024-01-07", "2024-01-09"]),  # too few to infer a calendar
        (["2024-01-01", "2024-01-03", "2024-01-05", "2024-01-08"], ["2024-01-10", "2024-01-12", "2024-01-14"]),
        (["2024-01", "2024-04", "2024-07"], ["2024-10", "2025-01", "2025-04"]),
        (["2024-01-01T06:00", "2024-01-01T12:00", "2024-01-01T18:00"], ["2024-01-02T00:00", "2024-01-02T06:00"]),
        (["31/01/2024", "29/02/2024", "31/03/2024"], ["30/04/2024", "31/05/2024", "30/06/2024"]),
        (["Jan 2024", "Feb 2024", "Mar 2024"], ["Apr 2024", "May 2024", "Jun 2024"]),
    ],
)
def test_dates_continue_by_the_calendar_in_their_own_format(given: list[object], expected: list[object]) -> None:
    assert following(given, len(expected)) == expected


def test_timestamps_stay_timestamps() -> None:
    months = list(pd.date_range("2024-01-31", periods=4, freq="ME"))
    assert following(months[:3], 1) == [months[3]]
