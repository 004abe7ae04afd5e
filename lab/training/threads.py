"""How many threads train a network fastest: `threads: auto`."""

import copy
import dataclasses
import os
import time
from collections.abc import Callable

import torch

from lab.data.loaders import Batch
from lab.modules.tasks.task import TaskModule
from lab.training.building import Built
from lab.training.devices.strategy import count

SECONDS_PER_TRY = 0.3  # for each number of threads
REQUIRED_SPEEDUP = 0.95  # more threads must need less than this share of the time: they are taken from other work


def choose_threads(built: Built, most: int | None = None) -> Built:
    """Replace `threads: auto` by the number, at most `most`, that trains the network fastest; that number is set.

    By default the processors of the machine, divided among the devices of the training.
    """
    if built.experiment.threads != "auto":
        return built
    block = next(iter(built.data.loader("train")))
    batch = tuple(part[: built.data.batch_size] for part in block)
    number = fastest(built.task_module, batch, most or max(1, (os.cpu_count() or 1) // count(built.experiment)))
    torch.set_num_threads(number)
    return dataclasses.replace(built, experiment=dataclasses.replace(built.experiment, threads=number))


def fastest(module: TaskModule, batch: Batch, most: int) -> int:
    """The number of threads, of 1, 2, 4 ... and `most`, that trains a batch in the least time."""
    best, least = 1, float("inf")
    if most == 1:
        return best
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
            module.loss_of(architecture(batch[0]), batch).backward()

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
