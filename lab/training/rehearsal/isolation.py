"""What is tried before a run leaves no trace in it: weights, random state and number types stay as they are."""

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch

from lab.data.loaders import Batch
from lab.training.building import Built
from lab.training.checkpoints.callback import random_state, set_random_state

TRUE = {"bf16-true": torch.bfloat16, "16-true": torch.float16, "64-true": torch.float64, "64": torch.float64}


@contextlib.contextmanager
def same_randomness() -> Iterator[None]:
    """Give the generators of torch, NumPy and Python back as they were."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)


@contextlib.contextmanager
def copied(built: Built) -> Iterator[Built]:
    """With a copy of the module; with the module itself, restored afterwards, where it cannot be copied."""
    module = built.module
    try:
        twin = copy.deepcopy(module)
    except Exception:  # a lock, a generator, an open file
        state = [(value, value.detach().clone()) for value in (*module.parameters(), *module.buffers())]
        yield built
        for value, before in state:
            value.data = before
        module.zero_grad()
    else:
        yield dataclasses.replace(built, module=twin)


@contextlib.contextmanager
def on_device(built: Built, device: torch.device) -> Iterator[Callable[[Batch | None], Any]]:
    """Move the module to the device that will train it, and yield a function that moves a batch there."""
    built.module.to(device)
    try:
        yield lambda batch: batch and tuple(part.to(device) for part in batch)
    finally:
        built.module.cpu()


@contextlib.contextmanager
def in_precision(built: Built) -> Iterator[Callable[[Batch | None], Any]]:
    """Give the module the number type of the training, and yield a function that gives it to a batch."""
    dtype = TRUE.get(str(built.experiment.trainer["precision"]))
    if dtype is None:
        yield lambda batch: batch
        return
    before = torch.get_default_dtype()
    built.module.to(dtype)
    torch.set_default_dtype(dtype)
    try:
        yield lambda batch: batch and tuple(part.to(dtype) if part.is_floating_point() else part for part in batch)
    finally:
        torch.set_default_dtype(before)
