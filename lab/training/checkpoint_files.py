"""Checkpoint files: written atomically, verified when read, and read without unpickling."""

import copy
import pickle
import threading
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import Tensor

from lab.files import atomic_write, sync

Checkpoint = dict[str, Any]
PREVIOUS = {"last.ckpt": "previous.ckpt"}  # files whose previous version is kept, and its name


class Damaged(Exception):
    """A checkpoint file that is not as it was written; the message says why."""


def read(path: Path) -> Checkpoint:
    """A checkpoint, on the CPU; raises Damaged, also where it holds anything but tensors and plain values.

    torch writes a CRC-32 of each part into the file, but does not verify it when reading.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
        if wrong is None:
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise Damaged(f"{path.name} is damaged: it holds more than tensors and plain values") from None
    except Exception as error:  # the zip and pickle readers raise many kinds for damaged bytes
        raise Damaged(f"{path.name} is damaged: {str(error).partition(chr(10))[0] or type(error).__name__}") from None
    raise Damaged(f"{path.name} is damaged: the checksum of {wrong} does not fit")


def write(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint atomically and durably; raises OSError where the disk is full, and keeps the older file."""
    with atomic_write(target, durable=True) as temporary:
        try:
            with temporary.open("wb") as file:
                torch.save(checkpoint, file)
        except Exception as error:
            disk = error.__context__
            if isinstance(disk, OSError):  # torch replaces it by an error of its own
                raise OSError(disk.errno, disk.strerror, str(target)) from None
            raise
        if target.name in PREVIOUS and target.exists():
            sync(temporary)  # the older file keeps its name until the new one is on the disk
            target.replace(target.with_name(PREVIOUS[target.name]))


def on_cpu(value: Any) -> Any:
    """A copy of a checkpoint on the CPU, which further training does not change."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        copied = copy.copy(value)  # keeps its class, and the attributes of a state_dict
        copied.update((key, on_cpu(part)) for key, part in value.items())
        return copied
    if isinstance(value, list | tuple):
        return type(value)(on_cpu(part) for part in value)
    return value


class BackgroundIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written by a thread while training goes on.

    If a file is to be written again before the thread gets to it, only the newest state is written. An error in the
    thread (a full disk) is raised by the next call, at the latest by `teardown`.
    """

    def __init__(self) -> None:
        self._pending: dict[Path, Checkpoint] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def save_checkpoint(self, checkpoint: Checkpoint, path: Any, storage_options: Any = None) -> None:
        """Copy the state; the thread writes the copy."""
        self._raise_failure()
        with self._changed:
            self._pending.pop(Path(path), None)
            self._pending[Path(path)] = on_cpu(checkpoint)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="checkpoints", daemon=True)
                self._thread.start()

    def _write(self) -> None:
        """Write until nothing is pending."""
        while True:
            with self._changed:
                if not self._pending or self._failure:
                    self._thread = None
                    self._changed.notify_all()
                    return
                path = next(iter(self._pending))
                checkpoint = self._pending.pop(path)
            try:
                write(checkpoint, path)
            except Exception as error:  # raised in the training's thread by the next call
                self._failure = error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> Checkpoint:
        """Read a checkpoint, never by unpickling; raises Damaged."""
        return read(Path(path))

    def teardown(self) -> None:
        """Wait until everything is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._thread is None)
        self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            self._pending.clear()
            raise failure
