"""A real PostgreSQL server for tests, in a folder of its own and on this machine alone."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HINT = "needs a PostgreSQL server: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian keeps off the PATH."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(found) if (folder / "initdb").exists()), None)


class Server:
    """A server that can be stopped and started again; with a password, role `lab` has to show it."""

    def __init__(self, programs: Path, folder: Path, password: str = ""):
        self._programs = programs
        self._data = folder / "data"
        self._data.mkdir()
        self._user = _unprivileged(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.address = f"postgresql://lab{f':{password}' if password else ''}@127.0.0.1:{self._port}"
        (folder / "password").write_text(password)
        shown = ("-A", "scram-sha-256", "--pwfile", folder / "password") if password else ("-A", "trust")
        self._run("initdb", "-D", self._data, "-U", "lab", "--no-sync", *shown)

    def start(self) -> None:
        """Start, and wait until it answers."""
        places = f"-c listen_addresses=127.0.0.1 -c port={self._port} -c unix_socket_directories={self._data}"
        self._run("pg_ctl", "-D", self._data, "-l", self._data / "log", "-w", "-o", f"{places} -c fsync=off", "start")

    def stop(self) -> None:
        """End all connections, and stop."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self._user, str(self._programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextmanager
def running(password: str = "") -> Iterator[Server]:
    """A running server; skips where there is none, but in CI fails.

    Its files are not among pytest's, which any other session of pytest closes to other users.
    """
    found = programs()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(HINT)
        pytest.skip(HINT)
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    server = Server(found, folder, password)
    server.start()
    try:
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):  # a test has stopped it
            server.stop()
        shutil.rmtree(folder)


@contextmanager
def server() -> Iterator[str]:
    """The address of a running server, without a database's name."""
    with running() as started:
        yield started.address


def _unprivileged(folder: Path) -> list[str]:
    """How to run a command as somebody else, where we are root: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    shutil.chown(folder / "data", "postgres", "postgres")
    folder.chmod(0o755)
    return ["runuser", "-u", "postgres", "--"]
