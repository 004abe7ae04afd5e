"""The table of runs, as far as no page is needed."""

import math
from pathlib import Path

import pyarrow as pa
from made_runs import make_run

from dashboard import run_list
from lab.tracking import store
from lab.tracking.reading import run_frame
from lab.tracking.reading.tables import open_tables


def test_nan_and_none_are_two_things_in_the_table_of_runs(workplace: Path) -> None:
    client = store.client()
    nan = make_run(client, "p", "nan", {}, {"val/loss": [1.0, float("nan")]})
    none = make_run(client, "p", "none", {}, {"train/loss": [1.0]})
    table = open_tables().runs()
    frame = run_list.with_nan(table, run_frame.to_frame(table, table.ids, ["name", "val/loss", "train/loss"]))
    column = pa.array(frame["val/loss"])
    where = {run: column[position] for position, run in enumerate(frame.index)}
    assert math.isnan(where[nan].as_py())
    assert where[none].as_py() is None
