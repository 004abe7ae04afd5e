"""Datasets that return whole batches by index, and loaders whose order depends on (seed, epoch) only."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from lab.data.preparation import Scale
from lab.data.shares import WHOLE

Batch = tuple[Tensor, ...]  # x (B, ...), y (B, ...) and, where samples have weights, those (B,)


class BatchDataset(Protocol):
    """A Dataset that can also return a batch of samples."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Batch: ...

    def batch(self, indices: Tensor) -> Batch:
        """The samples of these indices, stacked."""
        ...


class ArrayDataset(Dataset[Batch]):
    """Samples x (N, ...) with targets y (N, ...)."""

    def __init__(self, x: Tensor, y: Tensor):
        self.x = x
        self.y = y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Batch:
        return self.x[index], self.y[index]

    def batch(self, indices: Tensor) -> Batch:
        """The samples of these indices: x (B, ...), y (B, ...)."""
        return self.x[indices], self.y[indices]


class LazyDataset(Dataset[Batch]):
    """Samples that are read on access: `x` returns an array (B, ...) when indexed with an array of indices.

    `y` (N, ...) has the targets of all samples; `chosen` are the indices of the samples in this dataset.
    """

    def __init__(self, x: Any, y: Tensor, chosen: NDArray[np.int64], scale: Scale):
        self.x = x
        self.y = y[torch.from_numpy(chosen)]
        self.chosen = chosen
        self.scale = scale

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Batch:
        x, y = self.batch(torch.tensor([index]))
        return x[0], y[0]

    def batch(self, indices: Tensor) -> Batch:
        """The samples of these indices: x (B, ...), y (B, ...)."""
        return self.scale.apply(torch.from_numpy(self.x[self.chosen[indices.numpy()]])), self.y[indices]


class WholeBatches(Dataset[Batch]):
    """A dataset whose worker processes take whole batches too, since its samples depend on those beside them."""

    @abstractmethod
    def batch(self, indices: Tensor) -> Batch:
        """The samples of these indices, stacked."""

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """The samples of a batch one by one, as a worker process collates them."""
        return list(zip(*self.batch(torch.tensor(indices)), strict=True))


class WeightedDataset(WholeBatches):
    """The samples of another dataset, each with its weight (N,) as the third part of a batch."""

    def __init__(self, unweighted: Any, weight: Tensor):
        self.unweighted = unweighted
        self.weight = weight

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, index: int) -> Batch:
        return *self.unweighted[index], self.weight[index % len(self)]

    def batch(self, indices: Tensor) -> Batch:
        """The samples of these indices: x (B, ...), y (B, ...), weight (B,)."""
        return *batch_of(self.unweighted, indices), self.weight[indices % len(self)]


def without_weights(dataset: Any) -> Any:
    """The dataset whose samples have no weights."""
    return dataset.unweighted if isinstance(dataset, WeightedDataset) else dataset


def batch_of(dataset: Any, indices: Tensor) -> Batch:
    """The samples of these indices, stacked, also of a dataset that returns one sample at a time."""
    if hasattr(dataset, "batch"):
        return tuple(dataset.batch(indices))
    return tuple(default_collate([dataset[index] for index in indices.tolist()]))


def derived_seed(seed: int, *position: int) -> int:
    """A seed for one position in a run (an epoch, a step), statistically independent of all other positions."""
    return int(np.random.SeedSequence((seed, *position)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed the generators of the CPU and of the device on which a network runs.

    torch.manual_seed formats three stack traces at every call on a machine without a GPU.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


class EpochOrder(Sampler[int]):
    """The order of the samples in an epoch: a function of (seed, epoch) if `shuffle`, else ascending."""

    def __init__(self, size: int, seed: int, shuffle: bool):
        self.size = size
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls this before each one."""
        self.epoch = epoch

    def indices(self) -> Tensor:
        """All indices of the epoch, (size,)."""
        if not self.shuffle:
            return torch.arange(self.size)
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.epoch))
        return torch.randperm(self.size, generator=generator)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices().tolist())


class SeededLoader(ABC):
    """Yields a dataset in blocks of whole batches; its position can be saved and restored.

    `drop_last` leaves out a last batch that is smaller than `batch_size`. The last block may have fewer batches. With
    a `share`, only those samples of each batch that one of several devices takes.
    `__iter__` is a generator, so the order is computed at the first block: Lightning creates the iterator before it
    sets the epoch.
    """

    batch_sampler = None  # Lightning reads it from every loader that has a sampler

    def __init__(self, dataset: Any, batch_size: int, order: EpochOrder, drop_last: bool = False, block: int = 1):
        self.dataset = dataset
        self.batch_size = batch_size
        self.block = block
        self.sampler = order  # Lightning calls its set_epoch
        self.drop_last = drop_last
        self.share = WHOLE  # of each batch
        self._next_block = 0
        self._resume_at = 0

    @abstractmethod
    def fetch(self, blocks: list[Tensor]) -> Iterator[Batch]:
        """Yield the samples of each block of indices."""

    def close(self) -> None:  # noqa: B027 (most loaders hold nothing)
        """Release what the loader holds: worker processes, if it has any."""

    @property
    def batches(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __len__(self) -> int:
        return -(-self.batches // self.block)

    def __iter__(self) -> Iterator[Batch]:
        whole = self.sampler.indices()[: self.batches * self.batch_size].split(self.batch_size * self.block)
        blocks = [part for block in whole if len(part := self.share.of(block, self.batch_size))]
        self._next_block, self._resume_at = self._resume_at, 0
        for block in self.fetch(blocks[self._next_block :]):
            self._next_block += 1
            yield block

    def state_dict(self) -> dict[str, Any]:
        """The epoch and the number of its blocks already yielded."""
        return {"epoch": self.sampler.epoch, "block": self._next_block % max(len(self), 1)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the position: the next iteration starts at the block after the last one yielded."""
        self.sampler.set_epoch(state["epoch"])
        self._resume_at = state["block"]


class BatchLoader(SeededLoader):
    """Indexes whole batches from a dataset in this process."""

    dataset: BatchDataset

    def fetch(self, blocks: list[Tensor]) -> Iterator[Batch]:
        """Yield the samples of each block of indices."""
        return (self.dataset.batch(indices) for indices in blocks)


class WorkerLoader(SeededLoader):
    """Collates batches sample by sample in worker processes, which live until the loader is closed."""

    def __init__(self, dataset: Any, batch_size: int, order: EpochOrder, drop_last: bool, num_workers: int):
        super().__init__(dataset, batch_size, order, drop_last)
        self._batches: list[list[int]] = []
        self._loader: DataLoader[Batch] = DataLoader(
            dataset,
            batch_sampler=_RemainingBatches(self._batches),
            num_workers=num_workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=num_workers > 0,
            worker_init_fn=_ignore_interrupts,
        )

    def close(self) -> None:
        """End the workers. When the garbage collector does it, it waits five seconds for each of them.

        PyTorch 2.13 has no public way: the collector closes the queue of a worker before the worker is told to end.
        """
        iterator = self._loader._iterator
        if iterator is not None:
            iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._loader._iterator = None

    def fetch(self, blocks: list[Tensor]) -> Iterator[Batch]:
        """Yield the samples of each block of indices; a block is one batch here."""
        self._batches[:] = [indices.tolist() for indices in blocks]
        return iter(self._loader)


class _RemainingBatches(Sampler[list[int]]):
    """The batches of a WorkerLoader's current iteration, which the loader replaces."""

    def __init__(self, batches: list[list[int]]):
        self._batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._batches)


def _ignore_interrupts(worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the training process needs its workers to finish the batch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
