"""A real PostgreSQL server for tests, in a folder of its own and on this machine alone."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HINT = "needs a PostgreSQL server: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, which Debian keeps off the PATH."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(found) if (folder / "initdb").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """The address of a running server, without a database's name; skips where there is none, but in CI fails.

    Its files are not among pytest's, which any other session of pytest closes to other users.
    """
    found = programs()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(HINT)
        pytest.skip(HINT)
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    data = folder / "data"
    data.mkdir()
    user = _unprivileged(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={data} -c fsync=off"
    _run(user, found / "initdb", "-D", data, "-U", "lab", "-A", "trust", "--no-sync")
    _run(user, found / "pg_ctl", "-D", data, "-l", data / "log", "-w", "-o", settings, "start")
    try:
        yield f"postgresql://lab@127.0.0.1:{port}"
    finally:
        _run(user, found / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _unprivileged(folder: Path) -> list[str]:
    """How to run a command as somebody else, where we are root: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    shutil.chown(folder / "data", "postgres", "postgres")
    folder.chmod(0o755)
    return ["runuser", "-u", "postgres", "--"]


def _run(user: list[str], *command: object) -> None:
    subprocess.run([*user, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")
