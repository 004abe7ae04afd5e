"""The rehearsal: shapes, metrics, optimizer and schedule are tried before anything is recorded."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lab.config import kinds, schema
from lab.config.experiment import Experiment
from lab.config.sections import SUPPLIED, Part
from lab.data.base import DataModule
from lab.data.loaders import Batch, batch_of
from lab.data.sequences.buckets import sequences_of
from lab.data.shares import WHOLE, Share
from lab.data.sizes import Sizes
from lab.errors import LabError, described, place_of
from lab.modules import reduction
from lab.modules.tasks.task import TaskModule

# What to do about messages of torch that do not say it.
HINTS = {
    "too many values to unpack (expected 2)": "with data.weight a batch is (x, y, weight)",
    "Expected more than 1 value per channel": "batch norm needs a data.batch_size of 2 or more",
    "required positional argument: 'closure'": "the training loop gives an optimizer no closure; choose another",
}
# Metrics of the task that earlier versions had not: an experiment may have one of its own by that name.
REPLACEABLE = {"balanced_accuracy", "ece"}


@contextlib.contextmanager
def as_a_line(section: str, kind: str, doing: str) -> Iterator[None]:
    """Turn whatever a user's own part raises into one line."""
    try:
        yield
    except LabError:
        raise
    except (Exception, SystemExit) as error:
        message = described(error)
        hint = next((f"; {hint}" for text, hint in HINTS.items() if text in message), "")
        raise LabError(f"{section}: {kind} fails {doing}: {message}{hint}{place_of(error)}") from error


def batches(data: DataModule, share: Share = WHOLE) -> tuple[Batch, Batch | None]:
    """A full batch of training samples, and as many as the last batch of an epoch has, where that is smaller.

    Of sequences of unequal length it is the batch of the longest, which takes the most memory. Of each batch it is the
    `share` of a device.
    """
    size = data.batch_size
    loader = data.loader("train", shuffle=True)
    full = tuple(part[:size] for part in next(iter(loader)))
    dataset = data.splits["train"]
    sequences = sequences_of(dataset)
    if sequences is not None:
        full = batch_of(dataset, sequences.longest(size))
    rest = len(data.splits["train"]) % size  # type: ignore[arg-type]
    dropped = getattr(loader, "drop_last", False)
    last = tuple(part[: share.size(rest)] for part in full) if rest and not dropped else None
    return tuple(part[: share.size(len(part))] for part in full), last


def check_kind(model: Part, data: Part, sizes: Sizes) -> None:
    """Raise LabError where the data cannot supply what the architecture's constructor requires."""
    given = ("N", *sizes.input_shape)
    expected: Any = getattr(model.target, "input_shape", None)
    if expected and len(expected) != len(given):
        fitting = [kind for kind in kinds.SHIPPED["model"] if _fits(kind, given) and (not sizes.padded or _masks(kind))]
        raise LabError(
            f"model.kind: {model.kind} takes {_shape(expected)}, but {data.kind} gives {_shape(given)}; "
            f"kinds that take it: {', '.join(fitting)}"
        )
    for name in SUPPLIED["model"]:
        if schema.requires(model.target, name) and name not in sizes.supplied():
            raise LabError(
                f"model.kind: {model.kind} requires `{name}`, which {data.kind} with {_shape(given)} does not have"
            )


def check_padding(model: Part, data: Part, architecture: nn.Module, sizes: Sizes) -> None:
    """Raise LabError where sequences are of unequal length, and the network does not say that it masks the padding."""
    if sizes.padded and not getattr(architecture, "masks_padding", False):
        fitting = [kind for kind in kinds.SHIPPED["model"] if _masks(kind)]
        raise LabError(
            f"{model.section}.kind: {model.kind} does not take sequences of unequal length, which {data.kind} gives; "
            f"kinds that do: {', '.join(fitting)} (your own: replace the NaN after the end, set masks_padding = True)"
        )


def check_forward(network: nn.Module, architecture: nn.Module, model: Part, samples: Tensor, sizes: Sizes) -> None:
    """Raise LabError, with the layer where it happens, unless `samples` (2, ...) give (2, out_features).

    `network` is the architecture behind the data's input adapter.
    """
    entered: list[tuple[str, nn.Module, Tensor]] = []
    hooks = [
        layer.register_forward_pre_hook(_remember(entered, name), with_kwargs=False)
        for name, layer in architecture.named_modules()
        if not list(layer.children())
    ]
    network.eval()
    try:
        with torch.no_grad():
            outputs = network(samples)
    except (Exception, SystemExit) as error:  # whatever a person's own network raises
        where = ""
        if entered:
            name, layer, x = entered[-1]
            where = f"layer {name or 'itself'}, {layer}, got {_shape(('N', *x.shape[1:]))}: "
        message = described(error)
        raise LabError(
            f"model: {model.kind} cannot take {_shape(('N', *sizes.input_shape))}: {where}{message}{place_of(error)}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        network.train()
    outputs_of = (sizes.out_features, *sizes.positions)
    expected: tuple[Any, ...] = (len(samples), *outputs_of)
    given: tuple[Any, ...] = tuple(outputs.shape) if isinstance(outputs, Tensor) else ()
    if given == expected:
        return
    if given[:1] != expected[:1] and given:  # the number of samples is wrong: it is shown
        raise LabError(f"model: {model.kind} must return {_shape(expected)} for 2 samples, but returns {_shape(given)}")
    came = _shape(("N", *given[1:])) if given else type(outputs).__name__
    raise LabError(f"model: {model.kind} must return {_shape(('N', *outputs_of))}, but returns {came}")


def _remember(entered: list[tuple[str, nn.Module, Tensor]], name: str) -> Any:
    def hook(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            entered.append((name, layer, inputs[0]))

    return hook


def _fits(kind: str, given: tuple[Any, ...]) -> bool:
    expected: Any = getattr(kinds.find("model", kind), "input_shape", None)
    return expected is None or len(expected) == len(given)


def _masks(kind: str) -> bool:
    """Whether the shipped kind takes sequences of unequal length."""
    return getattr(kinds.find("model", kind), "masks_padding", False)


def _shape(dims: Any) -> str:
    return f"({', '.join(str(dim) for dim in dims)})"


def check_metrics(experiment: Experiment, data: DataModule, module: TaskModule) -> None:
    """Update and compute each metric of `metrics:` on one batch; raises LabError for one that fails."""
    batch = next(iter(data.loader("val")))
    scored = module.scored_trivially(batch)
    taken = module.task_metrics().keys() - REPLACEABLE
    for name, metric in module.own_metrics().items():
        if not name.isidentifier() or name == "loss" or name in taken:
            raise LabError(f"metrics.{name}: is taken by a metric of the task, or is no valid name; choose another")
        reduction.only_together(metric)
        try:
            metric.update(scored["preds"], scored["target"])
            float(metric.compute())
        except (Exception, SystemExit) as error:  # whatever a person's own metric raises
            message = described(error)
            raise LabError(
                f"metrics.{name}: {experiment.metrics[name].kind} cannot measure predictions "
                f"{tuple(scored['preds'].shape)} against {tuple(scored['target'].shape)} as one number: "
                f"{message}{place_of(error)}"
            ) from error


def check_optimizer(experiment: Experiment, module: TaskModule) -> None:
    """Build optimizer and schedule once, so that wrong settings are reported before the run."""
    network = module if any(True for _ in module.parameters()) else nn.Linear(1, 1)  # that it has none is found later
    module.make_scheduler(module.make_optimizer(network), 100)
