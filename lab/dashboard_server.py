"""The dashboard's server, on this machine alone unless asked for more."""

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from lab import listening
from lab.errors import LabError
from lab.tracking import store

EXPOSED = "everybody who reaches this machine can read all runs and their files, rename, tag and archive them"
SETTINGS = {
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
}


def serve(port: int, host: str = listening.HOST) -> None:
    """Serve the dashboard until Ctrl-C; raises LabError where it cannot start."""
    store.tracking_uri()
    listening.check(host, port)
    listening.warn_where_open(host, EXPOSED)
    from streamlit.web import cli

    # Streamlit says, of each cached read, that its server is not running yet: it is about to.
    logging.getLogger("streamlit.runtime.caching.cache_data_api").disabled = True
    import dashboard
    from dashboard import charts, reads  # noqa: F401  (the figures are imported now, not when the first is drawn)

    threading.Thread(target=_warm_up, args=(reads.runs,), daemon=True).start()

    app = Path(dashboard.__path__[0]) / "app.py"
    settings = [
        f"--{name}={value}" for name, value in (SETTINGS | {"server.address": host, "server.port": str(port)}).items()
    ]
    settings += [f"--server.allowedHosts={name}" for name in listening.names(host)]
    print(f"the dashboard on http://{host}:{port} (Ctrl-C ends it)", flush=True)
    cli.main(["run", str(app), *settings])


def _warm_up(read: Callable[[], object]) -> None:
    """Read, while a person opens the browser, what every page needs."""
    with contextlib.suppress(LabError):  # the pages say it
        read()
