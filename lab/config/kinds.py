"""What a `kind:` names: a shipped class by its short name, or anybody's by `package.module:Class`."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from lab.errors import LabError, did_you_mean

SHIPPED = {
    "data": {
        "table": "lab.data.table:Table",
        "arrays": "lab.data.arrays:Arrays",
        "images": "lab.data.images:Images",
        "series": "lab.data.series:Series",
        "digits": "lab.data.shipped:Digits",
        "breast_cancer": "lab.data.shipped:BreastCancer",
        "diabetes": "lab.data.shipped:Diabetes",
        "mnist1d": "lab.data.shipped:MNIST1D",
        "sunspots": "lab.data.shipped:Sunspots",
    },
    "model": {
        "linear": "lab.architectures.perceptron:Linear",
        "mlp": "lab.architectures.perceptron:MLP",
        "wide_deep": "lab.architectures.perceptron:WideAndDeep",
        "sequential": "lab.architectures.perceptron:SequentialMLP",
        "conv1d": "lab.architectures.convolution:Conv1dNet",
        "conv2d": "lab.architectures.convolution:Conv2dNet",
        "lstm": "lab.architectures.recurrent:LSTM",
        "gru": "lab.architectures.recurrent:GRU",
        "transformer": "lab.architectures.transformer:TransformerEncoder",
    },
    "optimizer": {
        "sgd": "lab.modules.optimization:sgd",
        "adam": "lab.modules.optimization:adam",
        "adamw": "lab.modules.optimization:adamw",
        "rmsprop": "lab.modules.optimization:rmsprop",
    },
    "scheduler": {
        "constant": "lab.modules.optimization:constant",
        "cosine": "lab.modules.optimization:cosine",
        "onecycle": "lab.modules.optimization:onecycle",
        "step": "lab.modules.optimization:step",
        "plateau": "lab.modules.optimization:plateau",
    },
    "loss": {
        "cross_entropy": "lab.modules.optimization:cross_entropy",
        "bce": "lab.modules.optimization:bce",
        "mse": "lab.modules.optimization:mse",
        "l1": "lab.modules.optimization:l1",
        "huber": "lab.modules.optimization:huber",
    },
}


# What a kind must make, by section.
BASES = {
    "data": ("lab.data.base", "DataModule"),
    "model": ("torch.nn", "Module"),
    "optimizer": ("torch.optim", "Optimizer"),
    "scheduler": ("torch.optim.lr_scheduler", "LRScheduler"),
    "loss": ("torch.nn", "Module"),
    "metrics": ("torchmetrics", "Metric"),
}


def find(section: str, kind: object) -> Callable[..., Any]:
    """The class or function that `section: {kind: ...}` names; raises LabError where there is none."""
    shipped = SHIPPED.get(section, {})
    if not isinstance(kind, str):
        known = f"one of {', '.join(shipped)}, or your own package.module:Class" if shipped else "package.module:Class"
        raise LabError(f"{section}.kind: is required; {known}")
    address = shipped.get(kind)
    if address is None:
        if ":" not in kind and "." not in kind:
            near = did_you_mean(kind, shipped)
            raise LabError(f"{section}.kind: no such kind '{kind}'; {near} (your own: package.module:Class)")
        address = kind if ":" in kind else ":".join(kind.rsplit(".", 1))
        found = _imported(f"{section}.kind", *address.split(":", 1))
        _check_fits(section, address, found)
        return found
    return _imported(f"{section}.kind", *address.split(":", 1))


def code_of(section: str, kind: str) -> str:
    """Whose code a kind runs: a module and its file; "" for a shipped kind, whose code is the lab's."""
    if kind in SHIPPED.get(section, {}):
        return ""
    module = kind.partition(":")[0] if ":" in kind else kind.rpartition(".")[0]
    place = Path(getattr(sys.modules.get(module), "__file__", None) or "?")
    return f"{module} ({place.relative_to(Path.cwd()) if place.is_relative_to(Path.cwd()) else place})"


def _check_fits(section: str, address: str, found: Callable[..., Any]) -> None:
    """Raise LabError unless what is named makes what the section is about: `os:system` is callable too."""
    module_name, name = BASES[section.partition(".")[0]]  # each metric has a section of its own
    # A subclass cannot exist before its base is imported.
    base = getattr(sys.modules.get(module_name), name, None)
    made = found if isinstance(found, type) else _annotated_return(found)
    allowed = tuple(one for one in (base, dict if section == "scheduler" else None) if one is not None)
    if not any(isinstance(one, type) and issubclass(one, allowed) for one in (made, *get_args(made))):
        raise LabError(
            f"{section}.kind: {address} is not called, since nothing says that it makes what is needed; "
            f"name a subclass of {module_name}.{name}, or a function whose `-> {name}` says so"
        )


def _annotated_return(function: Callable[..., Any]) -> Any:
    try:
        made = get_type_hints(function).get("return")
    except (TypeError, NameError, AttributeError):  # not a plain function, or an annotation that cannot be resolved
        return None
    return get_origin(made) if get_origin(made) is dict else made


def _imported(path: str, module_name: str, name: str) -> Callable[..., Any]:
    """The callable `name` of a module, which may lie in the folder where one works."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise LabError(
            f"{path}: no module '{error.name}'; kind: {module_name}:{name} is looked up from {here}"
        ) from None
    except Exception as error:  # whatever a person's own file raises while it is imported
        raise LabError(f"{path}: importing {module_name} failed: {type(error).__name__}: {error}") from error
    found = getattr(module, name, None)
    if not callable(found):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise LabError(f"{path}: {module_name} has no '{name}'; {did_you_mean(name, public)}")
    return found


def trainer() -> Callable[..., Any]:
    """Lightning's Trainer, imported only where a command needs it."""
    return _imported("trainer", "lightning.pytorch", "Trainer")
