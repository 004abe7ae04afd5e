"""MLflow's own pages, on this machine alone unless asked for more."""

import os
import sys

from lab import listening
from lab.errors import LabError
from lab.tracking import store

EXPOSED = "everybody who reaches this machine can read, change and delete all runs and their files"


def serve(port: int, host: str = listening.HOST) -> None:
    """Become MLflow's server of the local store; raises LabError where there is nothing to serve."""
    if not store.is_local():
        raise LabError(f"runs are kept at {store.without_password(store.tracking_uri())}: open that address")
    if not store.database().exists():
        raise LabError(f"no runs yet: there is no {store.database()}; make one with `make experiment NAME=lstm`")
    listening.check(host, port)
    listening.warn_where_open(host, EXPOSED)
    print(f"MLflow on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    store.quiet_mlflow()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    os.execv(sys.executable, command(port, host))


def command(port: int, host: str) -> list[str]:
    """The command that serves the local store there, to those who call it by a name of its own."""
    allowed = ",".join(f"{name}:{port}" for name in listening.names(host))
    origins = ",".join(f"http://{name}:{port}" for name in listening.names(host))
    server = ["server", "--host", host, "--port", str(port), "--workers", "1"]
    guard = ["--allowed-hosts", allowed, "--cors-allowed-origins", origins]
    place = ["--backend-store-uri", store.tracking_uri(), "--default-artifact-root", str(store.root() / "artifacts")]
    return [sys.executable, "-m", "mlflow", *server, *guard, *place]
