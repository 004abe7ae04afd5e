"""The share of each batch that one of several devices takes."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Share:
    """What the device number `rank` (from 0) of `devices` takes of each batch: a run of neighbours.

    Where the samples cannot be divided evenly, the first devices take one more.
    """

    rank: int = 0
    devices: int = 1

    def size(self, batch: int) -> int:
        """How many of the samples of a batch."""
        return (batch + self.devices - 1 - self.rank) // self.devices

    def of(self, block: Tensor, batch_size: int) -> Tensor:
        """The indices (n,) that it takes of a block of batches (N,), of which the last may be smaller."""
        if self.devices == 1:
            return block
        return torch.cat([batch.tensor_split(self.devices)[self.rank] for batch in block.split(batch_size)])


WHOLE = Share()
