"""Checkpoint files: written atomically, verified when read, and read without unpickling."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

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


class DurableIO(TorchCheckpointIO):
    """Lightning's checkpoint files as `write` and `read` have them."""

    def save_checkpoint(self, checkpoint: Checkpoint, path: Any, storage_options: Any = None) -> None:
        """Write atomically and durably; raises OSError where the disk is full."""
        write(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> Checkpoint:
        """Read a checkpoint, never by unpickling; raises Damaged."""
        return read(Path(path))
