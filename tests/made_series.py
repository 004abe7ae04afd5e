"""Series that are read from a file, for tests of their data module."""

from typing import Any

import pandas as pd

from lab.config.sections import Part
from lab.data.time_series.series import Series


def series(rows: pd.DataFrame, **settings: Any) -> Series:
    """The prepared data module of these rows, which are written to the working directory."""
    rows.to_csv("rows.csv", index=False)
    made: Series = Part("data", "series", {"path": "rows.csv", **settings}).build(seed=0)
    made.prepare()
    return made
