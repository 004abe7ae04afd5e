"""The process of another device that does not come, or says something else."""

import os
import signal
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from lab.config.experiment import load
from lab.errors import LabError, TrainingFailed
from lab.training.building import Built, build
from lab.training.devices import processes
from lab.training.devices.processes import Failure, cause, started


@pytest.fixture
def two(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """For two devices, with a Python that prints at its start."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("print('welcome')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return build(load(tiny, ["trainer.accelerator=cpu", "trainer.devices=2"]))


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGKILL, r"^the process of device 1 was ended by SIGKILL"),
        (signal.SIGSTOP, r"^the process of device 1 does not answer for 2 seconds$"),
    ],
)
def test_one_that_does_not_come_ends_the_run(
    two: Built, number: signal.Signals, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MEETING", timedelta(seconds=2))
    with started(two, None) as devices:
        (other,) = (child for child in psutil.Process().children() if "lab.training.devices.other" in child.cmdline())
        time.sleep(1)  # it waits for the run
        other.send_signal(number)
        with pytest.raises(TrainingFailed, match=line), devices.training():
            pass
    assert not other.is_running()


def test_one_that_does_not_build_the_experiment_is_one_line(two: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PREPARATION", timedelta(seconds=0.06))
    with (
        pytest.raises(LabError, match=r"^trainer\.devices: the process of device 1 has not built .* within 0\.001 min"),
        started(two, None),
    ):
        pass


def test_the_process_that_failed_first_is_named() -> None:
    closed = Failure("the process of device 1 failed: RuntimeError: [gloo] Connection closed by peer", follows=True)
    killed = Failure("the process of device 2 was ended by SIGKILL", follows=False)
    assert cause([closed, killed]) == killed.why
    assert cause([closed]) == closed.why
    assert cause([]) == ""
