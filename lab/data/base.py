"""What every data module does: read once, split, scale on the training split, serve batches."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from lab.bounds import Count, Fraction, PositiveInt
from lab.data.batches import BatchLoader, EpochOrder
from lab.data.datasets import ArrayDataset
from lab.data.scaling import Scale
from lab.data.sizes import Sizes
from lab.data.splits import hold_out
from lab.errors import LabError

Task = Literal["classification", "regression", "forecasting"]
Split = Literal["train", "val", "test"]

# The held-out test samples are the same whatever the seed: a run with another seed must not have trained on
# what this one is tested on.
TEST_SPLIT_SEED = 0


@dataclass(frozen=True)
class Samples:
    """Raw independent samples x (N, ...) and y: class numbers (N,) or values (N, T).

    `test_size` samples at the end are the source's own test set; with 0 a test split is drawn.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    test_size: int = 0
    class_names: Sequence[str] = ()


class DataModule(L.LightningDataModule, ABC):
    """Base of all data modules.

    After `prepare()` it holds the datasets `splits`, the `sizes` that an architecture needs, `input_scale`
    and (regression, forecasting) `target_scale`, `class_names`, a content hash `fingerprint` and the
    `split_indices`.
    """

    task: ClassVar[Task]
    sizes: Sizes
    input_scale: Scale
    fingerprint: str

    def __init__(self, batch_size: int, val_fraction: float, num_workers: int, seed: int):
        super().__init__()
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.num_workers = num_workers
        self.seed = seed
        self.block = 1  # batches that are served at once
        self.splits: dict[str, Dataset[Any]] = {}
        self.split_indices: dict[str, NDArray[np.int64]] = {}
        self.target_scale: Scale | None = None
        self.class_names: tuple[str, ...] = ()
        self.majority = 0  # the most frequent class of the training split

    @abstractmethod
    def _prepare(self) -> None:
        """Read, split and scale: fill in everything that `prepare` promises."""

    def prepare(self) -> None:
        """Make the data ready, once; raises LabError where the settings do not fit the data."""
        if not self.splits:
            self._prepare()
            size = len(self.splits["train"])  # type: ignore[arg-type]
            if self.batch_size > size:
                raise LabError(
                    f"data.batch_size: {self.batch_size} is more than the {size} training samples; use at most {size}"
                )

    def split_fingerprint(self) -> str:
        """A hash of which samples are in which split."""
        return fingerprint(*(self.split_indices[split] for split in ("train", "val", "test")))

    def setup(self, stage: str) -> None:
        """Lightning's hook."""
        self.prepare()

    def train_dataloader(self) -> Any:
        """Batches of the training split, shuffled anew each epoch."""
        return self.loader("train", shuffle=True)

    def val_dataloader(self) -> Any:
        """Batches of the validation split, in order."""
        return self.loader("val")

    def test_dataloader(self) -> Any:
        """Batches of the test split, in order."""
        return self.loader("test")

    def loader(self, split: Split, shuffle: bool = False) -> Any:
        """The in-memory batch loader; a DataLoader with the same order where `num_workers` are asked for."""
        dataset: Any = self.splits[split]
        order = EpochOrder(len(dataset), self.seed, shuffle)
        # Batch norm cannot train on a batch of one sample.
        drop_last = shuffle and len(dataset) % self.batch_size == 1 and len(dataset) > 1
        if self.num_workers == 0:
            return BatchLoader(dataset, self.batch_size, order, drop_last, self.block)
        return DataLoader(
            dataset,
            self.batch_size,
            sampler=order,
            drop_last=drop_last,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=True,
        )


class SampleDataModule(DataModule):
    """Independent samples held in memory: a subclass says only how to `read` them."""

    def __init__(
        self,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, num_workers, seed)
        self.test_fraction = test_fraction

    @abstractmethod
    def read(self) -> Samples:
        """The raw samples."""

    def _prepare(self) -> None:
        samples = self.read()
        self.fingerprint = fingerprint(samples.x, samples.y)
        self.class_names = tuple(samples.class_names)
        self.split_indices = self._split(samples)
        x = torch.as_tensor(samples.x, dtype=torch.float32)
        y = torch.as_tensor(samples.y, dtype=torch.int64 if self.class_names else torch.float32)
        train = torch.as_tensor(self.split_indices["train"])
        self.input_scale = Scale.fit(x[train])
        x = self.input_scale.apply(x)
        if self.class_names:
            self.majority = int(torch.bincount(y[train]).argmax())
        else:
            self.target_scale = Scale.fit(y[train])
            y = self.target_scale.apply(y)
        for split, chosen in self.split_indices.items():
            self.splits[split] = ArrayDataset(x[chosen], y[chosen])
        classes = len(self.class_names)
        outputs = (1 if classes == 2 else classes) if classes else y.shape[1]
        self.sizes = Sizes(tuple(x.shape[1:]), outputs, classes)

    def _split(self, samples: Samples) -> dict[str, NDArray[np.int64]]:
        """Indices of train, val and test."""
        everything = np.arange(len(samples.x))
        labels = samples.y if samples.class_names else None
        if samples.test_size:
            rest, test = everything[: -samples.test_size], everything[-samples.test_size :]
        else:
            rest, test = hold_out(everything, self.test_fraction, TEST_SPLIT_SEED, labels)
        train, val = hold_out(rest, self.val_fraction, self.seed, labels)
        return {"train": train, "val": val, "test": test}


def fingerprint(*arrays: NDArray[Any]) -> str:
    """A hash of the content, types and shapes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
