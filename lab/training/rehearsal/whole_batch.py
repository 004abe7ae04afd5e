"""One whole batch on a copy, before anything is recorded: what must work at the end is tried at the start.

Forward pass, loss, backward pass, optimizer step, schedule, metrics and checkpoint, for a full batch and for the last,
smaller one of an epoch. A mistake in a person's own code is one line that names the part, and the line of the code.
"""

import io
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MetricCollection

from lab.architectures.members import Members
from lab.data.lightning_data import LightningData
from lab.data.loaders import Batch
from lab.data.shares import WHOLE, Share
from lab.errors import LabError, did_you_mean, see
from lab.training import members
from lab.training.building import Built
from lab.training.checkpoints.best_epoch import best_by
from lab.training.devices import strategy as devices
from lab.training.rehearsal import memory, own_module_rehearsal, sanity_checks
from lab.training.rehearsal.isolation import copied, in_precision, on_device, same_randomness
from lab.training.rehearsal.part_checks import as_a_line, batches
from lab.training.rehearsal.sanity_checks import Note
from lab.training.results import histograms
from lab.training.trainer import check_counts, early_stopping_of, make_trainer, silence_libraries

MIXED = {"bf16-mixed": torch.bfloat16, "bf16": torch.bfloat16}  # float16 needs its gradients scaled: rehearsed in 32
SCHEDULE = {"scheduler", "interval", "monitor"}  # keys that the training loop honours


@dataclass(frozen=True)
class Rehearsal:
    """What the rehearsal found: notes for the user as (subject, sentence), and figures of the first batch.

    `gradients` has the norm of each parameter's gradient, None for one that got none; memory is in bytes.
    """

    notes: list[Note]
    loss: float
    gradients: Mapping[str, float | None]
    activations: int
    optimizer_state: int


def rehearse(built: Built) -> Rehearsal:
    """Train a copy of the network on one batch; raises LabError for what would fail later.

    Weights and random state stay as they are.
    """
    silence_libraries()
    if not isinstance(built.data, LightningData):
        check_counts(built)
    devices.check(built)
    found = _rehearse_own(built) if built.experiment.module is not None else _rehearse_task(built)
    devices.check_gradients(built, found.gradients)
    early_stopping_of(built)
    best_by(built.experiment.checkpoints["monitor"], built.observer.directions())
    return replace(found, notes=[*members.notes(built.experiment), *built.fine_tuning.notes, *found.notes])


def _rehearse_own(built: Built) -> Rehearsal:
    """Let Lightning train a copy of a module of one's own; what its steps need is not known."""
    notes, loss = own_module_rehearsal.rehearse(built)
    return Rehearsal(notes, loss, {}, 0, 0)


def _rehearse_task(built: Built) -> Rehearsal:
    device = make_trainer(built).strategy.root_device
    share = Share(0, devices.count(built.experiment)) if device.type == "cuda" else WHOLE  # CPUs share their memory
    with (
        same_randomness(),
        copied(built) as rehearsed,
        on_device(rehearsed, device) as moved,
        in_precision(rehearsed) as cast,
    ):
        return _rehearse(rehearsed, *(cast(moved(batch)) for batch in batches(rehearsed.data, share)))


def _rehearse(built: Built, full: Batch, rest: Batch | None) -> Rehearsal:
    network = built.in_training_mode().architecture
    activations = _check_memory(built, network, full)
    outputs, loss = _loss(built, network, full)
    with as_a_line("loss", type(built.task_module.loss).__name__, "for a part of a batch"):
        devices.check_loss(built, outputs, full)
    if rest is not None:
        _loss(built, network, rest, f" for the last batch of an epoch, of {len(rest[1])} samples")
    unset = _check_metrics(built, network, full)
    _check_mixing_and_averaging(built, full)
    with as_a_line("loss", type(built.task_module.loss).__name__, "in the backward pass"):
        notes = [*sanity_checks.of_batch(built, outputs, full, loss), *unset]
    # Only then a step is taken: a learning rate that makes the network diverge is a result, and no mistake.
    optimizer, schedule = _optimizer(built, network)
    _backward(built, network, loss)
    if built.experiment.trainer["histograms"]:
        with as_a_line("trainer.histograms", built.experiment.part("model").kind, "to be looked at"):
            histograms.rehearse(network)
    gradients = sanity_checks.gradient_norms(network)
    changed = _step(built, network, loss, optimizer, schedule)
    notes += sanity_checks.of_step(built, optimizer, changed)
    _check_checkpoint(network, optimizer, schedule)
    return Rehearsal(notes, float(loss.detach()), gradients, activations, memory.of_optimizer(optimizer))


def _check_memory(built: Built, network: nn.Module, batch: Batch) -> int:
    """The bytes that a batch keeps for its backward pass, from two of its samples; raises LabError for too many."""
    few = len(batch[1]) if len(batch[1]) < 2 else 2
    with (
        as_a_line("model", built.experiment.part("model").kind, "in the forward pass"),
        memory.Activations(network) as kept,
    ):
        network(batch[0][:few].clone())  # with memory of their own
    wanted, most = kept.take() / few * len(batch[1]), memory.available(batch[0].device)
    if wanted > most:
        raise LabError(
            f"data.batch_size: a batch of {len(batch[1])} samples needs about {wanted / 1e9:.3g} GB for its backward "
            f"pass, {most / 1e9:.3g} GB are free"
        )
    return int(wanted)


def _optimizer(built: Built, network: nn.Module) -> tuple[Optimizer, dict[str, Any]]:
    kind = built.experiment.part("optimizer").kind
    with as_a_line("optimizer", kind, "to be built"):
        optimizer = built.task_module.make_optimizer(network)
    with as_a_line("scheduler", built.experiment.part("scheduler").kind, "to be built"):
        schedule = built.task_module.make_scheduler(optimizer, 100)
    _check_schedule(built, schedule)
    return optimizer, schedule


def _check_schedule(built: Built, schedule: dict[str, Any]) -> None:
    """Raise LabError for a mapping, as Lightning has it, of which the training loop would ignore a part."""
    kind, interval, monitor = built.experiment.part("scheduler").kind, schedule.get("interval"), schedule.get("monitor")
    known = [f"{split}/{name}" for split in ("val", "train") for name in built.task_module.directions()]
    if "scheduler" not in schedule or interval not in ("epoch", "step") or set(schedule) - SCHEDULE:
        raise LabError(
            f"scheduler: {kind} must return {{'scheduler': ..., 'interval': 'epoch' or 'step', 'monitor': a metric or "
            f"nothing}}, but returns {', '.join(f'{name}: {_plain(value)}' for name, value in schedule.items())}"
        )
    if monitor is not None and monitor not in known:
        raise LabError(f"scheduler: {kind} monitors '{monitor}'; {did_you_mean(monitor, known)}")
    if monitor is not None and interval == "step":
        raise LabError(
            f"scheduler: {kind} monitors {monitor}, which is known once an epoch; its interval must be epoch"
        )


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float | None) else type(value).__name__


def _backward(built: Built, network: nn.Module, loss: Tensor) -> None:
    """Back-propagate; raises LabError where no parameter gets a gradient."""
    kind = built.experiment.part("model").kind
    with as_a_line("model", kind, "in the backward pass"):
        loss.backward()
    if all(parameter.grad is None for parameter in network.parameters()):
        raise LabError(f"model: {kind} gets no gradient, so nothing can be learned")


def _step(built: Built, network: nn.Module, loss: Tensor, optimizer: Optimizer, schedule: dict[str, Any]) -> bool:
    """Take steps of optimizer and schedule, a second one where the first has no effect; whether a weight changed."""
    experiment = built.experiment
    held = (p for group in optimizer.param_groups for p in group["params"] if p.grad is not None)
    watched = min(held, key=_smallest_with_slope, default=next(network.parameters()))
    before, changed = watched.detach().clone(), False
    for _ in range(2):  # a warm-up may start with a rate of 0
        with as_a_line("optimizer", experiment.part("optimizer").kind, "to take a step"):
            optimizer.step()
        with as_a_line("scheduler", experiment.part("scheduler").kind, "to take a step"):
            schedule["scheduler"].step(*([loss.detach()] if schedule.get("monitor") else []))
        if changed := not torch.equal(watched, before):
            break
    named = network.named_parameters()
    if bad := next((name for name, parameter in named if bool(torch.isnan(parameter).any())), None):
        raise LabError(f"optimizer: {experiment.part('optimizer').kind} makes {bad} NaN in its first step")
    rates = [float(group["lr"]) for group in optimizer.param_groups if "lr" in group]
    if rates and not 0 <= min(rates) <= max(rates) < math.inf:
        raise LabError(f"scheduler: {experiment.part('scheduler').kind} makes the learning rate {min(rates):g}")
    return changed


def _smallest_with_slope(parameter: nn.Parameter) -> tuple[bool, int]:
    """Orders parameters: those with a gradient other than 0 first, small ones before large ones."""
    return parameter.grad is None or not bool(parameter.grad.any()), parameter.numel()


def _loss(built: Built, network: nn.Module, batch: Batch, which: str = "") -> tuple[Tensor, Tensor]:
    """Outputs (B, ...), of members the first's, and loss () of a batch; raises LabError unless they can be trained."""
    model, loss_part = built.experiment.part("model").kind, built.experiment.loss
    assert loss_part is not None, "decided by build"
    if isinstance(built.task_module.loss, nn.CrossEntropyLoss) and built.data.sizes.raw_outputs == 1:
        raise LabError(f"loss: {loss_part.kind} takes a logit per class, but two classes have a single one; use bce")
    dtype = MIXED.get(str(built.experiment.trainer["precision"]))
    with torch.autocast(batch[0].device.type, dtype, enabled=dtype is not None):
        with as_a_line("model", model, f"in the forward pass{which}"):
            whole = network(batch[0])
        outputs, *others = whole if isinstance(network, Members) else (whole,)
        for each in (outputs, *others):
            _check_outputs(model, each, (len(batch[1]), built.data.sizes.raw_outputs, *built.data.sizes.positions))
        with as_a_line(
            "loss", loss_part.kind, f"for outputs {tuple(outputs.shape)} and targets {tuple(batch[1].shape)}"
        ):
            loss = built.task_module.loss_of(whole, batch)
    _check_loss(loss_part.kind, loss)
    if not loss.requires_grad:
        raise LabError(_without_gradient(model, loss_part.kind, network, outputs))
    return outputs, loss


def _check_outputs(model: str, outputs: Any, expected: tuple[int, ...]) -> None:
    if not isinstance(outputs, Tensor) or tuple(outputs.shape) != expected:
        given = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise LabError(f"model: {model} must return {expected} for {expected[0]} samples, but returns {given}")
    if not outputs.is_floating_point():
        dtype = str(outputs.dtype).removeprefix("torch.")
        raise LabError(f"model: {model} must return floating-point numbers, but returns {dtype}")
    if not bool(torch.isfinite(outputs).all()):
        raise LabError(f"model: {model} returns infinite or NaN outputs for its first batch{see('diverged')}")


def _check_loss(kind: str, loss: Any) -> None:
    if not isinstance(loss, Tensor):
        raise LabError(f"loss: {kind} must return a tensor, but returns {type(loss).__name__}")
    if loss.ndim:
        raise LabError(f"loss: {kind} must return one number, but returns {tuple(loss.shape)}; take its mean")
    if not bool(torch.isfinite(loss)):
        raise LabError(f"loss: {kind} is {float(loss.detach())} for the first batch{see('diverged')}")


def _without_gradient(model: str, loss: str, network: nn.Module, outputs: Tensor) -> str:
    """Why nothing can be learned."""
    if not any(parameter.requires_grad for parameter in network.parameters()):
        return f"model: {model} has no parameter that requires a gradient, so nothing can be learned"
    if not outputs.requires_grad:
        return f"model: {model} returns outputs without a gradient (detach() or no_grad()), so nothing can be learned"
    return f"loss: {loss} returns a number without a gradient, so nothing can be learned"


def _check_metrics(built: Built, network: nn.Module, batch: Batch) -> list[Note]:
    """Measure a batch, own metrics twice; raises LabError for one that fails, notes what reset() does not clear."""
    with torch.no_grad(), as_a_line("model", built.experiment.part("model").kind, "in evaluation"):
        outputs = network.eval()(batch[0])
        network.train()
    scored = built.task_module.scored(outputs, batch)
    notes: list[Note] = []
    for name, metric in built.task_module.new_metrics("test").items():
        own = name in built.experiment.metrics
        single = MetricCollection({name: metric}).to(outputs.device)  # it hands a metric what it takes
        with as_a_line(f"metrics.{name}", type(getattr(metric, "metric", metric)).__name__, "for the first batch"):
            values: list[float] = []
            for _ in range(2 if own else 1):
                single.update(**scored)
                values.append(float(single.compute()[name]))
                single.reset()
        notes += sanity_checks.of_metric(name, *values) if own else []
    return notes


def _check_mixing_and_averaging(built: Built, batch: Batch) -> None:
    """Mix a batch, and average the weights, as the training will."""
    module = built.task_module
    if module.mixing:
        with as_a_line("data.mix", module.mixing.kind, "for the first batch"):
            _check_loss(module.mixing.kind, module.training_loss(batch)[1])
    if module.average:
        with as_a_line("trainer.average", module.average.kind, "for this network"):
            for _ in range(2):
                module.average.add(module.architecture)
            module.average.model = None


def _check_checkpoint(network: nn.Module, optimizer: Optimizer, schedule: dict[str, Any]) -> None:
    """Save and load the state as checkpoints do."""
    state = {
        "model": lambda: network.state_dict(),
        "optimizer": lambda: optimizer.state_dict(),
        "scheduler": lambda: schedule["scheduler"].state_dict(),
    }
    for section, taken in state.items():
        with as_a_line(section, "its state_dict", "to be saved as tensors and plain values"):
            file = io.BytesIO()
            torch.save(taken(), file)
            file.seek(0)
            try:
                torch.load(file, weights_only=True)
            except pickle.UnpicklingError:
                raise ValueError("it holds other objects, which are not loaded from a checkpoint") from None
