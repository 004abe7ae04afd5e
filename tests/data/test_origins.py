"""Where a sample comes from: the row of a file, the time of a step, the names of features."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_data import sales_rows

from lab.config.sections import Part
from lab.data.samples import Samples, check
from lab.data.table import Table
from lab.data.time_series.series import Series
from lab.errors import LabError

pytestmark = pytest.mark.usefixtures("empty_workplace")


def prepared_table(**settings: object) -> Table:
    made: Table = Part("data", "table", {"path": "rows.csv", "target": "y", "batch_size": 4, **settings}).build(seed=0)
    made.prepare()
    return made


def prepared_series(**settings: object) -> Series:
    given = {"path": "sales.csv", "targets": ["sales"], "window": 6, "horizon": 2, "batch_size": 4, **settings}
    made: Series = Part("data", "series", given).build(seed=0)
    made.prepare()
    return made


def test_rows_are_counted_in_their_own_file() -> None:
    """Row 2 is empty, row 4 has no target; the test file is counted by itself."""
    x = np.arange(30.0)
    rows = pd.DataFrame({"x": x, "y": 2.5 * x})
    lines = rows.to_csv(index=False).splitlines()
    lines.insert(2, ",")
    lines[4] = f"{lines[4].partition(',')[0]},"
    Path("rows.csv").write_text("\n".join(lines) + "\n")
    rows.head(5).to_csv("test.csv", index=False)
    data = prepared_table(missing_target="skip", test_path="test.csv")
    assert data.row_numbers[:4].tolist() == [1, 3, 5, 6]
    assert data.row_numbers[data.split_indices["test"]].tolist() == [1, 2, 3, 4, 5]
    cells = [float(lines[number].partition(",")[0]) for number in data.row_numbers[:-5]]
    assert data.read().x["x"].tolist()[:-5] == cells


def test_steps_have_the_times_of_their_rows() -> None:
    rows = sales_rows(60)
    rows.drop(index=20).to_csv("sales.csv", index=False)
    data = prepared_series(gaps="ffill")
    assert data.times is not None
    assert len(data.times) == 60
    assert pd.isna(data.times[20])
    assert pd.Timestamp(data.times[21]) == pd.Timestamp("2011-10-01")
    ignored = prepared_series(gaps="ignore")
    assert ignored.times is not None
    assert pd.Timestamp(ignored.times[20]) == pd.Timestamp("2011-10-01")
    assert len(ignored.times) == 59


def test_several_series_have_names_and_times() -> None:
    rows = sales_rows(40)
    pd.concat([rows.assign(shop="b"), rows.iloc[5:].assign(shop="a")]).to_csv("sales.csv", index=False)
    data = prepared_series(series="shop")
    assert data.series_names == ("a", "b")
    assert data.lengths == (35, 40)
    assert data.times is not None
    assert pd.Timestamp(data.times[0]) == pd.Timestamp("2010-06-01")
    assert pd.Timestamp(data.times[35]) == pd.Timestamp("2010-01-01")


def test_feature_names_must_fit_the_columns() -> None:
    x, y = np.zeros((10, 3)), np.zeros((10, 1))
    assert check(Samples(x, y, feature_names=("a", "b", "c")), "Mine").feature_names == ("a", "b", "c")
    with pytest.raises(LabError, match=r"Mine.read\(\) gives 2 feature names for 3 columns of x"):
        check(Samples(x, y, feature_names=("a", "b")), "Mine")
