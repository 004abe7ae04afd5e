"""Names of splits that a source gives."""

import numpy as np
import pandas as pd
import pytest

from lab.data.splitting import given_splits
from lab.errors import LabError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["train", "test"], True),
        (["Training", " validation ", None], True),
        (["train", "train"], False),
        (["val", "test"], False),
        (["train", "test", "fog"], False),
        ([0, 1], False),
    ],
)
def test_a_column_of_splits_is_known_by_its_values(values: list[object], expected: bool) -> None:
    assert given_splits.is_column(pd.Series(values)) is expected


def test_an_empty_cell_is_no_split() -> None:
    cells = pd.Series(["train", None, "dev", "TEST"])
    assert np.array_equal(given_splits.of_column(cells), ["train", "", "val", "test"])


def test_another_value_is_refused_with_its_row() -> None:
    with pytest.raises(LabError, match="column 'part', row 2: 'tets' is no split; write train, val or test"):
        given_splits.of_column(pd.Series(["train", "tets"], name="part"))


def test_the_sentence_says_what_is_drawn() -> None:
    said = given_splits.described(["train", "train", "", "test"], "the folders")
    assert said.startswith("as given by the folders: train 2, test 1; the other ")
    assert said.endswith("1 rows are for training; the validation split is drawn from train")
