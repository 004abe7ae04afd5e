"""torchmetrics is imported without scipy.signal, which takes a fifth of the time in which a command starts.

torchmetrics 1.9 imports it in three __init__.py (its own, audio, functional/audio) to add the name `hamming` of SRMRpy.
"""

import importlib
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


class _StandIn(ModuleType):
    """Has `hamming`; whoever asks for anything else meanwhile, such as another thread, gets it from scipy.signal."""

    hamming = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # `inspect` looks at every module
            raise AttributeError(name)
        if sys.modules.get(SIGNAL) is self:
            del sys.modules[SIGNAL]
        return getattr(importlib.import_module(SIGNAL), name)


def import_without_signal() -> None:
    """Leave scipy.signal to who uses it, if torchmetrics is not imported yet."""
    sys.meta_path.insert(0, _Finder())


def _execute(execute: Any, module: ModuleType) -> None:
    """Execute torchmetrics; where scipy.signal is not there yet, with one that is loaded for what is not `hamming`."""
    stand_in = _StandIn(SIGNAL)
    stand_in.__spec__ = importlib.util.find_spec(SIGNAL)
    sys.modules.setdefault(SIGNAL, stand_in)
    try:
        execute(module)
    finally:
        if sys.modules.get(SIGNAL) is stand_in:
            del sys.modules[SIGNAL]
