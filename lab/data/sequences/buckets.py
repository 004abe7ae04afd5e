"""Batches of sequences of similar length, in an order that depends on (seed, epoch) only, each cut to its longest."""

from typing import Any

import torch
from torch import Tensor

from lab.data.augmentation.augmented import Augmented
from lab.data.loaders import ArrayDataset, Batch, EpochOrder, WholeBatches, derived_seed, without_weights

POOL = 50  # batches whose samples are sorted together: enough to be alike, few enough to meet others the next time


class SequenceDataset(ArrayDataset, WholeBatches):
    """Sequences x (N, ..., L), padded at the end, with targets y (N, ...); `lengths` (N,) are their steps.

    A batch ends with its longest sequence.
    """

    def __init__(self, x: Tensor, y: Tensor, lengths: Tensor):
        super().__init__(x, y)
        self.lengths = lengths

    def batch(self, indices: Tensor) -> Batch:
        """The samples of these indices: x (B, ..., longest of them), y (B, ...)."""
        x, *others = super().batch(indices)
        return x[..., : int(self.lengths[indices].max())], *others

    def longest(self, count: int) -> Tensor:
        """The indices of the batch that takes the most memory."""
        return self.lengths.argsort(descending=True, stable=True)[:count]


def sequences_of(dataset: Any) -> SequenceDataset | None:
    """The sequences of a split, also where they are augmented or weighted; None for other samples."""
    inner = without_weights(dataset.dataset if isinstance(dataset, Augmented) else dataset)
    return inner if isinstance(inner, SequenceDataset) else None


class BucketOrder(EpochOrder):
    """As EpochOrder, with sequences of similar length in the same batch.

    The samples are shuffled, sorted by length within pools of `POOL` batches, and the batches are shuffled (as
    `sortish` samplers do). The last batch, where it is smaller than the others, is of any lengths. Each sample is
    served once in an epoch.
    """

    def __init__(self, lengths: Tensor, seed: int, shuffle: bool, batch_size: int):
        super().__init__(len(lengths), seed, shuffle)
        self.lengths = lengths
        self.batch_size = batch_size

    def indices(self) -> Tensor:
        """All indices of the epoch, (size,)."""
        order = super().indices()
        if not self.shuffle:
            return order
        whole = self.size - self.size % self.batch_size
        pools = order[:whole].split(POOL * self.batch_size)
        batches = torch.cat([self._by_length(pool) for pool in pools]).view(-1, self.batch_size)
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch, 2))
        return torch.cat([batches[torch.randperm(len(batches), generator=generator)].flatten(), order[whole:]])

    def _by_length(self, indices: Tensor) -> Tensor:
        return indices[self.lengths[indices].argsort(stable=True)]
