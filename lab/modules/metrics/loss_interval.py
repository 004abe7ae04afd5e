"""The interval of the test loss: how much it would differ on another test set of the same size."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from lab.data.loaders import Batch
from lab.modules.metrics import bootstrap

MOST_VALUES = 20_000_000  # of all outputs together, which are kept until the end of the test
SAME = 1e-3  # relative difference


class TestedBatches:
    """The raw outputs (B, ...) of tested batches with their targets and weights, none where they are too many."""

    def __init__(self) -> None:
        self.parts: list[Batch] = []
        self._left = MOST_VALUES

    def keep(self, outputs: Tensor, batch: Batch) -> None:
        """Keep a batch."""
        self._left -= outputs.numel()
        if self._left >= 0:
            self.parts.append((outputs.detach(), *batch[1:]))
        else:
            self.parts.clear()


def interval(
    parts: Sequence[Batch], samples: int, mean: Callable[[Batch], tuple[float, float]], block: int
) -> tuple[float, float] | None:
    """The bootstrap interval of the loss of `samples` tested samples, from the `parts` that were kept of them.

    `mean` gives the mean loss of a batch, and its weight among batches. None where the outputs of some batches were
    not kept, and for a loss of samples together that differs from the mean over their batches: it compares samples
    with each other, and has another value for another batch.
    """
    if sum(len(part[0]) for part in parts) != samples:
        return None
    whole = tuple(torch.cat(tensors) for tensors in zip(*parts, strict=True))
    each = [mean(part) for part in parts]
    tested = sum(value * weight for value, weight in each) / sum(weight for _, weight in each)
    if not math.isclose(mean(whole)[0], tested, rel_tol=SAME):
        return None
    return bootstrap.interval_of(lambda numbers: mean(tuple(part[numbers] for part in whole))[0], samples, block)
