"""MLflow's own pages, on this machine alone."""

import os
import socket
import sys

from lab.errors import LabError
from lab.tracking import store

HOST = "127.0.0.1"


def serve(port: int) -> None:
    """Become MLflow's server of the local store; raises LabError where there is nothing to serve."""
    if not store.is_local():
        raise LabError(f"runs are kept at {store.without_password(store.tracking_uri())}: open that address")
    if not store.database().exists():
        raise LabError(f"no runs yet: there is no {store.database()}; make one with `make experiment NAME=lstm`")
    check_free(port, f"PORT={port + 1}")
    store.quiet_mlflow()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    print(f"MLflow on http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    place = [
        "--backend-store-uri",
        store.tracking_uri(),
        "--default-artifact-root",
        str(store.root() / "artifacts"),
    ]
    os.execv(sys.executable, [*command, *place])


def check_free(port: int, other: str) -> None:
    """Raise LabError where something listens on the port; `other` is what to write instead."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise LabError(f"port {port} is taken; choose another with {other}")
