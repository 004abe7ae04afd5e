"""The house itself: the store, its pages in the browser, and what the machine has."""

import argparse

from lab import listening
from lab.commands.arguments import Commands, add


def register(commands: Commands) -> None:
    """Add sync, mlflow, dashboard and doctor."""
    add(commands, "sync", _sync, "send the records that wait for the tracking store")
    mlflow = add(commands, "mlflow", _mlflow, "open MLflow's own pages on 127.0.0.1")
    mlflow.add_argument("--port", type=int, default=5000)
    mlflow.add_argument("--host", default=listening.HOST, help="an address of this machine; says what it exposes")
    dashboard = add(commands, "dashboard", _dashboard, "open the dashboard on 127.0.0.1")
    dashboard.add_argument("--port", type=int, default=8501)
    dashboard.add_argument("--host", default=listening.HOST, help="an address of this machine; says what it exposes")
    add(commands, "doctor", _doctor, "show versions, device, threads and the store")


def _sync(options: argparse.Namespace) -> int:
    from lab.tracking import waiting

    lines, complete = waiting.send_all()
    print("\n".join(lines))
    return 0 if complete else 1


def _mlflow(options: argparse.Namespace) -> int:
    from lab.tracking import server

    server.serve(options.port, options.host)
    return 0


def _dashboard(options: argparse.Namespace) -> int:
    from lab import dashboard_server, reaping

    reaping.start_in_background()
    dashboard_server.serve(options.port, options.host)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from lab import doctor

    for name, value in doctor.findings().items():
        print(f"{name:14} {value}")
    return 0
