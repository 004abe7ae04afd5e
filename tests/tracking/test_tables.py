"""Both ways to read a store give the same tables."""

import math
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import postgresql
import pytest
import sqlalchemy
from mlflow import MlflowClient
from mlflow.entities import Metric
from sqlalchemy.pool import NullPool

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.reading import run_table
from lab.tracking.reading.tables import ClientTables, SqlTables, Tables, open_tables

NOW = int(time.time() * 1000)


@pytest.fixture(scope="session")
def prepared_postgresql() -> Iterator[str]:
    """The address of a server with a database `template` that holds MLflow's empty tables."""
    with postgresql.server() as address:
        _create_database(address, "template", "template1")
        code = f"from mlflow import MlflowClient; MlflowClient('{address}/template').search_experiments()"
        subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)
        yield address


def _create_database(address: str, name: str, template: str) -> None:
    engine = sqlalchemy.create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name} TEMPLATE {template}"))


@pytest.fixture
def at_postgresql(prepared_postgresql: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty store in PostgreSQL, which the lab is configured to use."""
    name = f"store_{uuid.uuid4().hex}"
    _create_database(prepared_postgresql, name, "template")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{prepared_postgresql}/{name}")
    return name


@pytest.fixture
def client(workplace: Path) -> MlflowClient:
    return store.client()


@pytest.fixture
def ids(client: MlflowClient) -> list[str]:
    """An experiment with a finished run, a running one, and an archived one; the finished one has odd values."""
    experiment = client.create_experiment("first")
    runs = [
        client.create_run(experiment, start_time=NOW + index, run_name=f"run {index}").info.run_id for index in range(3)
    ]
    values = [1.0, float("nan"), float("inf"), float("-inf"), 0.25]
    metrics = [Metric("val/loss", value, NOW + step, step) for step, value in enumerate(values, 1)]
    client.log_batch(
        runs[0], metrics=[*metrics, Metric("odd", float("nan"), NOW, 1), Metric("up", float("inf"), NOW, 1)]
    )
    client.log_param(runs[0], "optimizer.lr", "0.1")
    client.log_param(runs[1], "optimizer.lr", "0.2")
    client.set_tag(runs[1], "mine", "yes 'indeed'")
    client.set_terminated(runs[0], "FINISHED", NOW + 9)
    client.delete_run(runs[2])
    return runs


@pytest.fixture(params=["sqlite", "postgresql", "client"])
def tables(request: pytest.FixtureRequest, workplace: Path) -> Tables:
    """Each way to read a store; the test creates its runs in the one that is read."""
    if request.param == "postgresql":
        request.getfixturevalue("at_postgresql")
    client = request.getfixturevalue("client")
    return ClientTables(client) if request.param == "client" else SqlTables(store.tracking_uri())


def test_all_runs_the_latest_first_with_settings_tags_and_last_values(tables: Tables, ids: list[str]) -> None:
    table = tables.runs()
    assert table.ids == [ids[1], ids[0]]
    assert list(table.info["name"]) == ["run 1", "run 0"]
    assert list(table.info["experiment"]) == ["first", "first"]
    assert list(table.info["status"]) == ["RUNNING", "FINISHED"]
    assert table.info.at[ids[0], "started"] == NOW
    assert table.info.at[ids[0], "ended"] == NOW + 9
    assert math.isnan(table.info.at[ids[1], "ended"])
    assert table.info.at[ids[0], "reported"] == NOW + 5
    assert table.params["optimizer.lr"].to_dict() == {ids[0]: "0.1", ids[1]: "0.2"}
    assert table.tags.at[ids[1], "mine"] == "yes 'indeed'"
    assert pd.isna(table.tags.at[ids[0], "mine"])
    assert table.metrics.at[ids[0], "val/loss"] == 0.25


def test_nan_and_infinity_come_back_as_they_were(tables: Tables, ids: list[str]) -> None:
    table = tables.runs()
    assert math.isnan(table.metrics.at[ids[0], "odd"])
    assert table.metrics.at[ids[0], "up"] == math.inf
    values = list(tables.histories([ids[0]], ["val/loss"])["value"])
    assert values[0] == 1.0
    assert math.isnan(values[1])
    assert values[2:] == [math.inf, -math.inf, 0.25]


def test_histories_of_chosen_runs_and_metrics_and_only_newer_ones(tables: Tables, ids: list[str]) -> None:
    found = tables.histories(ids[:2], ["val/loss"])
    assert list(found.columns) == ["run", "metric", "step", "time", "value"]
    assert list(found["step"]) == [1, 2, 3, 4, 5]
    newer = tables.histories(ids[:2], ["val/loss", "odd"], {ids[0]: NOW + 4, ids[1]: 0})
    assert list(newer["step"]) == [4, 5]
    assert tables.histories([], ["val/loss"]).empty
    assert tables.histories(ids, []).empty


def test_some_runs_and_archived_runs(tables: Tables, ids: list[str]) -> None:
    assert tables.runs([ids[0], "gone"]).ids == [ids[0]]
    assert tables.runs([]).ids == []
    assert tables.runs(archived=True).ids == [ids[2]]


def test_states_are_those_of_the_table(tables: Tables, ids: list[str]) -> None:
    states = tables.states()
    info = tables.runs().info
    pd.testing.assert_frame_equal(states.loc[info.index], info[["name", "status", "ended"]], check_names=False)


def test_an_empty_store_gives_empty_tables(tables: Tables) -> None:
    table = tables.runs()
    assert table.ids == []
    assert table.metrics.empty
    assert tables.states().empty


@pytest.mark.parametrize("fixture", ["workplace", "at_postgresql"])
def test_reading_writes_nothing(fixture: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(fixture)
    engine = SqlTables(store.client().tracking_uri)._engine
    with engine.connect() as connection, pytest.raises(Exception, match=r"read-?only"):
        connection.exec_driver_sql("DELETE FROM runs")


def test_reading_continues_while_another_process_writes(client: MlflowClient, ids: list[str]) -> None:
    with sqlite3.connect(store.database()) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE runs SET name = 'not yet'")
        assert "not yet" not in set(SqlTables(store.tracking_uri()).runs().info["name"])
        writer.rollback()


def test_a_store_that_is_missing_or_is_not_a_database(empty_workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match="no runs yet"):
        open_tables()
    other = empty_workplace / "other.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    with pytest.raises(LabError, match="there is no"):
        open_tables()
    assert not other.exists()
    other.write_text("this is no database")
    with pytest.raises(LabError, match="cannot be read"):
        open_tables().runs()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://user:secret@127.0.0.1:9/none")
    with pytest.raises(LabError) as error:
        open_tables().runs()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.`val/loss` < 0.5",
        "metrics.`val/loss` > 0.5",
        "params.`optimizer.lr` = '0.2'",
        "params.`optimizer.lr` != '0.2'",
        "tags.mine LIKE 'yes%' and attributes.status = 'RUNNING'",
        "attributes.run_name ILIKE 'RUN 0'",
        "attributes.start_time > 0",
        "tags.absent = 'x'",
    ],
)
def test_filters_mean_what_they_mean_to_mlflow(client: MlflowClient, ids: list[str], text: str) -> None:
    table = SqlTables(store.tracking_uri()).runs()
    experiments = [each.experiment_id for each in client.search_experiments()]
    expected = {run.info.run_id for run in client.search_runs(experiments, text)}
    assert set(table.info.index[run_table.matching(table, text)]) == expected


@pytest.mark.parametrize("text", ["nonsense", "metrics.loss ~ 3", "metrics.loss < 'x'", "datasets.name = 'a'", "= ="])
def test_a_bad_filter_is_an_error(client: MlflowClient, ids: list[str], text: str) -> None:
    with pytest.raises(LabError, match="filter"):
        run_table.matching(SqlTables(store.tracking_uri()).runs(), text)
