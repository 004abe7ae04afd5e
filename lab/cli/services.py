"""Commands for the store, its servers and the documentation: sync, mlflow, dashboard, docs, doctor."""

import argparse

from lab.cli.arguments import Commands, add

HOST = "127.0.0.1"


def register(commands: Commands) -> None:
    """Add sync, mlflow, dashboard, docs and doctor."""
    add(commands, "sync", _sync, "send pending records to the tracking store")
    _server(add(commands, "mlflow", _mlflow, "open the MLflow UI on 127.0.0.1"), 5000)
    _server(add(commands, "dashboard", _dashboard, "open the dashboard on 127.0.0.1"), 8501)
    docs = add(commands, "docs", _docs, "open the documentation on 127.0.0.1")
    docs.add_argument("--port", type=int, default=8000, help="port (8000)")
    add(commands, "doctor", _doctor, "show versions, device, threads and the state of the store")


def _server(parser: argparse.ArgumentParser, port: int) -> None:
    """Add the port and the address that a server listens on."""
    parser.add_argument("--port", type=int, default=port, help=f"port ({port})")
    parser.add_argument("--host", default=HOST, help="address to listen on (127.0.0.1); others expose all runs")


def _sync(options: argparse.Namespace) -> int:
    from lab.tracking.writing import leftovers

    lines, complete = leftovers.send_all()
    print("\n".join(lines))
    return 0 if complete else 1


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
