"""The times after the end of a series."""

import pandas as pd
import pytest

from lab.inference.model import following_times


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["2020-10", "2020-11", "2020-12"], ["2021-01", "2021-02"]),
        (["2020-01-31", "2020-02-29", "2020-03-31"], ["2020-04-30", "2020-05-31"]),
        (["30.12.2020", "31.12.2020"], ["01.01.2021", "02.01.2021"]),
        (["2020-01-01 22:00", "2020-01-01 23:00", "2020-01-02 00:00"], ["2020-01-02 01:00", "2020-01-02 02:00"]),
        (
            [
                "2024-11-20",
                "2024-11-21",
                "2024-11-22",
                "2024-11-25",
                "2024-11-26",
                "2024-11-27",
                "2024-11-28",
                "2024-11-29",
            ],
            ["2024-12-02", "2024-12-03"],
        ),
        ([1998, 1999, 2000], [2001, 2002]),
        ([0.5, 1.0, 1.5], [2.0, 2.5]),
    ],
)
def test_times_continue_in_their_own_format(given: list[object], expected: list[object]) -> None:
    assert following_times(pd.Series(given, name="when"), 2) == expected


def test_timestamps_stay_timestamps() -> None:
    days = pd.Series(pd.date_range("2020-01-30", periods=2), name="when")
    assert following_times(days, 1) == [pd.Timestamp("2020-02-01")]
