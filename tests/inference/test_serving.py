"""A run's model in MLflow's registry and behind MLflow's scoring server."""

import json
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_data import shop_rows

import lab
from lab.cli import servers
from lab.errors import LabError
from lab.inference import serving
from lab.tracking import models
from lab.tracking.reading import stored_runs


def test_a_promoted_model_is_found_by_its_name_with_plain_mlflow(folder: Path) -> None:
    import mlflow

    first, second = stored_runs.find("shop"), stored_runs.find("shop seed=1")
    version = models.promote(first, "customers", "champion")
    assert (version.number, version.previous, version.uri) == ("1", None, "models:/customers@champion")
    rows = shop_rows(3)
    predicted = mlflow.pyfunc.load_model("models:/customers@champion").predict(rows)
    assert list(predicted["prediction"]) == list(lab.load(first.id).predict(rows)["prediction"])
    version = models.promote(second, "customers", "champion")
    assert (version.number, version.previous) == ("2", "1")
    assert models.promote(first, "customers", "rollback").number == "1"  # the version that it was
    found = first.client.get_model_version_by_alias("customers", "champion")
    assert (found.run_id, found.tags["lab.run"]) == (second.id, second.id)
    with pytest.raises(LabError, match="--as 'a/b': a name of letters"):
        models.promote(first, "a/b", "champion")


@pytest.mark.timeout(400)  # three programs import MLflow, one after the other
def test_the_scoring_server_answers_raw_rows(folder: Path, trained: Path) -> None:
    with served(trained, "shop") as (port, printed):
        request = shlex.split(next(line for line in printed if line.startswith("curl")))
        shown = json.loads(request[-1])
        assert set(shown["dataframe_records"][0]) == {"age", "city", "income"}
        assert len(str(shown["dataframe_records"][0]["income"])) <= 8
        rows = shop_rows(3)
        for body, expected in (
            (shown, None),
            ({"dataframe_records": json.loads(rows.to_json(orient="records"))}, lab.load("shop").predict(rows)),
        ):
            answer = post(port, body)["predictions"]
            assert set(answer[0]) == {"prediction", "probability of no", "probability of yes"}
            if expected is not None:
                predicted = [row["probability of yes"] for row in answer]
                np.testing.assert_allclose(predicted, expected["probability of yes"], rtol=1e-5)
        check_forms(port, rows)
        check_refusals(port)
        with pytest.raises(LabError, match=f"port {port} is in use; choose another with --port {port + 1}"):
            servers.serve_model(stored_runs.find("shop"), port)


def check_forms(port: int, rows: pd.DataFrame) -> None:
    """CSV and JSON of the same rows, with an empty cell, give the same answers, whatever else is in the request."""
    rows = rows.assign(city=[None, *rows["city"][1:]])
    records = json.loads(rows.to_json(orient="records"))
    expected = post(port, {"dataframe_records": records})
    status, answer = ask(port, rows.to_csv(index=False), {"Content-Type": "text/csv"})
    assert (status, json.loads(answer)) == (200, expected)
    for number, record in enumerate(records):
        (alone,) = post(port, {"dataframe_records": [record]})["predictions"]
        assert alone["prediction"] == expected["predictions"][number]["prediction"]
        probability = expected["predictions"][number]["probability of yes"]
        assert alone["probability of yes"] == pytest.approx(probability, rel=1e-5)


def check_refusals(port: int) -> None:
    """What is wrong with a request is one line, with code 400."""
    age = '{"dataframe_records": [{"age": "old", "city": "Oslo", "income": 1}]}'
    for body, said in (
        (age, "column 'age', row 1: 'old' is not a number; correct it or leave the cell empty"),
        ('{"dataframe_records": [{"agee": 1, "town": 2}]}', "no column 'age' in the data; it takes age, city, income"),
        ("[1, 2", "valid JSON"),
        ("{}", "exactly one of the input fields"),
        ("\xff", "JSON"),
    ):
        status, answer = ask(port, body, {"Content-Type": "application/json"})
        assert status == 400
        error = json.loads(answer)["error"]
        assert said in error
        assert "\n" not in error
        assert "Traceback" not in answer
    status, answer = ask(port, "", {"Content-Type": "text/csv"})
    assert (status, json.loads(answer)) == (400, {"error": "the CSV cannot be read: No columns to parse from file"})
    assert ask(port, age, {"Host": "elsewhere.example"})[0] == 400
    status, answer = ask(port, age, {"Origin": "http://elsewhere.example"})
    assert (status, "elsewhere.example are refused" in answer) == (403, True)


def ask(port: int, body: str, headers: dict[str, str]) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body.encode("latin-1"), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_an_example_has_null_for_what_json_does_not_have() -> None:
    content = {"data": [[1.5, float("nan")], ["a", float("inf")]], "n": 3}
    assert serving.without_nan(content) == {"data": [[1.5, None], ["a", None]], "n": 3}


def post(port: int, body: object) -> dict[str, list[dict[str, float]]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


@contextmanager
def served(folder: Path, run: str) -> Iterator[tuple[int, list[str]]]:
    """The port of a server, and what `lab serve` printed; no server is left behind."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "serve.log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "lab", "serve", run, "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, stdout=file, stderr=file)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5)
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, log.read_text()
                time.sleep(0.2)
        yield port, log.read_text().splitlines()
    finally:
        process.terminate()
        process.wait(30)


def test_the_name_of_a_file_is_no_table(folder: Path) -> None:
    with pytest.raises(LabError, match="a DataFrame of rows is expected, not str; read a file with pandas first"):
        lab.load("shop").predict("new.csv")


def test_what_mlflow_says_of_an_array_is_its_reason_and_not_the_beginning_of_the_data() -> None:
    said = "Failed to predict data '   nonsense\n0  1.0'. \nError: Failed to enforce schema. Error: column is scalar."
    assert serving.one_line({"message": said}) == "column is scalar."
