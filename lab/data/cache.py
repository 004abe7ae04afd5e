"""Arrays that take a while to make are made once and kept, without pickle."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

Arrays = dict[str, np.ndarray]


def folder() -> Path:
    """Where they are kept: `LAB_CACHE`, else `lab` in the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lab"
    return Path(os.environ.get("LAB_CACHE") or default)


def cached(name: str, make: Callable[[], Arrays]) -> Arrays:
    """What `make` gives, read from the cache where it is there and whole."""
    path = folder() / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, ValueError, BadZipFile):
        arrays = make()
        _keep(arrays, path)
        return arrays


def _keep(arrays: Arrays, path: Path) -> None:
    """Write the file whole or not at all; a cache that cannot be written costs time only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        Path(file.name).replace(path)
    except OSError:
        return
