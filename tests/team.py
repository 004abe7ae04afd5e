"""A team's server for tests: `lab server` as a process, on a real PostgreSQL, with passwords."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest

ADMIN = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "correct-horse-1"}
ADA = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": "battery-staple-2"}
LONGEST_START = 150.0


@dataclass
class Team:
    """A running server: its folder, its PostgreSQL, what it printed, and the address that it gave."""

    folder: Path
    postgresql: str
    database: str
    port: int
    said: str = ""
    process: "subprocess.Popen[str] | None" = None

    @property
    def uri(self) -> str:
        """The address that it gave."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start `lab server`, and wait until it answers."""
        command = [sys.executable, "-m", "lab", "server", "--port", str(self.port)]
        settings = {
            "LAB_SERVER_DATABASE": f"{self.postgresql}/{self.database}",
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN["MLFLOW_TRACKING_PASSWORD"],
        }
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **settings},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        until = time.monotonic() + LONGEST_START
        while not self._answers():
            assert time.monotonic() < until, (self.folder / "server.log").read_text()
            time.sleep(0.2)
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        self.said = "".join(line for line, _ in zip(lines, range(5), strict=False))

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.uri}/health", timeout=1):
                return True
        except OSError:
            return False

    def cpu_seconds(self) -> float:
        """What its processes have computed so far."""
        assert self.process is not None
        server = psutil.Process(self.process.pid)
        times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
        return sum(time.user + time.system for time in times)

    def stop(self) -> None:
        """End it."""
        assert self.process is not None
        assert self.process.stdout is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def running(folder: Path, postgresql: str) -> Iterator[Team]:
    """A server with the users admin and ada."""
    if find_spec("flask_wtf") is None:
        hint = "needs the package Flask-WTF: pip install -e '.[server]'"
        pytest.fail(hint) if os.environ.get("CI") else pytest.skip(hint)
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        team = Team(folder, postgresql, "mlflow", int(probe.getsockname()[1]))
    team.start()
    try:
        yield team
    finally:
        team.stop()
