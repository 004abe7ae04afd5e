"""Commands for the store, its servers and the documentation: sync, import, mlflow, server, dashboard, docs, doctor."""

import argparse

from lab.cli.arguments import Commands, add
from lab.errors import without_password

HOST = "127.0.0.1"
FOREIGN_FOLDER = (
    "with wandb/offline-run-* of W&B, TensorBoard's event files, .aim of Aim, PROJECT.db of trackio, metrics.csv (and "
    "hparams.yaml), or other .csv files"
)


def register(commands: Commands) -> None:
    """Add sync, import, mlflow, server, dashboard, docs and doctor."""
    sync = add(commands, "sync", _sync, "send pending records to the tracking store, or copy all runs to another one")
    sync.add_argument("--to", metavar="URI", help="copy all runs of this store there, each once, and verify them")
    importing = add(commands, "import", _import, "bring in runs of W&B, TensorBoard, Aim, trackio, CSV")
    importing.add_argument("folder", help=FOREIGN_FOLDER)
    importing.add_argument("--experiment", help="the experiment that they become runs of (the folder's name)")
    _server(add(commands, "mlflow", _mlflow, "open the MLflow UI on 127.0.0.1"), 5000)
    _team_server(add(commands, "server", _serve_team, "MLflow for a team, on PostgreSQL, with passwords"))
    _server(add(commands, "dashboard", _dashboard, "open the dashboard on 127.0.0.1"), 8501)
    docs = add(commands, "docs", _docs, "open the documentation on 127.0.0.1")
    docs.add_argument("--port", type=int, default=8000, help="port (8000)")
    add(commands, "doctor", _doctor, "show versions, device, threads and the state of the store")


def _server(parser: argparse.ArgumentParser, port: int) -> None:
    """Add the port and the address that a server listens on."""
    parser.add_argument("--port", type=int, default=port, help=f"port ({port})")
    parser.add_argument("--host", default=HOST, help="address to listen on (127.0.0.1); others expose all runs")


def _team_server(parser: argparse.ArgumentParser) -> None:
    """Add where the server listens, and where it keeps runs."""
    parser.add_argument("--port", type=int, default=5000, help="port (5000)")
    parser.add_argument("--host", default=HOST, help="address to listen on (127.0.0.1); others need a password")
    parser.add_argument("--database", help="postgresql://... or sqlite:///... (LAB_SERVER_DATABASE, or server/)")
    parser.add_argument("--artifacts", metavar="FOLDER", help="where files of runs go (server/artifacts)")
    parser.add_argument("--name", action="append", default=[], help="a further name that people reach it by")


def _serve_team(options: argparse.Namespace) -> int:
    from lab.cli import team_server

    team_server.serve(options.host, options.port, options.database, options.artifacts, options.name)
    return 0


def _sync(options: argparse.Namespace) -> int:
    from lab.tracking.writing import leftovers

    lines, complete = leftovers.send_all()
    if options.to is None:
        print("\n".join(lines))
        return 0 if complete else 1
    from lab.tracking.transfer.sync import sync

    outcome = sync(options.to)
    print("\n".join(outcome.lines(without_password(options.to))))
    return 1 if outcome.different or outcome.running or not complete else 0


def _import(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lab.tracking.transfer.importing import import_runs

    print("\n".join(import_runs(Path(options.folder), options.experiment)))
    return 0


def _mlflow(options: argparse.Namespace) -> int:
    from lab.cli import servers

    servers.serve_mlflow(options.port, options.host)
    return 0


def _dashboard(options: argparse.Namespace) -> int:
    from lab.cli import maintenance, servers

    maintenance.start_in_background()
    servers.serve_dashboard(options.port, options.host)
    return 0


def _docs(options: argparse.Namespace) -> int:
    from lab.documentation import serving

    serving.serve(options.port)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from lab.cli import maintenance

    for name, value in maintenance.machine_facts().items():
        print(f"{name:14} {value}")
    return 0
