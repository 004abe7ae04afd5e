"""The order of classes: that of numbers, or the one that is given."""

from typing import Any

import pandas as pd
import pytest

from lab.data.reading.targets.order import classes, described
from lab.errors import LabError


def test_numbers_have_their_own_order() -> None:
    codes, names = classes(pd.Series([10, 2, 2, 1, 10]), None, "y")
    assert names == ("1", "2", "10")
    assert codes.tolist() == [2, 1, 1, 0, 2]
    assert classes(pd.Series([0.5, 1.5, 1.0] * 2), None, "y")[1] == ("0.5", "1", "1.5")


def test_names_have_the_order_that_is_given_which_may_have_more_classes() -> None:
    codes, names = classes(pd.Series(["mid ", "low", "low", "mid"]), ["low", "mid", "high"], "y")
    assert names == ("low", "mid", "high")
    assert codes.tolist() == [1, 0, 0, 1]


def test_many_classes_are_described_by_their_ends() -> None:
    assert described(["low", "mid", "high"]) == "low < mid < high"
    assert described([str(number) for number in range(20)]) == "0 < ... < 19"


@pytest.mark.parametrize(
    ("cells", "order", "message"),
    [
        (
            ["low", "mid", "mid"],
            None,
            "y has names, whose order is not known; write data.order, the lowest first",
        ),
        (["low", "mid", "high"], ["low", "mid"], "data.order: misses 'high', which y has in row 3; name every class"),
        (["low", "mid"], ["low", "mid", "low"], "data.order: names 'low' twice"),
        ([1, 2, 1, 2], None, "y has two classes, and two have no order to learn from; set data.task: classification"),
        ([1, 1, 1], [1, 2, 3], "y is '1' in all rows; at least two classes are needed"),
        (list(range(60)), None, "y has 60 different numbers; set data.task: regression"),
        ([1, 2, 3, 4], None, "y is different in nearly every row; is it the right target?"),
    ],
)
def test_what_has_no_order_is_refused(cells: list[Any], order: list[Any] | None, message: str) -> None:
    with pytest.raises(LabError) as refused:
        classes(pd.Series(cells), order, "y")
    assert refused.value.lines[0].startswith(message)
