"""The processes of the other devices: started, waited for, and ended with the run, however it ends.

Each (`other.py`) builds the same experiment and trains along; the first device is that of this process, which tests
alone. They meet by a file of this user, and talk over the loopback interface.
"""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch.distributed as dist

from lab.errors import LabError, TrainingFailed, place_of
from lab.modules import reduction
from lab.signals import exit_at_signals
from lab.training.building import Built
from lab.training.devices import strategy

PREPARATION = timedelta(minutes=10)  # for another process to build the experiment, data included
MEETING = timedelta(minutes=1)  # for the others, which have built it, to come together
ANSWER = timedelta(minutes=10)  # from all devices, while they train: nccl's default
SECONDS_OF_A_SIGN = 1.0  # from one sign of life to the next, and from one look for it to the next
SILENCE = 45  # looks without a sign, until a process that trains along counts as hung
SECONDS_BETWEEN = 0.05  # two looks at who is there
SECONDS_TO_END = 5.0  # for a process that has failed, or is told to end
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@dataclass(frozen=True)
class Failure:
    """How a process ended; whether that `follows` from the end of another one."""

    why: str
    follows: bool


def cause(failures: Sequence[Failure]) -> str:
    """The one from which the others follow; "" where there is none."""
    return min(failures, key=lambda failure: failure.follows).why if failures else ""


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
        self._failed: Failure | None = None
        self._hung = ""
        self._silent = 0  # looks since its last sign of life
        self._at_end = threading.Event()
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it says why
            self._process.stdin.write(f"{json.dumps({**task, 'rank': number})}\n")
            self._process.stdin.flush()

    def prepared(self) -> list[str]:
        """The fingerprints of its data, once it has built the experiment; raises LabError where it ended instead."""
        try:
            said = self._said(PREPARATION.total_seconds())
        except queue.Empty:
            minutes = PREPARATION.total_seconds() / 60
            raise LabError(
                f"trainer.devices: the process of device {self.number} has not built the experiment within "
                f"{minutes:g} minutes; use 1"
            ) from None
        if "data" not in said:
            raise LabError(f"trainer.devices: {self._described(said)}")
        self._silent = 0  # reading data, a long call may have kept its threads from a sign
        threading.Thread(target=self._end_if_hung, daemon=True).start()
        return list(said["data"])

    def failure(self, seconds: float = SECONDS_TO_END) -> Failure | None:
        """How it ended, where it has failed, or does within a moment."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._failed is None and self._process.wait(seconds):
                try:
                    said = self._said(SECONDS_TO_END)
                except queue.Empty:  # a process of its loader holds the pipe open
                    said = {}
                self._failed = Failure(self._described(said), bool(said.get("follows")))
        return self._failed

    def close(self) -> None:
        """End it, if it has not ended."""
        self._at_end.set()
        assert self._process.stdin
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(SECONDS_TO_END)  # processes of a loader may hold the pipe open for a moment

    def _read(self) -> None:
        """Note what it says; an empty line is a sign of life, and others are those of what it imports."""
        assert self._process.stdout
        with self._process.stdout as lines:
            for line in lines:
                self._silent = 0
                with contextlib.suppress(ValueError):
                    if isinstance(said := json.loads(line), dict):
                        self._messages.put(said)
        self._at_end.set()
        self._messages.put({})

    def _end_if_hung(self) -> None:
        """End it once it gives no sign of life: the backend would wait for its answer for ten minutes.

        Counts looks, not seconds: while this process was stopped itself, it has looked at nothing.
        """
        while not self._at_end.wait(SECONDS_OF_A_SIGN):
            self._silent += 1
            if self._silent > SILENCE and self._process.poll() is None:
                self._hung = f"did not answer for {SILENCE * SECONDS_OF_A_SIGN:g} seconds, and was ended"
                self._process.kill()
                return

    def _said(self, seconds: float) -> dict[str, Any]:
        """Its next message, empty once it has ended; raises queue.Empty after so many seconds."""
        return self._messages.get(timeout=seconds)

    def _described(self, said: dict[str, Any]) -> str:
        code = self._process.wait()
        if self._hung:
            return f"the process of device {self.number} {self._hung}"
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
        try:
            with joined(self._folder, 0, len(self._others) + 1, self._backend, self._check):
                yield
        except RuntimeError as error:  # what it raises that waits for a process which is no more
            if not place_of(error) and (why := self._failure()):
                raise TrainingFailed(why) from error
            raise

    def _check(self) -> None:
        """Raise TrainingFailed where another process has ended."""
        if any(other.failure(0) for other in self._others):
            raise TrainingFailed(self._failure())

    def _failure(self) -> str:
        """Why the processes end: the failure from which the others follow; "" where none has failed."""
        until = time.monotonic() + SECONDS_TO_END
        found = [other.failure(max(0.0, until - time.monotonic())) for other in self._others]
        return cause([failure for failure in found if failure])


@contextlib.contextmanager
def started(built: Built, checkpoint: Path | None) -> Iterator[Devices]:
    """A process for each other device, which has built the experiment; raises LabError where it cannot."""
    number = strategy.count(built.experiment)
    if number == 1:
        yield Devices([])
        return
    with (
        exit_at_signals(),
        tempfile.TemporaryDirectory(prefix="lab-devices-") as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        task: dict[str, Any] = {
            "name": built.experiment.name,
            "config": built.experiment.to_yaml(),
            "devices": number,
            "backend": "gloo" if strategy.first_device(built.experiment).type == "cpu" else "nccl",
            "folder": name,
            "checkpoint": str(checkpoint.resolve()) if checkpoint else None,
        }
        others: list[Other] = []
        for rank in range(1, number):
            others.append(Other(rank, task, folder))
            stack.callback(others[-1].close)
        for other in others:
            if other.prepared() != fingerprints(built):
                raise LabError("data: reads other samples in another process; it must depend on its settings alone")
        yield Devices(others, folder, task["backend"])


def fingerprints(built: Built) -> list[str]:
    """What says whether two processes have the same data."""
    return [built.data.fingerprint, built.data.split_fingerprint()]


@contextlib.contextmanager
def joined(
    folder: Path, rank: int, devices: int, backend: str, check: Callable[[], None] | None = None
) -> Iterator[None]:
    """Be one of the devices that train together.

    `check` is called while the first one waits for the others; raises TrainingFailed where one does not come.
    """
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "")
    named = [name for name in INTERFACES if loopback and name not in os.environ]
    os.environ.update(dict.fromkeys(named, loopback))
    try:
        store = dist.FileStore(str(folder / "meeting"), devices)
        _meet(store, rank, devices, check)
        dist.init_process_group(backend, store=store, rank=rank, world_size=devices, timeout=ANSWER)
        try:
            with reduction.together():
                yield
        finally:
            dist.destroy_process_group()
    finally:
        for name in named:
            os.environ.pop(name, None)


def _meet(store: dist.Store, rank: int, devices: int, check: Callable[[], None] | None) -> None:
    """Wait for the others: a backend would wait for one that has died as long as for any answer.

    They answer the first device, and may die before it comes; they end with it, and wait for it without limit.
    """
    if rank:
        while not store.check(["come"]):
            time.sleep(SECONDS_BETWEEN)
        store.set(str(rank), "here")
        return
    store.set("come", "")
    seconds = MEETING.total_seconds()
    until = time.monotonic() + seconds
    while missing := [number for number in range(1, devices) if not store.check([str(number)])]:
        if check:
            check()
        if time.monotonic() > until:
            raise TrainingFailed(f"the process of device {missing[0]} does not answer for {seconds:g} seconds")
        time.sleep(SECONDS_BETWEEN)
