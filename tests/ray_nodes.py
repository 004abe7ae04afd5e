"""Real Ray nodes on this machine, each in a folder of its own, as if they were servers of a team."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from waiting import wait_until

TOKEN = "a-token-of-these-tests-0123456789abcdef"
ENVIRONMENT = {  # also of whoever drives the cluster
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_period_ms": "1000",
}
RAY = str(Path(sys.executable).parent / "ray")


class Nodes:
    """A head and further nodes, each one core of Ray; nodes other than the head do not see the folders `hidden`."""

    def __init__(self, folder: Path, hidden: Path):
        self._folder = folder
        self._hidden = hidden
        self._running: dict[str, subprocess.Popen] = {}
        self.gate = folder / "gate"  # a file that all nodes see
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"

    def start_head(self) -> None:
        port = self.address.rpartition(":")[2]
        options = ("--head", "--port", port, "--include-dashboard", "false", "--temp-dir", str(self._folder / "ray"))
        self._start("head", [RAY, "start", *options])

    def add(self, name: str, environment: Mapping[str, str] = {}) -> None:
        """Start a node in an empty folder, in which the project is not to be seen, unless it runs."""
        if name in self._running:
            return
        node = [RAY, "start", "--address", self.address]
        hide = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
        own_mounts = ["unshare", "--mount", "sh", "-c", hide, str(self._hidden)] if os.getuid() == 0 else []
        self._start(name, [*own_mounts, *node], environment)

    def processes(self, name: str) -> list[psutil.Process]:
        """What a node has started."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._running[name].pid).children(recursive=True)
        return []

    def kill(self, name: str) -> None:
        """Kill all processes of a node at once, as if its power failed."""
        for each in self.processes(name):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for name in list(self._running)[::-1]:
            self.kill(name)

    def _start(self, name: str, command: list[str], environment: Mapping[str, str] = {}) -> None:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        sizes = ("--num-cpus", "1", "--object-store-memory", "80000000", "--node-name", name)
        log = folder / "log"
        with log.open("w") as file:
            self._running[name] = subprocess.Popen(
                [*command, *sizes, "--block"],
                cwd=folder,
                env={**os.environ, **ENVIRONMENT, **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: "block forever" in log.read_text() or self._running[name].poll() is not None)
        assert self._running[name].poll() is None, log.read_text()


@contextmanager
def cluster(hidden: Path) -> Iterator[Nodes]:
    """A head and a node `other`."""
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))  # a path of pytest is too long for Ray's sockets
    nodes = Nodes(folder, hidden)
    try:
        nodes.start_head()
        nodes.add("other")
        yield nodes
    finally:
        nodes.stop()
        shutil.rmtree(folder, ignore_errors=True)
