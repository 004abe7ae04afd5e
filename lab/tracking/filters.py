"""MLflow's own filter language, applied to a table that was read already: no further question to the store."""

import pandas as pd

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.tables import RunTable

ATTRIBUTES = {
    "run_name": "name",
    "run name": "name",
    "Run name": "name",
    "Run Name": "name",
    "status": "status",
    "start_time": "started",
    "created": "started",
    "Created": "started",
    "end_time": "ended",
}
NUMERIC = (">", ">=", "=", "!=", "<=", "<")


def matching(table: RunTable, text: str) -> "pd.Series[bool]":
    """Which runs a filter such as `metrics.loss < 0.5 and params.lr = '0.1'` names; raises LabError for a bad one."""
    store.quiet_mlflow()
    from mlflow.exceptions import MlflowException
    from mlflow.utils.search_utils import SearchUtils

    found = pd.Series(True, index=table.info.index)
    try:
        for clause in SearchUtils.parse_search_filter(text):
            compared = _column(table, clause["type"], clause["key"])
            found &= _holds(compared, clause["comparator"].upper(), clause["value"])
    except (MlflowException, ValueError) as error:
        raise LabError(f"filter: {str(error).partition(chr(10))[0]}") from None
    return found


def _column(table: RunTable, kind: str, key: str) -> pd.Series:
    frames = {"metric": table.metrics, "parameter": table.params, "tag": table.tags}
    if kind == "attribute" and key in ("run_id", "Run ID"):
        return pd.Series(table.info.index, index=table.info.index)
    if kind == "attribute" and key in ATTRIBUTES:
        return table.info[ATTRIBUTES[key]]
    if kind not in frames:
        raise LabError(f"filter: {kind} {key} cannot be filtered here; metrics, params, tags and attributes can")
    frame = frames[kind]
    return frame[key] if key in frame else pd.Series(None, index=frame.index, dtype=object)


def _holds(column: pd.Series, comparator: str, value: object) -> "pd.Series[bool]":
    from mlflow.utils.search_utils import SearchUtils

    present = column.notna()
    if comparator == "IS NULL":
        return ~present
    if comparator == "IS NOT NULL":
        return present
    if pd.api.types.is_numeric_dtype(column) and comparator in NUMERIC:
        value = float(str(value))
    try:
        compare = SearchUtils.get_comparison_func(comparator)
    except KeyError:
        raise LabError(f"filter: there is no comparison '{comparator}'") from None
    return pd.Series(
        [bool(there and compare(cell, value)) for cell, there in zip(column, present, strict=True)], index=column.index
    )
