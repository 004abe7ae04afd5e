"""scipy.signal is imported when it is used: torchmetrics 1.9 imports it for one name, a fifth of a command's start-up.

The name is `scipy.signal.hamming`, which torchmetrics/__init__.py adds for SRMRpy where SciPy no longer has it.
"""

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

NAME = "scipy.signal"


class _LazyModule(ModuleType):
    """In the place of the module until something but `hamming` is asked of it."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.__spec__ = ModuleSpec(NAME, loader=None, is_package=True)  # for importlib.util.find_spec

    def hamming(self, *arguments: Any, **options: Any) -> Any:
        """The window that torchmetrics wants the module to have."""
        return _imported().hamming(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__path__", "__all__"):  # what looks at all modules asks for these
            raise AttributeError(name)
        return getattr(_imported(), name)


def import_lazily() -> None:
    """Import the module when it is first used, unless it is there already."""
    sys.modules.setdefault(NAME, _LazyModule())


def _imported() -> Any:
    """The module itself, with the name that torchmetrics adds."""
    if isinstance(sys.modules.get(NAME), _LazyModule):
        sys.modules.pop(NAME, None)
    module = importlib.import_module(NAME)
    if not hasattr(module, "hamming"):
        module.hamming = module.windows.hamming  # type: ignore[attr-defined]
    return module
