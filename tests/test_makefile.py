"""The commands of the Makefile that measure: only people run them, and they start all the same."""

import os
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import warm
from shipped import PROJECT

TESTS = PROJECT / "tests"


@pytest.mark.parametrize("target", ["faults", "bench", "scale", "ideas", "quality"])
def test_a_command_that_measures_finds_what_it_imports(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dry = ("make", "--no-print-directory", "--dry-run", "--always-make", target, "ARGS=--help")
    steps = subprocess.run(dry, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    monkeypatch.chdir(PROJECT)
    started = warm.Process(_as_the_interpreter_does, steps.splitlines()[-1])
    out, err = started.communicate()
    assert started.returncode == 0, err
    assert f"make {target}" in out


def _as_the_interpreter_does(command: str) -> None:
    """`NAME=value ... python -m MODULE ...`, or a file, with the folders it looks for modules in, not pytest's."""
    words = shlex.split(command)
    settings = dict(word.split("=") for word in words if "=" in word)
    python = next(number for number, word in enumerate(words) if word.endswith("/python"))
    module, arguments = words[python + 1] == "-m", words[python + 1 :]
    named = [str(PROJECT / folder) for folder in settings["PYTHONPATH"].split(os.pathsep)]
    others = [folder for folder in sys.path if not Path(folder).resolve().is_relative_to(TESTS)]
    sys.path[:] = [str(PROJECT if module else (PROJECT / arguments[0]).parent), *named, *others]
    sys.argv = arguments[1:] if module else arguments
    if module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
