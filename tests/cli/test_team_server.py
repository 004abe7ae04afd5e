"""`lab server`: a real MLflow server with passwords on a real PostgreSQL, and the lab against it."""

import contextlib
import http.client
import http.server
import os
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from team import ADA, ADMIN, Team
from werkzeug.security import check_password_hash, generate_password_hash

from lab.cli import main
from lab.config.experiment import load
from lab.errors import LabError
from lab.tracking import models, store
from lab.tracking import server as asked
from lab.tracking.reading import stored_runs
from lab.training.run import run


@pytest.fixture
def member(served: Team, tiny: str, monkeypatch: pytest.MonkeyPatch) -> Team:
    """The environment of ada, who is no admin."""
    sign_in(monkeypatch, served.uri, ADMIN)
    from mlflow.exceptions import MlflowException
    from mlflow.server import get_app_client

    with contextlib.suppress(MlflowException):  # of another test
        get_app_client("basic-auth", tracking_uri=served.uri).create_user(*ADA.values())
    sign_in(monkeypatch, served.uri, ADA)
    return served


def sign_in(monkeypatch: pytest.MonkeyPatch, uri: str, user: dict[str, str]) -> None:
    asked.check_before_training.cache_clear()
    for name, value in {"MLFLOW_TRACKING_URI": uri, **user}.items():
        monkeypatch.setenv(name, value)


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main.main(list(arguments))
    return int(ended.value.code or 0)


def ask(served: Team, headers: dict[str, str]) -> int:
    """The status of the answer to a small question."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    connection.request("GET", "/api/2.0/mlflow/experiments/search?max_results=1", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def basic_auth(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


# With the server


def test_it_prints_the_variables_of_the_team_and_no_password(served: Team) -> None:
    assert f"export MLFLOW_TRACKING_URI={served.uri}\n" in served.said
    assert "export MLFLOW_TRACKING_USERNAME=admin" in served.said
    assert "export LAB_STUDY_STORAGE=postgresql://USER:PASSWORD@127.0.0.1" in served.said
    assert ADMIN["MLFLOW_TRACKING_PASSWORD"] not in served.said
    assert served.process is not None
    seen_by_all = Path(f"/proc/{served.process.pid}/cmdline").read_text()
    assert "postgresql" not in seen_by_all
    assert (served.folder / "server" / "users.ini").stat().st_mode & 0o077 == 0


def test_a_password_is_not_hashed_anew_for_every_request(served: Team) -> None:
    requests = 40
    hashed = generate_password_hash(ADMIN["MLFLOW_TRACKING_PASSWORD"])
    began = time.process_time()
    for _ in range(requests):
        check_password_hash(hashed, ADMIN["MLFLOW_TRACKING_PASSWORD"])
    hashing, before = time.process_time() - began, served.cpu_seconds()
    for _ in range(requests):
        assert ask(served, basic_auth(*ADMIN.values())) == 200
    assert served.cpu_seconds() - before < 0.8 * hashing  # else it is more than the hashing alone


def test_a_stranger_and_a_foreign_name_are_refused(served: Team) -> None:
    assert ask(served, {"Host": f"127.0.0.1:{served.port}"}) == 401
    assert ask(served, {"Host": "evil.example"}) == 403


def test_a_run_of_a_member_is_whole_on_the_server(member: Team) -> None:
    result = run(load("tiny"))
    assert result.run_id is not None
    found = stored_runs.find(result.run_id)
    assert found.tags["mlflow.user"] == "ada"
    assert found.artifact("config.yaml").read_text().startswith("# Does it run?")
    assert (
        store.client().get_run(result.run_id).inputs.dataset_inputs[0].dataset.digest == found.tags["data.fingerprint"]
    )


def test_the_store_of_a_laptop_arrives_whole(
    member: Team, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    local = run(load("tiny", ["trainer.max_epochs=1", "seed=5"]))
    assert [command("sync", "--to", member.uri), command("sync", "--to", member.uri)] == [0, 0]
    said = capsys.readouterr().out
    assert f"runs copied to {member.uri}, each verified by its hash: 1; there already: 0" in said
    assert f"runs copied to {member.uri}, each verified by its hash: 0; there already: 1" in said
    monkeypatch.setenv("MLFLOW_TRACKING_URI", member.uri)
    copy = stored_runs.find("latest:tiny")
    assert (copy.tags["lab.sync.source"], copy.params["seed"]) == (local.run_id, "5")
    assert models.download(copy).is_dir()


def test_a_backup_restores_runs_and_users(member: Team) -> None:
    result = run(load("tiny", ["trainer.max_epochs=1"]))
    assert result.run_id is not None
    before = store.client().get_run(result.run_id).data.metrics
    member.stop()
    address, name = f"{member.postgresql}/mlflow", member.folder / "mlflow.dump"
    subprocess.run(["pg_dump", "--format=custom", f"--file={name}", address], check=True)
    with psycopg.connect(f"{member.postgresql}/postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE mlflow")
        connection.execute("CREATE DATABASE mlflow")
    subprocess.run(["pg_restore", f"--dbname={address}", name], check=True)
    member.start()
    assert store.client().get_run(result.run_id).data.metrics == before
    assert stored_runs.find(result.run_id).artifact("config.yaml").exists()


# What is refused before a training


def test_a_wrong_password_is_one_line_before_any_training(
    member: Team, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(monkeypatch, member.uri, {**ADA, "MLFLOW_TRACKING_PASSWORD": "wrong"})
    assert [command("run", "tiny"), command("runs")] == [2, 2]
    for line in capsys.readouterr().err.splitlines():
        assert line.startswith(f"lab: MLFLOW_TRACKING_URI: the server {member.uri} does not take the password of 'ada'")
    assert not list(store.journals().glob("*"))


@pytest.fixture
def old(tiny: str) -> Iterator[str]:
    """A server that says that it is MLflow 2.9: the versions of today do not install one of then."""

    class Old(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"2.9.2")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Old) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def test_an_older_mlflow_is_refused_before_any_training(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch, old, {})
    with pytest.raises(LabError, match=r"runs MLflow 2\.9\.2; the lab needs 3\.0 or newer there"):
        run(load("tiny"))
    assert not list(store.journals().glob("*"))


def test_a_server_that_is_away_is_one_line_and_costs_no_record(
    tiny: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_in(monkeypatch, "http://127.0.0.1:9", {})
    store.check_writable()
    store.check_writable()  # said once
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the tracking server http://127.0.0.1:9 does not answer (ConnectionError); records are kept" in said


# What is refused at its start


@pytest.mark.parametrize(
    ("arguments", "password", "message"),
    [
        (["--host", "0.0.0.0"], "", "other machines could read, change and delete all runs; set MLFLOW_AUTH_ADMIN_PAS"),
        (["--host", "0.0.0.0"], "short", "MLFLOW_AUTH_ADMIN_PASSWORD: 5 characters are too few; use 12 or more"),
        (["--name", "*.example.org"], "", "--name: '*.example.org' is not the name of a machine"),
        (["--database", "postgresql://lab:secret@127.0.0.1:9/x"], "", "postgresql+psycopg://127.0.0.1:9/x does not an"),
        (["--database", "runs.db"], "", "--database: 'runs.db' is not a database"),
    ],
)
def test_a_server_that_would_stand_open_or_fail_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    password: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {**os.environ, "MLFLOW_AUTH_ADMIN_PASSWORD": password})
    assert command("server", "--port", "5987", *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert "secret" not in line
