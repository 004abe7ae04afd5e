"""The lab: from a short YAML file to a trained, tracked and tested PyTorch model.

Each name is imported when it is first used, so that `import lab` stays light.
"""

import importlib
from typing import TYPE_CHECKING, Any

from lab import torchmetrics_internals
from lab.version import __version__ as __version__

if TYPE_CHECKING:
    from lab.api.comparing import compare
    from lab.api.explaining import explain
    from lab.api.reading import curves, runs
    from lab.api.training import run
    from lab.api.tuning import study
    from lab.errors import LabError, TrainingFailed
    from lab.inference.model import load
    from lab.tracking.lightning_logger.logger import Logger

__all__ = ["LabError", "Logger", "TrainingFailed", "compare", "curves", "explain", "load", "run", "runs", "study"]

_MODULES = {
    "LabError": "lab.errors",
    "Logger": "lab.tracking.lightning_logger.logger",
    "TrainingFailed": "lab.errors",
    "compare": "lab.api.comparing",
    "curves": "lab.api.reading",
    "explain": "lab.api.explaining",
    "load": "lab.inference.model",
    "run": "lab.api.training",
    "runs": "lab.api.reading",
    "study": "lab.api.tuning",
}


torchmetrics_internals.import_without_signal()


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'lab' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
