"""Sums over the devices that train one network together. Where a process trains alone, all stays as it is."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torchmetrics import Metric

from lab.modules.sample_weights import TINY

M = TypeVar("M", bound=nn.Module)
_TOGETHER = ContextVar("together", default=False)  # a program may have a process group that is not the lab's


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Sum over all processes of the process group, which the lab has made for one training."""
    token = _TOGETHER.set(True)
    try:
        yield
    finally:
        _TOGETHER.reset(token)


def is_together() -> bool:
    """Whether this process trains together with others."""
    return _TOGETHER.get()


def only_together(metric: M) -> M:
    """Let torchmetrics put states together where devices train together; it would wherever a process group is."""
    for part in metric.modules():
        if isinstance(part, Metric):
            part.distributed_available_fn = is_together
    return metric


def summed(values: Tensor) -> Tensor:
    """The sum over all devices, on the device that the values are on."""
    if not is_together():
        return values
    total = values.detach().clone().to("cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.all_reduce(total)
    return total.to(values.device)


def of_whole_batch(loss: Tensor, outputs: Tensor, mean: Tensor, weight: float, adds_up: bool) -> tuple[Tensor, Tensor]:
    """From the loss () of a part, what this device back-propagates, and the loss () of the whole batch.

    `mean` and `weight` are what the part counts in a mean. Devices take the mean of their gradients, as if all parts
    counted alike; a loss that `adds_up` is not divided by the weights. The loss of a part without weight may be NaN,
    and so may its gradient: then all gradients of its `outputs` (B, ...) are 0.
    """
    part = mean.double() * weight if weight else torch.zeros_like(mean, dtype=torch.float64)
    total, weights = summed(torch.stack([part, torch.full_like(part, weight)]))
    devices = dist.get_world_size()
    if adds_up:
        return loss * devices, total.to(loss.dtype)
    if not weight:
        if not weights:
            return loss, loss.detach()  # as one device has it
        loss = (outputs * 0.0).sum()
    weights = weights.clamp(min=TINY)
    return loss * (devices * weight / weights).to(loss.dtype), (total / weights).to(loss.dtype)


@torch.no_grad()
def share_statistics(network: nn.Module) -> None:
    """Give each device the mean of all running statistics, and the other buffers of the first device."""
    for layer in network.modules():
        normalises = getattr(layer, "running_mean", None) is not None
        for buffer in layer.buffers(recurse=False):
            if normalises and buffer.is_floating_point():
                buffer.copy_(summed(buffer) / dist.get_world_size())
            else:
                dist.broadcast(buffer, 0)
