"""A real dashboard in a real browser. Without a browser the tests are skipped, except in CI, where they fail."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_runs import Filled, fill

from lab.tracking import store

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HINT = "needs a browser: apt-get install chromium (or Chrome), and pip install playwright"


def unavailable() -> None:
    if os.environ.get("CI"):
        pytest.fail(HINT)
    pytest.skip(HINT)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        path = None
    if path is None:
        unavailable()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1440, "height": 1000})
    opened.set_default_timeout(30_000)
    opened.alerts = []
    opened.errors = []
    opened.on("console", lambda message: opened.errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.on("requestfailed", lambda request: opened.errors.append(f"{request.url}: {request.failure}"))
    opened.on("dialog", lambda dialog: (opened.alerts.append(dialog.message), dialog.dismiss()))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def filled(prepared_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A store with runs, in the folder where the dashboard works."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("dashboard"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.root().mkdir()
        shutil.copy(prepared_store, store.database())
        yield fill()


@pytest.fixture(scope="module")
def address(filled: Filled) -> Iterator[str]:
    """The address of a dashboard that reads that store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "lab", "dashboard", "--port", str(port)]
    server = subprocess.Popen(command, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/_stcore/health")
        yield url
    finally:
        server.terminate()
        server.wait(20)


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} does not answer")
