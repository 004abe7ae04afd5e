"""`lab docs`: the site, or where the pages are."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from cli.test_servers import free_port
from documentation.test_site import needs_mkdocs

from lab.documentation import serving
from lab.errors import LabError


def test_without_mkdocs_it_says_where_the_pages_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "REQUIRED", ("no_such_package",))
    serving.serve(8000)
    assert str(serving.DOCS) in capsys.readouterr().out


def test_without_the_pages_it_says_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(serving, "PROJECT", tmp_path)
    with pytest.raises(LabError, match="clone of the lab"):
        serving.serve(8000)


@needs_mkdocs
def test_the_site_is_served_on_this_machine_alone() -> None:
    port = free_port()
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    process = subprocess.Popen([sys.executable, "-m", "lab", "docs", "--port", str(port)], env=environment)
    try:
        assert "The lab" in _read(f"http://127.0.0.1:{port}/concepts/index.html")
    finally:
        process.kill()
        process.wait()


def _read(url: str) -> str:
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            assert time.monotonic() < until, "it does not start"
            time.sleep(0.3)
