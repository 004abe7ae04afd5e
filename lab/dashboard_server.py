"""The dashboard's server, on this machine alone."""

import os
import socket
import sys
from pathlib import Path

from lab.errors import LabError
from lab.tracking import store

HOST = "127.0.0.1"
ALLOWED_HOSTS = (HOST, "localhost")  # what a browser may call this server: names of elsewhere are refused
SETTINGS = {
    "server.address": HOST,
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
}


def serve(port: int) -> None:
    """Become the dashboard's server; raises LabError where it cannot start."""
    if not 0 < port < 65_536:
        raise LabError(f"--port: {port} is no port; choose one from 1 to 65535")
    store.tracking_uri()
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise LabError(f"port {port} is taken; choose another with PORT={port + 1}")
    import dashboard

    app = Path(dashboard.__path__[0]) / "app.py"
    settings = [f"--{name}={value}" for name, value in (SETTINGS | {"server.port": str(port)}).items()]
    settings += [f"--server.allowedHosts={name}" for name in ALLOWED_HOSTS]
    print(f"the dashboard on http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(app), *settings])
