"""One whole batch on a copy, before anything is recorded: what must work at the end is tried at the start.

Forward pass, loss, backward pass, optimizer step, schedule, metrics and checkpoint, for a full batch and for the last,
smaller one of an epoch. A mistake in a person's own code is one line that names the part, and the line of the code.
"""

import contextlib
import copy
import io
import pickle
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection

from lab.data.loaders import Batch
from lab.errors import LabError, place_of
from lab.modules.task import TaskModule
from lab.training import own_rehearsal
from lab.training.building import Built
from lab.training.checkpoints import random_state, set_random_state

MIXED = {"bf16-mixed": torch.bfloat16}
UNIT_SUM = 1e-4  # how near to 1 the outputs of a softmax add up


def rehearse(built: Built) -> list[tuple[str, str]]:
    """Train a copy of the network on one batch; raises LabError for what would fail later.

    Returns notes on what is odd but can be trained: (subject, sentence). Weights and random state stay as they are.
    """
    if built.experiment.module is not None:
        return own_rehearsal.rehearse(built)
    with _same_randomness(), _copied(built.task_module) as network:
        full, rest = _batches(built)
        outputs, loss = _loss(built, network, full)
        if rest is not None:
            _loss(built, network, rest, f" for the last batch of an epoch, of {len(rest[1])} samples")
        _check_metrics(built, network, full)
        # Only then a step is taken: a learning rate that makes the network diverge is a result, and no mistake.
        optimizer, schedule = _optimizer(built, network)
        without = _step(built, network, loss, optimizer, schedule)
        _check_checkpoint(network, optimizer, schedule)
    return [*_unused(built.experiment.part("model").kind, without), *_as_after_softmax(built, outputs)]


@contextlib.contextmanager
def _same_randomness() -> Iterator[None]:
    """Give the generators of torch, NumPy and Python back as they were."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)


@contextlib.contextmanager
def _copied(module: TaskModule) -> Iterator[nn.Module]:
    """A copy of the network; the network itself, restored afterwards, where it cannot be copied."""
    network = module.architecture
    try:
        copied = copy.deepcopy(network)
    except Exception:  # a lock, a generator, an open file
        before = copy.deepcopy({name: value.detach() for name, value in network.named_parameters()})
        buffers = copy.deepcopy(dict(network.named_buffers()))
        yield network.train()
        with torch.no_grad():
            for name, value in (*network.named_parameters(), *network.named_buffers()):
                value.copy_({**before, **buffers}[name])
        network.zero_grad()
    else:
        yield copied.train()


@contextlib.contextmanager
def _part(section: str, kind: str, doing: str) -> Iterator[None]:
    """Turn whatever a part of a person's own raises into one line."""
    try:
        yield
    except LabError:
        raise
    except (Exception, SystemExit) as error:
        message = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        raise LabError(f"{section}: {kind} fails {doing}: {message}{place_of(error)}") from error


def _batches(built: Built) -> tuple[Batch, Batch | None]:
    """A full batch of training samples, and as many as the last batch of an epoch has, where that is smaller."""
    size = built.data.batch_size
    loader = built.data.loader("train", shuffle=True)
    x, y = next(iter(loader))
    full = x[:size], y[:size]
    rest = len(built.data.splits["train"]) % size  # type: ignore[arg-type]
    dropped = getattr(loader, "drop_last", False)
    return full, (full[0][:rest], full[1][:rest]) if rest and not dropped else None


def _optimizer(built: Built, network: nn.Module) -> tuple[Optimizer, dict[str, Any]]:
    kind = built.experiment.part("optimizer").kind
    with _part("optimizer", kind, "to be built"):
        optimizer = built.task_module.make_optimizer(network.parameters())
    with _part("scheduler", built.experiment.part("scheduler").kind, "to be built"):
        return optimizer, built.task_module.make_scheduler(optimizer, 100)


def _step(built: Built, network: nn.Module, loss: Tensor, optimizer: Optimizer, schedule: dict[str, Any]) -> list[str]:
    """Back-propagate, take one step of optimizer and schedule; the parameters that got no gradient."""
    experiment = built.experiment
    with _part("model", experiment.part("model").kind, "in the backward pass"):
        loss.backward()
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    without = [name for name, parameter in named if parameter.grad is None]
    if len(without) == len(named):
        raise LabError(f"model: {experiment.part('model').kind} gets no gradient, so nothing can be learned")
    with _part("optimizer", experiment.part("optimizer").kind, "to take a step"):
        optimizer.step()
    bad = next((name for name, parameter in named if bool(torch.isnan(parameter).any())), None)
    if bad is not None:
        raise LabError(f"optimizer: {experiment.part('optimizer').kind} makes {bad} NaN in its first step")
    with _part("scheduler", experiment.part("scheduler").kind, "to take a step"):
        schedule["scheduler"].step(*([loss.detach()] if schedule.get("monitor") else []))
    return without


def _loss(built: Built, network: nn.Module, batch: Batch, which: str = "") -> tuple[Tensor, Tensor]:
    """Outputs (B, ...) and loss () of a batch; raises LabError unless both are what a training needs."""
    model, loss_part = built.experiment.part("model").kind, built.experiment.loss
    assert loss_part is not None, "decided by build"
    dtype = MIXED.get(str(built.experiment.trainer["precision"]))
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        with _part("model", model, f"in the forward pass{which}"):
            outputs = network(batch[0])
        _check_outputs(model, outputs, (len(batch[1]), built.data.sizes.out_features))
        with _part("loss", loss_part.kind, f"for outputs {tuple(outputs.shape)} and targets {tuple(batch[1].shape)}"):
            loss = built.task_module.loss(outputs, built.task_module.loss_target(batch))
    _check_loss(loss_part.kind, loss)
    if not loss.requires_grad:
        raise LabError(_without_gradient(model, loss_part.kind, network, outputs))
    return outputs, loss


def _check_outputs(model: str, outputs: Any, expected: tuple[int, ...]) -> None:
    if not isinstance(outputs, Tensor) or tuple(outputs.shape) != expected:
        given = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise LabError(f"model: {model} must return {expected} for {expected[0]} samples, but returns {given}")
    if not outputs.is_floating_point():
        raise LabError(f"model: {model} must return floating-point numbers, but returns {_name(outputs.dtype)}")
    if not bool(torch.isfinite(outputs).all()):
        raise LabError(f"model: {model} returns infinite or NaN outputs for its first batch")


def _check_loss(kind: str, loss: Any) -> None:
    if not isinstance(loss, Tensor):
        raise LabError(f"loss: {kind} must return a tensor, but returns {type(loss).__name__}")
    if loss.ndim:
        raise LabError(f"loss: {kind} must return one number, but returns {tuple(loss.shape)}; take its mean")
    if not bool(torch.isfinite(loss)):
        raise LabError(f"loss: {kind} is {float(loss)} for the first batch")


def _without_gradient(model: str, loss: str, network: nn.Module, outputs: Tensor) -> str:
    """Why nothing can be learned."""
    if not any(parameter.requires_grad for parameter in network.parameters()):
        return f"model: {model} has no parameter that requires a gradient, so nothing can be learned"
    if not outputs.requires_grad:
        return f"model: {model} returns outputs without a gradient (detach() or no_grad()), so nothing can be learned"
    return f"loss: {loss} returns a number without a gradient, so nothing can be learned"


def _unused(model: str, names: list[str]) -> list[tuple[str, str]]:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [("model", f"{model}: {shown} got no gradient from the first batch")] if names else []


def _as_after_softmax(built: Built, outputs: Tensor) -> list[tuple[str, str]]:
    """A note where the outputs are probabilities, although the loss takes logits."""
    if built.data.sizes.classes < 3 or not isinstance(built.task_module.loss, nn.CrossEntropyLoss):
        return []
    sums, classes = outputs.detach().float().sum(1), outputs.shape[1]
    if bool((outputs >= 0).all()) and bool(((sums - 1).abs() < UNIT_SUM).all()):
        perfect = float(nn.functional.cross_entropy(torch.eye(classes), torch.arange(classes)))
        return [("model", f"its outputs add up to 1; after softmax a perfect prediction still costs {perfect:.2f}")]
    return []


def _check_metrics(built: Built, network: nn.Module, batch: Batch) -> None:
    with torch.no_grad(), _part("model", built.experiment.part("model").kind, "in evaluation"):
        outputs = network.eval()(batch[0])
        network.train()
    scored = built.task_module.scored(outputs, batch)
    for name, metric in built.task_module.new_metrics().items():
        single = MetricCollection({name: metric})  # it hands a metric what it takes
        with _part(f"metrics.{name}", type(getattr(metric, "metric", metric)).__name__, "for the first batch"):
            single.update(**scored)
            float(single.compute()[name])


def _check_checkpoint(network: nn.Module, optimizer: Optimizer, schedule: dict[str, Any]) -> None:
    """Save and load the state as checkpoints do."""
    state = {
        "model": lambda: network.state_dict(),
        "optimizer": lambda: optimizer.state_dict(),
        "scheduler": lambda: schedule["scheduler"].state_dict(),
    }
    for section, taken in state.items():
        with _part(section, "its state_dict", "to be saved as tensors and plain values"):
            file = io.BytesIO()
            torch.save(taken(), file)
            file.seek(0)
            try:
                torch.load(file, weights_only=True)
            except pickle.UnpicklingError:
                raise ValueError("it holds other objects, which are not loaded from a checkpoint") from None


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
