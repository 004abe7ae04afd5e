"""torchmetrics is imported without scipy.signal, which takes a fifth of the time in which a command starts.

torchmetrics 1.9 imports it in __init__.py and functional/audio/__init__.py, to add the name `hamming` for SRMRpy.
"""

import importlib.util
import sys
from collections.abc import Sequence
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

SIGNAL = "scipy.signal"


class _Finder(MetaPathFinder):
    """Finds torchmetrics, and nothing else."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module as others find it, that is executed without scipy.signal."""
        if name != "torchmetrics" or importlib.util.find_spec("srmrpy"):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader.exec_module = partial(_execute, spec.loader.exec_module)  # type: ignore[method-assign]
        return spec


def import_without_signal() -> None:
    """Leave scipy.signal to who uses it, if torchmetrics is not imported yet."""
    sys.meta_path.insert(0, _Finder())


def _execute(execute: Any, module: ModuleType) -> None:
    """Execute torchmetrics; where scipy.signal is not there yet, with a module that has `hamming` alone."""
    stand_in = ModuleType(SIGNAL)
    stand_in.hamming = None  # type: ignore[attr-defined]
    sys.modules.setdefault(SIGNAL, stand_in)
    try:
        execute(module)
    finally:
        if sys.modules.get(SIGNAL) is stand_in:
            del sys.modules[SIGNAL]
