"""Servers: the dashboard, MLflow's pages, a model over HTTP; on this machine alone unless asked for more."""

import argparse
import contextlib
import errno
import ipaddress
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from lab.cli.arguments import Commands, add
from lab.errors import LabError
from lab.tracking import models, store
from lab.tracking.reading.stored_runs import StoredRun

DASHBOARD_EXPOSES = "everybody who reaches this machine can read all runs and their files, rename, tag and archive them"
STREAMLIT_SETTINGS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
}
MLFLOW_EXPOSES = "everybody who reaches this machine can read, change and delete all runs and their files"
EXAMPLE_FILE = "serving_input_example.json"  # MLflow's own name for it, in every model's folder
LONGEST_EXAMPLE = 600  # characters that are printed; a longer one is read from its file
HOST = "127.0.0.1"
OWN_NAMES = (HOST, "localhost")  # what a browser may call a server here: names of elsewhere are refused


def register(commands: Commands) -> None:
    """Add sync, mlflow, dashboard and doctor."""
    add(commands, "sync", _sync, "send the records that wait for the tracking store")
    mlflow = add(commands, "mlflow", _mlflow, "open MLflow's own pages on 127.0.0.1")
    mlflow.add_argument("--port", type=int, default=5000)
    mlflow.add_argument("--host", default=HOST, help="an address of this machine; says what it exposes")
    dashboard = add(commands, "dashboard", _dashboard, "open the dashboard on 127.0.0.1")
    dashboard.add_argument("--port", type=int, default=8501)
    dashboard.add_argument("--host", default=HOST, help="an address of this machine; says what it exposes")
    add(commands, "doctor", _doctor, "show versions, device, threads and the store")


def _sync(options: argparse.Namespace) -> int:
    from lab.tracking.writing import leftovers

    lines, complete = leftovers.send_all()
    print("\n".join(lines))
    return 0 if complete else 1


def _mlflow(options: argparse.Namespace) -> int:

    serve_mlflow(options.port, options.host)
    return 0


def _dashboard(options: argparse.Namespace) -> int:
    from lab.cli import maintenance

    maintenance.start_in_background()
    serve_dashboard(options.port, options.host)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from lab.cli import maintenance

    for name, value in maintenance.machine_facts().items():
        print(f"{name:14} {value}")
    return 0


def serve_dashboard(port: int, host: str = HOST) -> None:
    """Serve the dashboard until Ctrl-C; raises LabError where it cannot start."""
    store.tracking_uri()
    check_address(host, port)
    warn_if_exposed(host, DASHBOARD_EXPOSES)
    from streamlit.web import cli

    # Streamlit says, of each cached read, that its server is not running yet: it is about to.
    logging.getLogger("streamlit.runtime.caching.cache_data_api").disabled = True
    import dashboard
    from dashboard import (
        reads,
    )

    threading.Thread(target=_warm_up, args=(reads.runs,), daemon=True).start()

    app = Path(dashboard.__path__[0]) / "app.py"
    settings = [
        f"--{name}={value}"
        for name, value in (STREAMLIT_SETTINGS | {"server.address": host, "server.port": str(port)}).items()
    ]
    settings += [f"--server.allowedHosts={name}" for name in host_names(host)]
    print(f"the dashboard on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    cli.main(["run", str(app), *settings])


def _warm_up(read: Callable[[], object]) -> None:
    """Read, while a person opens the browser, what every page needs."""
    with contextlib.suppress(LabError):  # the pages say it
        read()


def serve_mlflow(port: int, host: str = HOST) -> None:
    """Become MLflow's server of the local store; raises LabError where there is nothing to serve."""
    if not store.is_local():
        raise LabError(f"runs are kept at {store.without_password(store.tracking_uri())}: open that address")
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
    """The command that serves the local store there, to those who call it by a name of its own."""
    allowed = ",".join(f"{name}:{port}" for name in host_names(host))
    origins = ",".join(f"http://{name}:{port}" for name in host_names(host))
    server = ["server", "--host", host, "--port", str(port), "--workers", "1"]
    guard = ["--allowed-hosts", allowed, "--cors-allowed-origins", origins]
    place = ["--backend-store-uri", store.tracking_uri(), "--default-artifact-root", str(store.root() / "artifacts")]
    return [sys.executable, "-m", "mlflow", *server, *guard, *place]


def serve_model(run: StoredRun, port: int) -> None:
    """Become the scoring server of a run's model; raises LabError where it has none, or the port is taken."""
    folder = models.download(run)
    check_address(HOST, port, "--port ")
    store.quiet_mlflow()
    # MLflow calls `uvicorn`, which nothing but this environment may have.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["MLFLOW_TRACKING_URI"] = store.tracking_uri()
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    print(f"run {run.id[:8]} ({run.name}) on http://{HOST}:{port} (Ctrl-C ends it)\n")
    print(example_request(folder, port), flush=True)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder)]
    place = ["--host", HOST, "--port", str(port), "--env-manager", "local"]
    os.execv(sys.executable, [*command, *place])


def example_request(folder: Path, port: int) -> str:
    """A command that asks the server for a prediction, with a row that the model was trained on."""
    text = (folder / EXAMPLE_FILE).read_text(encoding="utf-8")
    example = json.loads(text, parse_float=lambda number: float(f"{float(number):.7g}"))  # single precision, no more
    first = json.dumps(_first_row(example), ensure_ascii=False).replace("'", "'\\''")
    data = f"'{first}'" if len(first) <= LONGEST_EXAMPLE else f"@{folder / EXAMPLE_FILE}"
    return f"curl http://{HOST}:{port}/invocations -H 'Content-Type: application/json' -d {data}"


def _first_row(example: dict[str, object]) -> dict[str, object]:
    """The first row alone of an example of several."""
    content = example.get("dataframe_split")
    if isinstance(content, dict):
        return {"dataframe_records": [dict(zip(content["columns"], content["data"][0], strict=True))]}
    return {name: rows[:1] if isinstance(rows, list) else rows for name, rows in example.items()}


def check_address(host: str, port: int, setting: str = "PORT=") -> None:
    """Raise LabError where nothing can listen there; `setting` is what stands before another port."""
    if not 0 < port < 65_536:
        raise LabError(f"--port: {port} is no port; choose one from 1 to 65535")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise LabError(f"--host: '{host}' is no address of this machine; write one such as {HOST} or 0.0.0.0") from None
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise LabError(f"port {port} is taken; choose another with {setting}{port + 1}") from None
            raise LabError(f"--host: nothing can listen on {host}: {error.strerror}") from None


def is_open(host: str) -> bool:
    """Whether other machines can reach a server that listens there."""
    return not ipaddress.ip_address(host).is_loopback


def host_names(host: str) -> tuple[str, ...]:
    """What a browser may call a server that listens there: never a name that somebody's page made up."""
    if not is_open(host):
        return OWN_NAMES
    own = (socket.gethostname(), socket.getfqdn(), _outward_address() if host in ("0.0.0.0", "::") else host)
    return tuple(dict.fromkeys((*OWN_NAMES, *own)))


def warn_if_exposed(host: str, what: str) -> None:
    """Say on stderr what `--host` exposes."""
    if is_open(host):
        print(f"lab: --host {host}: {what}, without a password", file=sys.stderr)


def _outward_address() -> str:
    """The address by which other machines know this one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address reserved for documentation
        except OSError:
            return HOST
        return str(probe.getsockname()[0])
