"""The commands of the Makefile that measure: they are run by people only, and start all the same."""

import subprocess
import sys

import pytest
from shipped import PROJECT

MEASURING = ("faults", "bench", "scale", "ideas", "quality")


@pytest.mark.parametrize("target", MEASURING)
def test_a_command_that_measures_starts(target: str) -> None:
    steps = subprocess.run(
        ("make", "--dry-run", "--always-make", target, "ARGS=--help"),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    command = steps.splitlines()[-1].replace(".venv/bin/python", sys.executable)
    started = subprocess.run(command, shell=True, cwd=PROJECT, capture_output=True, text=True)
    assert started.returncode == 0, started.stderr
    assert f"make {target}" in started.stdout
