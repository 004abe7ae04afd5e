"""Datasets, and the seeded loaders: whole batches by index, in an order that (seed, epoch) alone decide."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lab.data.preparation import Scale

Batch = tuple[Tensor, Tensor]


class BatchDataset(Protocol):
    """A Dataset that can also give many samples at once."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Batch: ...

    def batch(self, indices: Tensor) -> Batch:
        """The samples of these indices, stacked."""
        ...


def derived_seed(seed: int, *position: int) -> int:
    """A seed for one position (an epoch, a step) of a run, statistically unrelated to that of any other."""
    return int(np.random.SeedSequence((seed, *position)).generate_state(1, np.uint64)[0] >> np.uint64(1))


class EpochOrder(Sampler[int]):
    """The order of samples in an epoch: a function of (seed, epoch), or the natural one."""

    def __init__(self, size: int, seed: int, shuffle: bool):
        self.size = size
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning calls this before each one."""
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
    """Serves a dataset in blocks of whole batches; its position can be saved and restored.

    `drop_last` leaves out a last batch that is smaller than `batch_size`. The last block may hold fewer batches. An
    iteration begins when its first block is asked for: Lightning makes the iterator before it says which epoch it
    is for.
    """

    batch_sampler = None  # Lightning asks every loader with a sampler for it

    def __init__(self, dataset: Any, batch_size: int, order: EpochOrder, drop_last: bool = False, block: int = 1):
        self.dataset = dataset
        self.batch_size = batch_size
        self.block = block
        self.sampler = order  # where Lightning looks for set_epoch
        self.drop_last = drop_last
        self._next_block = 0
        self._resume_at = 0

    @abstractmethod
    def serve(self, blocks: list[Tensor]) -> Iterator[Batch]:
        """The samples of these indices, block by block."""

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __len__(self) -> int:
        return -(-self.batches // self.block)

    def __iter__(self) -> Iterator[Batch]:
        blocks = self.sampler.indices()[: self.batches * self.batch_size].split(self.batch_size * self.block)
        self._next_block, self._resume_at = self._resume_at, 0
        for block in self.serve(list(blocks[self._next_block :])):
            self._next_block += 1
            yield block

    def state_dict(self) -> dict[str, Any]:
        """The epoch and the number of blocks already served in it."""
        return {"epoch": self.sampler.epoch, "block": self._next_block % max(len(self), 1)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken: the next iteration starts at that block."""
        self.sampler.set_epoch(state["epoch"])
        self._resume_at = state["block"]


class BatchLoader(SeededLoader):
    """Takes whole batches out of a dataset in memory."""

    def serve(self, blocks: list[Tensor]) -> Iterator[Batch]:
        """The samples of these indices, block by block."""
        return (self.dataset.batch(indices) for indices in blocks)


class WorkerLoader(SeededLoader):
    """Collects batches sample by sample in processes beside the training."""

    def __init__(self, dataset: Any, batch_size: int, order: EpochOrder, drop_last: bool, num_workers: int):
        super().__init__(dataset, batch_size, order, drop_last)
        self._chosen: list[list[int]] = []
        self._loader: DataLoader[Batch] = DataLoader(
            dataset,
            batch_sampler=_Chosen(self),
            num_workers=num_workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=True,
            worker_init_fn=_leave_signals_to_training,
        )

    def serve(self, blocks: list[Tensor]) -> Iterator[Batch]:
        """The samples of these indices, block by block; a block is one batch here."""
        self._chosen = [indices.tolist() for indices in blocks]
        return iter(self._loader)


class _Chosen(Sampler[list[int]]):
    """The batches that a WorkerLoader has chosen for this iteration."""

    def __init__(self, loader: WorkerLoader):
        self._loader = loader

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self._loader._chosen)


def _leave_signals_to_training(worker: int) -> None:
    """Ctrl-C reaches all processes of a terminal; the training still needs its workers to end its batch."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class ArrayDataset(Dataset[tuple[Tensor, Tensor]]):
    """Samples x (N, ...) with targets y (N, ...)."""

    def __init__(self, x: Tensor, y: Tensor):
        self.x = x
        self.y = y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The samples of these indices: x (B, ...), y (B, ...)."""
        return self.x[indices], self.y[indices]


class LazyDataset(Dataset[tuple[Tensor, Tensor]]):
    """Samples that are read when asked for: `x` gives an array (B, ...) for an array of indices.

    `y` (N, ...) has the targets of all samples, `chosen` those that belong to this data set.
    """

    def __init__(self, x: Any, y: Tensor, chosen: NDArray[np.int64], scale: Scale):
        self.x = x
        self.y = y[torch.from_numpy(chosen)]
        self.chosen = chosen
        self.scale = scale

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.batch(torch.tensor([index]))
        return x[0], y[0]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The samples of these indices: x (B, ...), y (B, ...)."""
        return self.scale.apply(torch.from_numpy(self.x[self.chosen[indices.numpy()]])), self.y[indices]


class WindowDataset(Dataset[tuple[Tensor, Tensor]]):
    """Windows of a series (C, T): `window` past steps (C, window), and the `horizon` next of the first channels.

    Targets lie within [first, last); the past of the first ones may lie before it, as it does when one
    forecasts. Windows are cut when asked for, never copied out.
    """

    def __init__(self, series: Tensor, window: int, horizon: int, first: int, last: int, targets: int = 1):
        self.series = series
        self.window = window
        self.horizon = horizon
        self.targets = targets
        self.starts = torch.arange(max(first - window, 0), last - window - horizon + 1)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.batch(torch.tensor([index]))
        return x[0], y[0]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The windows of these indices: x (B, C, window), y (B, targets · horizon)."""
        starts = self.starts[indices].unsqueeze(1)
        past = self.series[:, starts + torch.arange(self.window)].transpose(0, 1)
        future = self.series[: self.targets, starts + self.window + torch.arange(self.horizon)].transpose(0, 1)
        return past, future.flatten(1)
