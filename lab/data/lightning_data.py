"""A LightningDataModule of the user's own, for a module of the user's own."""

from collections.abc import Mapping
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from lab.data.base import SPLITS, DataModule, Split
from lab.data.encodings.array import ArrayEncoding
from lab.data.preparation import Scale, fingerprint
from lab.data.sizes import Sizes
from lab.errors import LabError

LOADERS = {"train": "train_dataloader", "val": "val_dataloader", "test": "test_dataloader"}
NOTE = (
    "is a LightningDataModule: its own loaders are used, their order is seeded for each epoch, its splits are its own "
    "(it gets `seed` if it takes it), and a run is continued at the beginning of an epoch"
)


class NoSizes(Sizes):
    """The sizes of data of which nothing is known: nothing is passed to a constructor."""

    def supplied(self) -> dict[str, Any]:
        """Nothing."""
        return {}


class LightningData(DataModule):
    """Serves what a LightningDataModule serves: Lightning calls its hooks, the lab reads its first batch.

    The fingerprint is that of the first training batch, in the order of seed 0.
    """

    def __init__(self, inner: L.LightningDataModule, kind: str, seed: int):
        super().__init__(getattr(inner, "batch_size", 1), 0.0, 0, seed)
        self.inner = inner
        self.kind = kind

    def _augment(self) -> None:
        raise LabError(f"data.augment: {self.kind} is a LightningDataModule, whose own loaders have to do it")

    def _prepare(self) -> None:
        if not is_overridden("train_dataloader", self.inner):
            raise LabError(f"data: {self.kind} has no train_dataloader")
        self.inner.prepare_data()
        self.inner.setup("fit")
        self.inner.setup("test")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            batch = next(iter(self.inner.train_dataloader()), None)
        tensors = tensors_in(batch)
        if not tensors:
            raise LabError(f"data: the first training batch of {self.kind} holds no tensor")
        self.task = "own"
        self.sizes = NoSizes(tuple(tensors[0].shape[1:]), 0)
        self.encoding = ArrayEncoding(self.sizes.input_shape)
        self.input_scale = Scale(torch.zeros(()), torch.ones(()))
        self.fingerprint = fingerprint(*(np.asarray(tensor) for tensor in tensors))
        self.example = tensors[0]
        self.batch_size = len(self.example)
        self.splits = {split: self._dataset(split) for split in SPLITS}
        self.notes = [("data", f"{self.kind} {NOTE}")]

    def _dataset(self, split: Split) -> Any:
        """The dataset of a split; an empty list where there is none, or one without a length."""
        dataset = getattr(self.loader(split), "dataset", [])
        return dataset if hasattr(dataset, "__len__") else []

    def loader(self, split: Split, shuffle: bool = False, num_workers: int = 0) -> Any:
        """The data module's own loader of a split; an empty list where it has none."""
        return getattr(self.inner, LOADERS[split])() if is_overridden(LOADERS[split], self.inner) else []

    def has(self, split: Split) -> bool:
        """Whether the data module has a loader for the split."""
        return is_overridden(LOADERS[split], self.inner)

    def first_samples(self, count: int) -> Tensor:
        """The first samples of the first training batch, (n, ...)."""
        return self.example[:count]

    def split_fingerprint(self) -> str:
        """A hash of the sizes of the splits: their indices are not known."""
        return fingerprint(np.asarray([len(self.splits[split]) for split in SPLITS]))  # type: ignore[arg-type]


def tensors_in(batch: Any) -> list[Tensor]:
    """All tensors of a batch that have a first dimension, in order."""
    if isinstance(batch, Tensor):
        return [batch] if batch.ndim else []
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]
