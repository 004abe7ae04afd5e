"""From an experiment to the objects that it names: data, architecture, module."""

import contextlib
import copy
import ctypes
import dataclasses
import functools
import os
import time
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR, ReduceLROnPlateau

from lab.architectures.adapters import Embedded, FromLastValue
from lab.config import kinds
from lab.config.experiment import Experiment
from lab.config.sections import Part
from lab.data.base import DataModule, EmbeddedColumns, InputAdapter, RelativeToLastValue
from lab.data.loaders import Batch
from lab.errors import LabError, described, place_of
from lab.modules import metrics
from lab.modules.task import TaskModule
from lab.modules.tasks import ClassificationModule, ForecastingModule, Predictor, RegressionModule
from lab.modules.training_step import Stepping, block_size
from lab.training import rehearsal
from lab.training.memory import bounded_parameters
from lab.training.rehearsal import check_metrics, check_optimizer

LOSSES = {
    "two classes": ("bce",),
    "classification": ("cross_entropy",),
    "regression": ("mse", "l1", "huber"),
    "forecasting": ("mse", "l1", "huber"),
}
BY_STEP = (OneCycleLR, CyclicLR)  # schedules that are stepped after every optimizer step
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_BYTES = 2**30
SECONDS_PER_TRY = 0.3  # for each number of threads
REQUIRED_SPEEDUP = 0.95  # more threads must need less than this share of the time: they are taken from other work


@dataclasses.dataclass(frozen=True)
class Built:
    """An experiment with its loss decided, and what it is run with."""

    experiment: Experiment
    data: DataModule
    module: TaskModule

    def predictor(self) -> Predictor:
        """The model for raw inputs, on the CPU, sharing the module's weights."""
        self.module.cpu().float()
        return Predictor(self.module.architecture, self.data.input_scale, self.module.output())


def build(experiment: Experiment, data: DataModule | None = None) -> Built:
    """Prepare the data and build module and architecture, seeded; raises LabError where they do not fit.

    `data` may be the experiment's data from an earlier build, which is then not read again. Sets the process's
    number of threads: a setting like the others, since small networks are slower on many, and the last bits
    of a sum depend on it. One thread while it is `auto`, see `choose_threads`.
    """
    torch.set_num_threads(1 if experiment.threads == "auto" else experiment.threads)
    reuse_memory()
    data = data or experiment.data.build(seed=experiment.seed_of("split"))
    _prepare(data, experiment.data.kind)
    data.order_seed, data.noise_seed = experiment.seed_of("order"), experiment.seed_of("dropout")
    experiment = dataclasses.replace(experiment, loss=_loss(experiment.loss, data))
    _check_model(experiment.model)
    rehearsal.check_kind(experiment.model, experiment.data, data.sizes)
    L.seed_everything(experiment.seed_of("init"), workers=True, verbose=False)
    with bounded_parameters(experiment.model.kind):
        architecture: nn.Module = experiment.model.build(**data.sizes.supplied())
    whole = data.wrap(with_input_adapter(architecture, data.input_adapter))
    if not isinstance(whole, nn.Module):
        raise LabError(f"data: {experiment.data.kind}.wrap() must return a network, not {type(whole).__name__}")
    samples, _ = next(iter(data.loader("train")))
    rehearsal.check_forward(whole, architecture, experiment.model, samples[:2], data.sizes)
    if missing := next((name for name, p in whole.named_parameters() if isinstance(p, UninitializedParameter)), None):
        raise LabError(f"model: {experiment.model.kind} never uses its parameter {missing}, which has no shape")
    if experiment.channels_last:
        whole = whole.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = sum(p.numel() for p in whole.parameters())
    data.block = block_size(experiment.trainer, data.batch_size, parameters, data.sizes.input_shape)
    module = _module(experiment, data, whole)
    check_metrics(experiment, data, module)
    check_optimizer(experiment, module)
    return Built(experiment, data, module)


@functools.cache
def reuse_memory() -> None:
    """Make glibc keep large buffers for the next step; elsewhere nothing happens.

    By default it may return each to the system and get it again page by page: an epoch of lstm then takes 1.5 times as
    long, or not, depending on what the process has allocated before.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _check_model(model: Part) -> None:
    """Raise LabError for a LightningModule, whose own steps and optimizers would never be called."""
    if isinstance(model.target, type) and issubclass(model.target, L.LightningModule):
        raise LabError(
            f"model.kind: {model.kind} is a LightningModule, whose training_step and configure_optimizers would not be "
            "called; name the nn.Module inside it"
        )


def _prepare(data: DataModule, kind: str) -> None:
    """Prepare the data; raises LabError also for what a data module of one's own raises."""
    try:
        data.prepare()
    except LabError:
        raise
    except (Exception, SystemExit) as error:
        if not kinds.code_of("data", kind):  # a bug, which needs its traceback
            raise
        raise LabError(f"data: {kind} cannot be read: {described(error)}{place_of(error)}") from error


def with_input_adapter(architecture: nn.Module, adapter: InputAdapter | None) -> nn.Module:
    """The architecture behind the input adapter that the data asks for."""
    match adapter:
        case EmbeddedColumns():
            return Embedded(architecture, adapter.columns, adapter.embeddings())
        case RelativeToLastValue():
            return FromLastValue(architecture, adapter.targets, adapter.horizon)
    return architecture


def _loss(chosen: Part | None, data: DataModule) -> Part:
    """The loss of the experiment, or the task's usual one."""
    task = "two classes" if data.sizes.classes == 2 else data.task
    if chosen is None:
        return Part("loss", LOSSES[task][0], {})
    shipped = {kind for kinds in LOSSES.values() for kind in kinds}
    if chosen.kind in shipped and chosen.kind not in LOSSES[task]:
        raise LabError(f"loss.kind: {chosen.kind} does not fit {task}; use {' or '.join(LOSSES[task])}")
    return chosen


def _module(experiment: Experiment, data: DataModule, architecture: nn.Module) -> TaskModule:
    """The LightningModule of the data's task."""

    def make_scheduler(optimizer: Optimizer, total_steps: int) -> dict[str, Any]:
        made = experiment.scheduler.build(optimizer=optimizer, total_steps=total_steps)
        if isinstance(made, dict):
            return made
        monitor = {"monitor": "val/loss"} if isinstance(made, ReduceLROnPlateau) else {}
        return {"scheduler": made, "interval": "step" if isinstance(made, BY_STEP) else "epoch", **monitor}

    assert experiment.loss is not None, "decided by build"
    task: dict[str, Any] = {
        "architecture": architecture,
        "loss": experiment.loss.build(),
        "make_optimizer": lambda params: experiment.optimizer.build(params=params),
        "make_scheduler": make_scheduler,
        "seed": experiment.seed_of("dropout"),
        "own_metrics": lambda: metrics.build_all(experiment.metrics, data.sizes),
        "stepping": Stepping(
            data.batch_size,
            experiment.trainer["accumulate_grad_batches"],
            experiment.trainer["gradient_clip_val"],
            experiment.trainer["gradient_clip_algorithm"],
        ),
    }
    if data.task == "classification":
        return ClassificationModule(data.sizes.classes, data.majority, **task)
    assert data.target_scale is not None, "given by every data module with values to predict"
    if data.task == "regression":
        return RegressionModule(data.target_scale, data.target_columns(), **task)
    return ForecastingModule(data.target_scale, data.target_columns(), **task)


def choose_threads(built: Built, most: int | None = None) -> Built:
    """Replace `threads: auto` by the number, at most `most`, that trains the network fastest; that number is set."""
    if built.experiment.threads != "auto":
        return built
    x, y = next(iter(built.data.loader("train")))
    size = built.data.batch_size
    number = fastest(built.module, (x[:size], y[:size]), most or os.cpu_count() or 1)
    torch.set_num_threads(number)
    return dataclasses.replace(built, experiment=dataclasses.replace(built.experiment, threads=number))


def fastest(module: TaskModule, batch: Batch, most: int) -> int:
    """The number of threads, of 1, 2, 4 ... and `most`, that trains a batch in the least time."""
    best, least = 1, float("inf")
    for number in sorted({2**power for power in range(most.bit_length())} | {most}):
        torch.set_num_threads(number)
        seconds = _least_seconds(_step(module, batch))
        if seconds < REQUIRED_SPEEDUP * least:
            best, least = number, seconds
    return best


def _step(module: TaskModule, batch: Batch) -> Callable[[], None]:
    """A training step of a copy of the network, which leaves weights and randomness as they are."""
    architecture = copy.deepcopy(module.architecture).train()

    def step() -> None:
        with torch.random.fork_rng(devices=[]):
            module.loss(architecture(batch[0]), module.loss_target(batch)).backward()

    return step


def _least_seconds(step: Callable[[], None]) -> float:
    """The shortest time of a step in seconds: disturbances only add."""
    step()  # the first one allocates
    least, until = float("inf"), time.perf_counter() + SECONDS_PER_TRY
    while time.perf_counter() < until:
        began = time.perf_counter()
        step()
        least = min(least, time.perf_counter() - began)
    return least
