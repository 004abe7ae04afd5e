"""How many threads a network is fastest on: small ones are slower on many, and only trying tells."""

import copy
import dataclasses
import os
import time
from collections.abc import Callable

import torch

from lab.building import Built
from lab.data.batches import Batch
from lab.modules.task import TaskModule

SECONDS = 0.3  # of trying, for each number
WORTH = 0.95  # more threads must take less than this share of the time: they are taken from somebody


def decided(built: Built, most: int | None = None) -> Built:
    """With `threads: auto` replaced by the number that trains it fastest, `most` at most; that number is set."""
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
        if seconds < WORTH * least:
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
    """The least that a step took: what disturbs it only adds."""
    step()  # the first one allocates
    least, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        began = time.perf_counter()
        step()
        least = min(least, time.perf_counter() - began)
    return least
