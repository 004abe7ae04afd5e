"""Lists of labels and columns of yes and no, as files hold them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.data.reading.targets.label_lists import are_yes_and_no, read, yes_or_no
from lab.errors import LabError

TRUTH = [[1, 1], [0, 1], [0, 0], [1, 0]]  # blue, red


@pytest.mark.parametrize(
    ("cells", "how"),
    [
        (["red;blue", "red", "", "blue"], "separated by ';'"),
        (["red | blue", "red", None, "blue"], "separated by '|'"),
        (["red, blue", "red", float("nan"), "blue,"], "separated by ','"),
        (['["red", "blue"]', '["red"]', "[]", '["blue"]'], "JSON lists"),
        ([["red", "blue"], ["red"], [], np.array(["blue"])], "lists"),
    ],
)
def test_lists_are_read_however_they_are_written(cells: list[Any], how: str) -> None:
    found = read(pd.Series(cells, dtype=object), "column 'tags'")
    assert found.names == ("blue", "red")
    assert found.values.tolist() == TRUTH
    assert found.how == how


def test_a_separator_of_ones_own() -> None:
    found = read(pd.Series(["a b/c", "c"]), "column 'tags'", separator="/")
    assert found.names == ("a b", "c")


def test_numbers_in_lists_are_labels_too() -> None:
    assert read(pd.Series(["[1, 20]", "[3]", "[1, 3]", "[20]", "[]", "[]"]), "column 'tags'").names == ("1", "20", "3")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["red", "blue", "red"], "has one label in every row: that is data.task: classification; lists are separated"),
        ([1, 0, 1], "has one label in every row: that is data.task: classification"),
        (["red;red", "red"], "has a single label, 'red': write it as yes and no, for data.task: classification"),
        ([[], []], "is empty in all rows: no sample has a label"),
        (['["red"]', '["red'], "row 2: '[\"red' is no JSON list of labels; correct it"),
        (['[["red"]]', "[]"], "row 1: '[[\"red\"]]' is no JSON list"),
        (["a;b", "c;d", "e;f"], "has 6 different labels in 3 rows; is it the right target?"),
    ],
)
def test_what_is_no_column_of_lists_is_refused(cells: list[Any], message: str) -> None:
    with pytest.raises(LabError) as refused:
        read(pd.Series(cells, dtype=object if isinstance(cells[0], list) else None), "column 'tags'")
    assert refused.value.lines[0].startswith("column 'tags'")
    assert message in refused.value.lines[0]


@pytest.mark.parametrize("cells", [[1, 0], [1.0, 0.0], [True, False], ["Yes", "no"], ["true", "FALSE"], ["y", "n"]])
def test_yes_and_no_are_written_in_many_ways(cells: list[Any]) -> None:
    assert yes_or_no(pd.Series(cells), "column 'a'").tolist() == [1, 0]
    assert are_yes_and_no(pd.Series(cells))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([0, 1, 2], "column 'a', row 3: 2 is no label; it must be 0 or 1, yes or no, true or false"),
        (["yes", "maybe"], "column 'a', row 2: maybe is no label"),
        ([0, 0], "column 'a' is 0 in all rows: no sample has this label; leave it out"),
    ],
)
def test_other_values_are_no_labels(cells: list[Any], message: str) -> None:
    with pytest.raises(LabError, match="column 'a'") as refused:
        yes_or_no(pd.Series(cells), "column 'a'")
    assert message in refused.value.lines[0]
    assert not are_yes_and_no(pd.Series(cells))
