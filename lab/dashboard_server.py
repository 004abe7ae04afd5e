"""The dashboard's server, on this machine alone."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
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
    """Serve the dashboard until Ctrl-C; raises LabError where it cannot start."""
    if not 0 < port < 65_536:
        raise LabError(f"--port: {port} is no port; choose one from 1 to 65535")
    store.tracking_uri()
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise LabError(f"port {port} is taken; choose another with PORT={port + 1}")
    from streamlit.web import cli

    # Streamlit says, of each cached read, that its server is not running yet: it is about to.
    logging.getLogger("streamlit.runtime.caching.cache_data_api").disabled = True
    import dashboard
    from dashboard import charts, reads  # noqa: F401  (the figures are imported now, not when the first is drawn)

    threading.Thread(target=_warm_up, args=(reads.runs,), daemon=True).start()

    app = Path(dashboard.__path__[0]) / "app.py"
    settings = [f"--{name}={value}" for name, value in (SETTINGS | {"server.port": str(port)}).items()]
    settings += [f"--server.allowedHosts={name}" for name in ALLOWED_HOSTS]
    print(f"the dashboard on http://{HOST}:{port} (Ctrl-C ends it)", flush=True)
    cli.main(["run", str(app), *settings])


def _warm_up(read: Callable[[], object]) -> None:
    """Read, while a person opens the browser, what every page needs."""
    with contextlib.suppress(LabError):  # the pages say it
        read()
