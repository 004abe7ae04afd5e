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
import pytest
from waiting import wait_until

TOKEN = "a-token-of-these-tests-0123456789abcdef"
ENVIRONMENT = {  # also of whoever drives the cluster
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "30",  # until a driver whose cluster is gone gives up
    "RAY_enable_worker_prestart": "0",  # of workers that a study, which has a working folder of its own, cannot use
    "RAY_prestart_worker_first_driver": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",  # which a study without a cluster sets to 0 in its process
    "RAY_worker_niceness": "0",  # its default gives workers the lowest priority
}
NAMESPACES = (("--mount",), ("--user", "--map-root-user", "--mount"))  # as root, or where anybody may have one
HIDE = 'mount -t tmpfs tmpfs "$0" && exec "$@"'
RAY = str(Path(sys.executable).parent / "ray")


class Nodes:
    """A head and further nodes, each one core of Ray; nodes other than the head do not see the folders `hidden`."""

    def __init__(self, folder: Path, hidden: Path):
        self._folder = folder
        self._hide = [*hiding(folder), str(hidden)]
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
        self._start(name, [*self._hide, *node], environment)

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
                env={**os.environ, **ENVIRONMENT, "NODE": name, **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: "block forever" in log.read_text() or self._running[name].poll() is not None)
        assert self._running[name].poll() is None, log.read_text()


def hiding(folder: Path) -> list[str]:
    """How to run a command that does not see the next argument, a folder; skips where nobody may hide one."""
    if shutil.which("unshare"):
        for namespaces in NAMESPACES:
            hide = ["unshare", *namespaces, "sh", "-c", HIDE]
            if subprocess.run([*hide, str(folder), "true"], capture_output=True, check=False).returncode == 0:
                return hide
    pytest.skip("needs mounts of its own (unshare --mount): root, or user namespaces")


@contextmanager
def cluster(hidden: Path) -> Iterator[Nodes]:
    """A head and a node `other`."""
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))  # a path of pytest is too long for Ray's sockets
    try:
        nodes = Nodes(folder, hidden)
    except BaseException:
        folder.rmdir()
        raise
    try:
        nodes.start_head()
        nodes.add("other")
        yield nodes
    finally:
        nodes.stop()
        shutil.rmtree(folder, ignore_errors=True)
