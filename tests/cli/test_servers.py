"""Servers listen on this machine only, and accept only its own names as Host."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.cli import main, servers
from lab.errors import LabError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["mlflow", "dashboard"])
def server(request: pytest.FixtureRequest, workplace: Path) -> Iterator[tuple[str, int]]:
    """A server that the lab started, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "lab", request.param, "--port", str(port)]
    log = workplace / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True)
    until = time.monotonic() + 150
    try:
        while not _listens(port):
            assert time.monotonic() < until, "it does not start"
            time.sleep(0.2)
        yield request.param, port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


CHANNEL = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
CHANNEL["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
WAYS = {"mlflow": ("/", {}), "dashboard": ("/_stcore/stream", CHANNEL)}  # what gives away runs


def status(server: tuple[str, int], host: str) -> int:
    name, port = server
    path, headers = WAYS[name]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Host": host, **headers})
    return connection.getresponse().status


def test_a_server_listens_on_loopback_and_accepts_only_its_own_names(server: tuple[str, int]) -> None:
    name, port = server
    listening_on = {
        each.laddr.ip for each in psutil.net_connections("tcp") if each.status == "LISTEN" and each.laddr.port == port
    }
    assert listening_on == {"127.0.0.1"}
    assert status(server, f"localhost:{port}") in (101, 200)
    assert status(server, f"127.0.0.1:{port}") in (101, 200)
    assert status(server, "evil.example") == 403
    if name == "dashboard":  # Streamlit 1.67 has the logger that the lab silences: nothing about a missing runtime
        for line in Path("server.log").read_text().splitlines():
            assert "server started" in line or "Rejecting WebSocket" in line


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 0, "--port: 0 is not a port"),
        ("evil.example", 5000, "--host: 'evil.example' is not an address of this machine"),
        ("192.0.2.7", 5000, "--host: cannot listen on 192.0.2.7"),
    ],
)
def test_an_invalid_address_is_refused(host: str, port: int, message: str) -> None:
    with pytest.raises(LabError, match=message):
        servers.check_address(host, port)


def test_a_port_in_use_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main.main(["mlflow", "--port", str(port)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"lab: port {port} is in use; choose another with PORT={port + 1}\n"


def test_a_server_on_another_address_warns_what_it_exposes(capsys: pytest.CaptureFixture[str]) -> None:
    servers.warn_if_exposed("127.0.0.1", "everything")
    assert capsys.readouterr().err == ""
    servers.warn_if_exposed("0.0.0.0", "everything")
    assert capsys.readouterr().err == "lab: --host 0.0.0.0: everything, without a password\n"
    assert servers.host_names("127.0.0.1") == ("127.0.0.1", "localhost")
    assert socket.gethostname() in servers.host_names("0.0.0.0")
