"""A real MLflow server that can be stopped, frozen and started again, behind a gate that can misbehave."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

LONGEST_START = 120.0  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """An MLflow server of one process, in a process group of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        place = ["--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        place += ["--artifacts-destination", str(self.folder / "artifacts")]
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(self.port), "--workers", "1", *place]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
            self._process = subprocess.Popen(
                command, env=environment | quiet, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + LONGEST_START
        while not self._answers():
            assert time.monotonic() < until, "the MLflow server does not start"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1):
                return True
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of it."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self._process.wait()


class Gate:
    """Stands before a server, at an address that stays the same; `mode` says what becomes of a request.

    pass: it is answered. error: status 500. garbage: an answer that is no JSON. lost: the server does what it is
    asked for, and the answer is lost. closed: nobody listens.
    """

    def __init__(self, port: int):
        self.mode = "pass"
        self.lose = ""  # in mode "pass": the end of a path whose next answer is lost
        self.lost: list[str] = []
        self.port = free_port()
        self._behind = port
        self._httpd: ThreadingHTTPServer | None = None
        self.open()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen."""
        self.mode = "pass"
        handler = type("Handler", (_Handler,), {"gate": self, "behind": self._behind})
        ThreadingHTTPServer.allow_reuse_address = True
        self._httpd = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._httpd.daemon_threads = True
        threading.Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Listen no more, and answer nobody who is connected."""
        self.mode = "closed"
        if self._httpd is not None:
            self._httpd.shutdown()
            self._httpd.server_close()
            self._httpd = None


class _Handler(BaseHTTPRequestHandler):
    """One request after the other of one connection."""

    protocol_version = "HTTP/1.1"
    gate: Gate
    behind: int

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mode = self.gate.mode
        if mode == "closed":
            self.close_connection = True
        elif mode in ("error", "garbage"):
            self._answer(500 if mode == "error" else 200, b"<html>an error page</html>", {})
        else:
            self._forward(body, mode)

    def _forward(self, body: bytes, mode: str) -> None:
        kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        try:
            behind = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=60)
            behind.request(self.command, self.path, body or None, kept)
            response = behind.getresponse()
            content = response.read()
        except OSError:
            self.close_connection = True
            return
        if mode == "lost" or (self.gate.lose and self.path.endswith(self.gate.lose)):
            self.gate.lose = ""
            self.gate.lost.append(self.path)
            self.close_connection = True
            return
        self._answer(response.status, content, dict(response.getheaders()))

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", headers.get("content-type", "text/html"))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
