"""The lock of a driver, and the trace that a failed driver leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.parallel import child_runs
from lab.tracking import store

pytestmark = pytest.mark.usefixtures("empty_workplace")


def test_a_driver_that_ends_normally_leaves_no_trace() -> None:
    with child_runs.driver_lock("mine"):
        assert f"process {os.getpid()}, since 20" in child_runs.driver_lock_path("mine").read_text()
        assert child_runs.failed_drivers() == []  # it is alive
    assert child_runs.failed_drivers() == []


def test_a_driver_that_raises_or_is_killed_is_found_until_cleared() -> None:
    with pytest.raises(ZeroDivisionError), child_runs.driver_lock("raised"):
        raise ZeroDivisionError
    code = (
        "import os, signal\n"
        "from lab.parallel.child_runs import driver_lock\n"
        "with driver_lock('killed'): os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    with child_runs.driver_lock("alive"):
        assert {path.name for path in child_runs.failed_drivers()} == {".raised.lock", ".killed.lock"}
        child_runs.clear_failed_drivers()
        assert child_runs.failed_drivers() == []
        assert f"process {os.getpid()}, since 20" in child_runs.driver_lock_path("alive").read_text()


def test_two_drivers_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_runs, "LOCK_TIMEOUT", 0.0)
    with child_runs.driver_lock("mine"):
        with (
            pytest.raises(LabError, match=f"mine is being run by .* on .*, process {os.getpid()}, since 20"),
            child_runs.driver_lock("mine"),
        ):
            pass
        assert child_runs.failed_drivers() == []


def test_lock_files_of_an_older_version_are_not_failed_drivers() -> None:
    store.root().mkdir()
    Path(store.root() / ".old.lock").touch()
    assert child_runs.failed_drivers() == []
