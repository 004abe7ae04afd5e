"""The processes of the other devices: started, waited for, and ended with the run, however it ends.

Each (`other.py`) builds the same experiment and trains along; the first device is that of this process, which tests
alone. They meet by a file of this user, and talk over the loopback interface.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed as dist

from lab.errors import LabError, TrainingFailed, place_of
from lab.modules import reduction
from lab.training.building import Built
from lab.training.devices import strategy

MEETING = timedelta(minutes=1)
SECONDS_TO_END = 5.0  # for a process that has failed, or is told to end
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


class Other:
    """The process of a device, numbered from 1; it ends when its stdin is closed, as it is when this process dies."""

    def __init__(self, number: int, task: dict[str, Any], folder: Path):
        self.number = number
        self._log = folder / f"{number}.txt"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "lab.training.devices.other"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for this process
            )
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it says why
            self._process.stdin.write(f"{json.dumps({**task, 'rank': number})}\n")
            self._process.stdin.flush()

    def prepared(self) -> list[str]:
        """The fingerprints of its data, once it has built the experiment; raises LabError where it ended instead."""
        said = self._said()
        if "data" not in said:
            raise LabError(f"trainer.devices: {self._described(said)}")
        return list(said["data"])

    def failure(self) -> str:
        """How it ended, where it has failed, or does within a moment; else ""."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process.wait(SECONDS_TO_END):
                return self._described(self._said())
        return ""

    def close(self) -> None:
        """End it, if it has not ended."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _said(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        return json.loads(line) if line else {}

    def _described(self, said: dict[str, Any]) -> str:
        code = self._process.wait()
        printed = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        why = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the process of device {self.number} {said.get('failed') or ': '.join([why, *printed[-1:]])}"


class Devices:
    """All devices of a training; without others, this process trains as it always does."""

    def __init__(self, others: list[Other], folder: Path = Path(), backend: str = ""):
        self._others = others
        self._folder = folder
        self._backend = backend

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Train together; raises TrainingFailed where another process has failed."""
        if not self._others:
            yield
            return
        with joined(self._folder, 0, len(self._others) + 1, self._backend):
            try:
                yield
            except RuntimeError as error:  # what it raises that waits for a process which is no more
                if not place_of(error) and (why := self._failure()):
                    raise TrainingFailed(why) from error
                raise

    def _failure(self) -> str:
        return next((why for other in self._others if (why := other.failure())), "")


@contextlib.contextmanager
def started(built: Built, checkpoint: Path | None) -> Iterator[Devices]:
    """A process for each other device, which has built the experiment; raises LabError where it cannot."""
    number = strategy.count(built.experiment)
    if number == 1:
        yield Devices([])
        return
    with tempfile.TemporaryDirectory(prefix="lab-devices-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        task: dict[str, Any] = {
            "name": built.experiment.name,
            "config": built.experiment.to_yaml(),
            "devices": number,
            "backend": "gloo" if strategy.first_device(built.experiment).type == "cpu" else "nccl",
            "folder": name,
            "checkpoint": str(checkpoint.resolve()) if checkpoint else None,
        }
        others = [Other(rank, task, folder) for rank in range(1, number)]
        for other in others:
            stack.callback(other.close)
        for other in others:
            if other.prepared() != fingerprints(built):
                raise LabError("data: reads other samples in another process; it must depend on its settings alone")
        yield Devices(others, folder, task["backend"])


def fingerprints(built: Built) -> list[str]:
    """What says whether two processes have the same data."""
    return [built.data.fingerprint, built.data.split_fingerprint()]


@contextlib.contextmanager
def joined(folder: Path, rank: int, devices: int, backend: str) -> Iterator[None]:
    """Be one of the devices that train together."""
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "")
    named = [name for name in INTERFACES if loopback and name not in os.environ]
    os.environ.update(dict.fromkeys(named, loopback))
    try:
        store = dist.FileStore(str(folder / "meeting"), devices)
        store.set_timeout(MEETING)
        dist.init_process_group(backend, store=store, rank=rank, world_size=devices)
        try:
            with reduction.together():
                yield
        finally:
            dist.destroy_process_group()
    finally:
        for name in named:
            os.environ.pop(name, None)
