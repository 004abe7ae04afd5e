"""How a training split is cut: into batches, one or several to an optimizer step, and those into blocks.

Lightning's loop takes a tenth to half a millisecond for everything that it hands over, which is more than a small
network takes for a batch. So it hands over a block of batches, which the module trains on one after the other.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.data.loaders import Batch

MOST_BATCHES = 16  # in a block: with more, nothing is left to gain
MOST_WORK = 2e10  # multiplications in a block, about: a second on one core, in which nothing else is looked at
# Settings of Trainer that count batches, or look between two of them.
COUNTING = (
    *("max_steps", "min_steps", "overfit_batches", "val_check_interval", "profiler"),
    *("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches"),
)


@dataclass(frozen=True)
class Stepping:
    """Rows in a batch, batches in an optimizer step, and how its gradients are clipped."""

    batch_size: int
    accumulate: int = 1
    clip_at: float | None = None
    clip_by: str = "norm"

    def batches(self, block: Batch) -> Iterator[Batch]:
        """The batches of a block."""
        x, y = block
        return zip(x.split(self.batch_size), y.split(self.batch_size), strict=True)

    def sizes(self, rows: int) -> list[int]:
        """The rows of each batch in a block of so many."""
        whole, rest = divmod(rows, self.batch_size)
        return [self.batch_size] * whole + [rest] * (rest > 0)

    def ends_step(self, batch: int, batches: int) -> bool:
        """Whether an optimizer step follows this batch (from 0) of an epoch's batches."""
        return (batch + 1) % self.accumulate == 0 or batch + 1 == batches


def block_size(trainer: Mapping[str, Any], batch_size: int, parameters: int, sample_shape: tuple[int, ...]) -> int:
    """Batches in a block: many of a small network, one of a large one, whatever the machine.

    One as well where a setting of Trainer counts batches. `sample_shape` is (C, ...): at worst every parameter
    is used at each position.
    """
    if any(trainer.get(name) is not None for name in COUNTING):
        return 1
    positions = math.prod(sample_shape[1:])
    work = 3 * parameters * positions * batch_size  # forward, and twice as much backward
    return int(min(max(MOST_WORK // max(work, 1), 1), MOST_BATCHES))
