"""The contract with the parts of MLflow that are not its public interface.

A failure here after an upgrade of MLflow means: adapt lab/tracking/mlflow_internals.py, then raise its VERSIONS and the
bounds in pyproject.toml.
"""

import re
import sqlite3
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from packaging.specifiers import SpecifierSet
from shipped import PROJECT

from lab.tracking import mlflow_internals, store
from lab.tracking.mlflow_internals import Clause, comparison, parse_filter

ADAPT = "MLflow has changed: adapt lab/tracking/mlflow_internals.py"


def test_the_installed_mlflow_is_one_for_which_the_file_holds() -> None:
    assert version("mlflow") in SpecifierSet(mlflow_internals.VERSIONS), ADAPT


def test_the_package_requires_the_same_versions() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (required,) = (each for each in project["dependencies"] if re.match(r"mlflow\b", each))
    assert required == f"mlflow{mlflow_internals.VERSIONS}"


@pytest.mark.parametrize("table", mlflow_internals.TABLES, ids=lambda table: table.name)
def test_the_tables_have_the_columns_that_are_read(workplace: Path, table: object) -> None:
    with sqlite3.connect(store.database()) as connection:
        found = {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}
    assert {column.name for column in table.c} <= found, f"{ADAPT}: table {table.name} has {sorted(found)}"


def test_the_tables_hold_what_was_logged(workplace: Path) -> None:
    client = store.client()
    run = client.create_run("0", start_time=7, run_name="name").info.run_id
    values = [(1.0, 1), (float("nan"), 2), (float("inf"), 3), (float("-inf"), 4)]
    client.log_batch(run, metrics=[Metric("loss", value, 1000 + step, step) for value, step in values])
    client.log_param(run, "lr", "0.1")
    client.set_tag(run, "key", "value")
    client.set_terminated(run, "FINISHED", 9)
    largest = 1.7976931348623157e308
    expected = {
        mlflow_internals.RUNS: [(run, "name", 0, "FINISHED", 7, 9, "active")],
        mlflow_internals.EXPERIMENTS: [(0, "Default")],
        mlflow_internals.PARAMS: [(run, "lr", "0.1")],
        mlflow_internals.LATEST_METRICS: [(run, "loss", -largest, 1004, 0)],
        mlflow_internals.METRICS: [
            (run, "loss", 1, 1001, 1.0, 0),
            (run, "loss", 2, 1002, 0.0, 1),
            (run, "loss", 3, 1003, largest, 0),
            (run, "loss", 4, 1004, -largest, 0),
        ],
    }
    with sqlite3.connect(store.database()) as connection:
        for table, rows in expected.items():
            columns = ", ".join(column.name for column in table.c)
            assert sorted(connection.execute(f"SELECT {columns} FROM {table.name}")) == rows, f"{ADAPT}: {table.name}"
        tags = dict(connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", [run]))
    assert tags["key"] == "value"
    client.delete_run(run)
    with sqlite3.connect(store.database()) as connection:
        assert list(connection.execute("SELECT lifecycle_stage FROM runs")) == [("deleted",)], ADAPT


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", []),
        ("metrics.loss < 0.5", [Clause("metric", "loss", "<", "0.5")]),
        (
            "params.`optimizer.lr` = '0.1' AND tags.mine like 'a%'",
            [Clause("parameter", "optimizer.lr", "=", "0.1"), Clause("tag", "mine", "LIKE", "a%")],
        ),
        ("attributes.status != 'FAILED'", [Clause("attribute", "status", "!=", "FAILED")]),
        ("attributes.run_id IN ('a', 'b')", [Clause("attribute", "run_id", "IN", ("a", "b"))]),
        ("tags.mine IS NOT NULL", [Clause("tag", "mine", "IS NOT NULL", None)]),
    ],
)
def test_filters_are_parsed(text: str, clauses: list[Clause]) -> None:
    assert parse_filter(text) == clauses, ADAPT


@pytest.mark.parametrize("text", ["nonsense", "metrics.loss <", "metrics.loss < 'x'"])
def test_bad_filters_are_refused(text: str) -> None:
    with pytest.raises(MlflowException):
        parse_filter(text)


@pytest.mark.parametrize(
    ("comparator", "cell", "value", "expected"),
    [
        ("<", 1.0, 2.0, True),
        (">=", 1.0, 2.0, False),
        ("=", "a", "a", True),
        ("!=", "a", "a", False),
        ("LIKE", "Oslo", "O%", True),
        ("LIKE", "oslo", "O%", False),
        ("ILIKE", "oslo", "O%", True),
        ("IN", "a", ("a", "b"), True),
    ],
)
def test_comparisons_mean_what_they_say(comparator: str, cell: object, value: object, expected: bool) -> None:
    assert bool(comparison(comparator)(cell, value)) is expected, ADAPT


def test_an_unknown_comparison_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        comparison("~")
