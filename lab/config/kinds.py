"""The `kind:` of a section: the short name of a shipped class, or `package.module:Class` for any other."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from lab.errors import LabError, Unavailable, described, did_you_mean, place_of, see
from lab.files import same_folder

SHIPPED = {
    "data": {
        "table": "lab.data.table:Table",
        "arrays": "lab.data.arrays:Arrays",
        "images": "lab.data.images:Images",
        "text": "lab.data.text.texts:Text",
        "series": "lab.data.time_series.series:Series",
        "docstrings": "lab.data.text.docstrings:Docstrings",
        "characters": "lab.data.text.characters:Characters",
        "digits": "lab.data.shipped:Digits",
        "digit_statements": "lab.data.shipped:DigitStatements",
        "party": "lab.data.shipped:PartyIdentification",
        "breast_cancer": "lab.data.shipped:BreastCancer",
        "diabetes": "lab.data.shipped:Diabetes",
        "mnist1d": "lab.data.shipped:MNIST1D",
        "digit_outlines": "lab.data.sequences.outlines:DigitOutlines",
        "sunspots": "lab.data.shipped:Sunspots",
    },
    "model": {
        "linear": "lab.architectures.perceptron:Linear",
        "mlp": "lab.architectures.perceptron:MLP",
        "wide_deep": "lab.architectures.perceptron:WideAndDeep",
        "realmlp": "lab.architectures.realmlp:RealMLP",
        "sequential": "lab.architectures.perceptron:SequentialMLP",
        "conv1d": "lab.architectures.convolution:Conv1dNet",
        "conv2d": "lab.architectures.convolution:Conv2dNet",
        "lstm": "lab.architectures.recurrent:LSTM",
        "gru": "lab.architectures.recurrent:GRU",
        "causal_transformer": "lab.architectures.transformer:CausalTransformer",
        "transformer": "lab.architectures.transformer:TransformerEncoder",
        "bag": "lab.architectures.texts:Bag",
        "textcnn": "lab.architectures.texts:TextCNN",
    },
    "module": {},
    "optimizer": {
        "sgd": "lab.modules.optimizers:sgd",
        "adam": "lab.modules.optimizers:adam",
        "adamw": "lab.modules.optimizers:adamw",
        "rmsprop": "lab.modules.optimizers:rmsprop",
    },
    "scheduler": {
        "constant": "lab.modules.optimizers:constant",
        "cosine": "lab.modules.optimizers:cosine",
        "onecycle": "lab.modules.optimizers:onecycle",
        "step": "lab.modules.optimizers:step",
        "plateau": "lab.modules.optimizers:plateau",
    },
    "loss": {
        "cross_entropy": "lab.modules.optimizers:cross_entropy",
        "bce": "lab.modules.optimizers:bce",
        "ordinal": "lab.modules.tasks.ordinal:ordinal",
        "mse": "lab.modules.optimizers:mse",
        "l1": "lab.modules.optimizers:l1",
        "huber": "lab.modules.optimizers:huber",
        "quantile": "lab.modules.tasks.quantiles:quantile",
    },
    "data.augment": {
        "flip": "lab.data.augmentation.transforms:Flip",
        "shift": "lab.data.augmentation.transforms:Shift",
        "jitter": "lab.data.augmentation.transforms:Jitter",
        "scaling": "lab.data.augmentation.transforms:Scaling",
        "mask": "lab.data.augmentation.transforms:Mask",
    },
}
TORCHVISION = "torchvision.transforms.v2"  # its classes are kinds of data.augment too
# Those that a list of transforms for single images has no use for: what they need, and where it is had.
NOT_FOR_SAMPLES = {
    "BoundingBox": "needs bounding boxes, which the data does not have",
    "KeyPoint": "needs key points, which the data does not have",
    "IoU": "needs bounding boxes, which the data does not have",
    "MixUp": "mixes samples; write data.mix: mixup",
    "CutMix": "mixes samples; write data.mix: cutmix",
}

# Modules that were renamed: a `kind:` in a stored config.yaml or in a user's file may still name the old one.
RENAMED_MODULES = {
    "lab.architectures.bag": "lab.architectures.texts",
    "lab.architectures.causal_transformer": "lab.architectures.transformer",
    "lab.architectures.embedded": "lab.architectures.adapters",
    "lab.architectures.relative": "lab.architectures.adapters",
    "lab.architectures.textcnn": "lab.architectures.texts",
    "lab.data.breast_cancer": "lab.data.shipped",
    "lab.data.diabetes": "lab.data.shipped",
    "lab.data.digits": "lab.data.shipped",
    "lab.data.mnist1d": "lab.data.shipped",
    "lab.data.series": "lab.data.time_series.series",
    "lab.data.series_module": "lab.data.time_series.series",
    "lab.data.sunspots": "lab.data.shipped",
    "lab.losses": "lab.modules.optimizers",
    "lab.mistakes": "lab.modules.optimizers",
    "lab.modules.class_metrics": "lab.modules.metrics.class_metrics",
    "lab.modules.classification": "lab.modules.tasks.classification",
    "lab.modules.forecasting": "lab.modules.tasks.regression",
    "lab.modules.metrics": "lab.modules.metrics.own_metrics",
    "lab.modules.own_metrics": "lab.modules.metrics.own_metrics",
    "lab.modules.predictor": "lab.modules.tasks.predictor",
    "lab.modules.regression": "lab.modules.tasks.regression",
    "lab.modules.scores": "lab.modules.metrics.value_metrics",
    "lab.modules.tasks": "lab.modules.tasks.classification",
    "lab.modules.value_metrics": "lab.modules.metrics.value_metrics",
    "lab.optimizers": "lab.modules.optimizers",
    "lab.schedulers": "lab.modules.optimizers",
}

# Libraries of networks, as `torchvision.models:resnet18`, and the function that fits a network of them to the data.
LIBRARIES = ("torchvision.models", "timm")
FITTED = ("lab.architectures.pretrained", "network_of")

# The class that a kind must be, or return, by section.
BASES = {
    "data": ("lightning.pytorch", "LightningDataModule"),
    "data.augment": ("torch.nn", "Module"),
    "model": ("torch.nn", "Module"),
    "module": ("lightning.pytorch", "LightningModule"),
    "optimizer": ("torch.optim", "Optimizer"),
    "scheduler": ("torch.optim.lr_scheduler", "LRScheduler"),
    "loss": ("torch.nn", "Module"),
    "metrics": ("torchmetrics", "Metric"),
}


def find(section: str, kind: object) -> Callable[..., Any]:
    """The class or function that `section: {kind: ...}` names; raises LabError if there is none."""
    shipped = SHIPPED.get(section, {})
    if not isinstance(kind, str):
        known = f"one of {', '.join(shipped)}, or your own package.module:Class" if shipped else "package.module:Class"
        raise LabError(f"{section}.kind: is required; {known}")
    if kind in shipped:
        return _imported(f"{section}.kind", *_address(shipped[kind]))
    if section == "data.augment" and ":" not in kind and "." not in kind:
        return _of_torchvision(section, kind)
    if ":" not in kind and "." not in kind:
        near = did_you_mean(kind, shipped)
        raise LabError(f"{section}.kind: no such kind '{kind}'; {near} (your own: package.module:Class)")
    module_name, name = _address(kind)
    if module_name == "__main__":  # of a notebook or script: nothing could run it again
        raise LabError(f"{section}.kind: {name} needs a file of its own; write it to my_ideas.py, name my_ideas:{name}")
    if section == "model" and module_name in LIBRARIES:
        return _imported(f"{section}.kind", *FITTED)(module_name, name)
    found = _imported(f"{section}.kind", module_name, name)
    _check_fits(section, f"{module_name}:{name}", found)
    return found


def _of_torchvision(section: str, kind: str) -> Callable[..., Any]:
    """A transform of torchvision by the name of its class; raises LabError for one that changes no single image."""
    own = SHIPPED[section]
    try:
        library = importlib.import_module(TORCHVISION)
    except Exception as error:  # not installed, or built for another torch
        raise Unavailable(
            f"{section}.kind: '{kind}' is not among {', '.join(own)}, and torchvision, which may have it, "
            f"cannot be imported ({described(error)})"
        ) from None
    found = {name for name, value in vars(library).items() if isinstance(value, type) and name[0].isupper()}
    if kind not in found:
        near = did_you_mean(kind, {*own, *found})
        raise LabError(f"{section}.kind: no such kind '{kind}'; {near} (your own: package.module:Class)")
    for part, why in NOT_FOR_SAMPLES.items():
        if part in kind:
            raise LabError(f"{section}.kind: {kind} {why}")
    return getattr(library, kind)


def code_of(section: str, kind: str) -> str:
    """The module and file that a kind runs code of; "" for a shipped kind."""
    if kind in SHIPPED.get(section, {}) or (":" not in kind and "." not in kind):
        return ""
    module_name, _ = _address(kind)
    path = Path(getattr(sys.modules.get(module_name), "__file__", None) or "?")
    return f"{module_name} ({path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path})"


def trainer() -> Callable[..., Any]:
    """Lightning's Trainer, imported only by commands that need it."""
    return _imported("trainer", "lightning.pytorch", "Trainer")


def _address(kind: str) -> tuple[str, str]:
    """The module and the name in `package.module:Class` or `package.module.Class`."""
    module_name, _, name = kind.partition(":") if ":" in kind else kind.rpartition(".")
    return RENAMED_MODULES.get(module_name, module_name), name


def _check_fits(section: str, address: str, found: Callable[..., Any]) -> None:
    """Raise LabError unless `found` is, or returns, the class that the section needs: `os:system` is callable too."""
    module_name, name = (
        BASES.get(section) or BASES[section.partition(".")[0]]
    )  # the section of a metric is metrics.NAME
    # A subclass cannot exist before its base is imported.
    base = getattr(sys.modules.get(module_name), name, None)
    returned = found if isinstance(found, type) else _annotated_return(found)
    allowed = tuple(kind for kind in (base, dict if section == "scheduler" else None) if kind is not None)
    if not any(isinstance(kind, type) and issubclass(kind, allowed) for kind in (returned, *get_args(returned))):
        raise LabError(
            f"{section}.kind: {address} is not called, since it is not declared to make what the section needs; "
            f"name a subclass of {module_name}.{name}, or a function annotated `-> {name}`"
        )


def _annotated_return(function: Callable[..., Any]) -> Any:
    try:
        returned = get_type_hints(function).get("return")
    except (TypeError, NameError, AttributeError):  # not a plain function, or an annotation that cannot be resolved
        return None
    return get_origin(returned) if get_origin(returned) is dict else returned


def _imported(path: str, module_name: str, name: str) -> Callable[..., Any]:
    """The callable `name` of a module, which may be in the working directory."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with same_folder():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"{path}: no module '{error.name}'; kind: {module_name}:{name} is looked up from {here}"
            f"{see('module-not-found')}"
        ) from None
    except (Exception, SystemExit) as error:  # importing a user's file may raise anything
        raise LabError(f"{path}: importing {module_name} failed: {described(error)}{place_of(error)}") from error
    found = getattr(module, name, None)
    if not callable(found):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise LabError(f"{path}: {module_name} has no '{name}'; {did_you_mean(name, public)}")
    return found
