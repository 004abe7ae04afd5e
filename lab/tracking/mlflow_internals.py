"""The parts of MLflow that are not its public interface, in one place.

tests/tracking/test_mlflow_internals.py checks them against the installed version. When it fails after an upgrade, this
file must be adapted before VERSIONS, here and in pyproject.toml, is raised.

* The filter language: MLflow has no public parser, and its client, which applies filters itself, takes 14 s for 10,000
  runs where reading the tables takes 0.6 s.
* The SQL tables, for the same reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import column, table

VERSIONS = ">=3.17,<3.18"  # of MLflow, for which this file holds


# The filter language


@dataclass(frozen=True)
class Clause:
    """One comparison of a filter, such as `metrics.loss < 0.5`."""

    kind: str  # metric, parameter, tag, attribute or dataset
    key: str
    comparator: str  # =, !=, <, <=, >, >=, LIKE, ILIKE, IN, NOT IN, IS NULL, IS NOT NULL
    value: Any


def parse_filter(text: str) -> list[Clause]:
    """The clauses of a filter, all of which must hold; raises MlflowException."""
    from mlflow.utils.search_utils import SearchUtils

    found = SearchUtils.parse_search_filter(text)
    return [Clause(each["type"], each["key"], each["comparator"].upper(), each["value"]) for each in found]


def comparison(comparator: str) -> Callable[[Any, Any], bool]:
    """The function that compares a cell with the value of a clause; raises KeyError for an unknown comparator."""
    from mlflow.utils.search_utils import SearchUtils

    return SearchUtils.get_comparison_func(comparator)


# The SQL tables. NaN is stored as 0 with is_nan, ±infinity as ±1.797e308.


def _table(name: str, *columns: str) -> Any:
    return table(name, *(column(each) for each in columns))


RUNS = _table("runs", "run_uuid", "name", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage")
EXPERIMENTS = _table("experiments", "experiment_id", "name")
PARAMS = _table("params", "run_uuid", "key", "value")
TAGS = _table("tags", "run_uuid", "key", "value")
LATEST_METRICS = _table("latest_metrics", "run_uuid", "key", "value", "timestamp", "is_nan")
METRICS = _table("metrics", "run_uuid", "key", "step", "timestamp", "value", "is_nan")
TABLES = (RUNS, EXPERIMENTS, PARAMS, TAGS, LATEST_METRICS, METRICS)
