"""Servers: the dashboard, the MLflow UI, a model over HTTP. They listen on 127.0.0.1 unless told otherwise."""

import contextlib
import errno
import ipaddress
import logging
import os
import runpy
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from lab.errors import LabError, printable, without_password
from lab.files import to_json
from lab.tracking import models, store
from lab.tracking.reading.stored_runs import StoredRun

HOST = "127.0.0.1"
LOCAL_NAMES = (HOST, "localhost")  # the Host headers that a local server accepts: no others, against DNS rebinding
DASHBOARD_EXPOSES = "everyone who reaches this machine can read all runs and their files, rename, tag and archive them"
MLFLOW_EXPOSES = "everyone who reaches this machine can read, change and delete all runs and their files"
STREAMLIT_SETTINGS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
}
# A private name of Streamlit 1.67, whose warning about reading a cache before the server runs is harmless here.
STREAMLIT_CACHE_LOGGER = "streamlit.runtime.caching.cache_data_api"
MAX_EXAMPLE = 600  # characters to print; a longer example is read from its file


def serve_dashboard(port: int, host: str = HOST) -> None:
    """Serve the dashboard until Ctrl-C; raises LabError if it cannot start.

    This process becomes `python -m streamlit run`, so that it can fill the dashboard's cache in the meantime.
    """
    store.tracking_uri()
    check_address(host, port)
    warn_if_exposed(host, DASHBOARD_EXPOSES)
    logging.getLogger(STREAMLIT_CACHE_LOGGER).disabled = True
    import dashboard
    from dashboard import store_reads

    threading.Thread(target=_warm_up, args=(store_reads.runs,), daemon=True).start()
    app = Path(dashboard.__path__[0]) / "app.py"
    settings = STREAMLIT_SETTINGS | {"server.address": host, "server.port": str(port)}
    options = [f"--{name}={value}" for name, value in settings.items()]
    options += [f"--server.allowedHosts={name}" for name in host_names(host)]
    print(f"the dashboard on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    sys.argv = ["streamlit", "run", str(app), *options]
    runpy.run_module("streamlit", run_name="__main__")


def _warm_up(read: Callable[[], object]) -> None:
    """Read what every page needs, while the browser opens."""
    with contextlib.suppress(LabError):  # the pages show it
        read()


def serve_mlflow(port: int, host: str = HOST) -> None:
    """Replace this process by MLflow's server of the local store; raises LabError if there is nothing to serve."""
    if not store.is_local():
        raise LabError(f"runs are stored at {without_password(store.tracking_uri())}: open that address")
    if not store.database().exists():
        raise LabError(f"no runs yet: there is no {store.database()}; make one with `make experiment NAME=lstm`")
    check_address(host, port)
    warn_if_exposed(host, MLFLOW_EXPOSES)
    print(f"MLflow on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    store.quiet_mlflow()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.execv(sys.executable, mlflow_command(port, host))


def mlflow_command(port: int, host: str) -> list[str]:
    """The command that serves the local store, for requests to this server's own names only."""
    hosts = ",".join(f"{name}:{port}" for name in host_names(host))
    origins = ",".join(f"http://{name}:{port}" for name in host_names(host))
    server = ["server", "--host", host, "--port", str(port), "--workers", "1"]
    guard = ["--allowed-hosts", hosts, "--cors-allowed-origins", origins]
    data = ["--backend-store-uri", store.tracking_uri(), "--default-artifact-root", str(store.root() / "artifacts")]
    return [sys.executable, "-m", "mlflow", *server, *guard, *data]


def serve_model(run: StoredRun, port: int) -> None:
    """Serve a run's model until Ctrl-C; raises LabError if it cannot start."""
    if run.tags.get("lab.task") == "language":
        raise LabError(
            f"serve: run {run.id[:8]} writes text, which is not served; use `lab predict {run.id[:8]} --prompt ...`, "
            "or mlflow.pyfunc with numbers of characters (N, length), as in encoding.json"
        )
    folder = models.download(run)
    check_address(HOST, port, "--port ")
    store.quiet_mlflow()
    import uvicorn

    from lab.inference import serving

    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    app = serving.app(folder, LOCAL_NAMES)
    print(f"run {run.id[:8]} ({printable(run.name)}) on http://{HOST}:{port} (Ctrl-C ends it)\n")
    if note := models.undecided(run):
        print(f"{note}\n")
    print(example_request(folder, port), flush=True)
    uvicorn.run(app, host=HOST, port=port, log_level="warning")


def example_request(folder: Path, port: int) -> str:
    """A curl command that requests the prediction of a training row."""
    from lab.inference import serving

    first = to_json(_first_row(serving.example(folder)), ensure_ascii=False).replace("'", "'\\''")
    data = f"'{first}'" if len(first) <= MAX_EXAMPLE else f"@{folder / serving.EXAMPLE_FILE}"
    return f"curl http://{HOST}:{port}/invocations -H 'Content-Type: application/json' -d {data}"


def _first_row(example: dict[str, object]) -> dict[str, object]:
    """The first row of an example that may have several."""
    content = example.get("dataframe_split")
    if isinstance(content, dict):
        return {"dataframe_records": [dict(zip(content["columns"], content["data"][0], strict=True))]}
    return {name: rows[:1] if isinstance(rows, list) else rows for name, rows in example.items()}


def check_address(host: str, port: int, setting: str = "PORT=") -> None:
    """Raise LabError if nothing can listen there; `setting` is how to choose another port."""
    if not 0 < port < 65_536:
        raise LabError(f"--port: {port} is not a port; choose one from 1 to 65535")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        message = f"--host: '{host}' is not an address of this machine; write one such as {HOST} or 0.0.0.0"
        raise LabError(message) from None
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LabError(f"port {port} is in use; choose another with {setting}{port + 1}") from None
            raise LabError(f"--host: cannot listen on {host}: {error.strerror}") from None


def warn_if_exposed(host: str, exposed: str) -> None:
    """Print to stderr what `--host` exposes."""
    if is_exposed(host):
        print(f"lab: --host {host}: {exposed}, without a password", file=sys.stderr)


def is_exposed(host: str) -> bool:
    """Whether other machines can reach a server that listens there."""
    return not ipaddress.ip_address(host).is_loopback


def host_names(host: str) -> tuple[str, ...]:
    """The Host headers to accept: this machine's own names and addresses."""
    if not is_exposed(host):
        return LOCAL_NAMES
    own = (socket.gethostname(), socket.getfqdn(), _network_address() if host in ("0.0.0.0", "::") else host)
    return tuple(dict.fromkeys((*LOCAL_NAMES, *own)))


def _network_address() -> str:
    """The address of this machine in its network; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation (RFC 5737)
        except OSError:
            return HOST
        return str(probe.getsockname()[0])
