"""Base classes of the data modules: read once, split, fit the scaling on the training split, serve batches."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from lab.config.types import Count, Fold, Fraction, PositiveInt
from lab.data.encodings import Encoding
from lab.data.encodings.array import ArrayEncoding
from lab.data.encodings.sequence import SequenceEncoding, described, has_nan, lengths_of
from lab.data.loaders import ArrayDataset, BatchLoader, EpochOrder, WorkerLoader
from lab.data.preparation import Scale, fingerprint
from lab.data.samples import Samples, check
from lab.data.sequences.buckets import BucketOrder, SequenceDataset
from lab.data.sizes import InputAdapter, Sizes
from lab.data.splits import split as split_samples
from lab.errors import LabError

Task = Literal["classification", "regression", "forecasting", "own"]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
UNUSUAL = re.compile(r"[^\w-]+")  # characters that the name of a metric cannot have everywhere


class DataModule(L.LightningDataModule, ABC):
    """Base of all data modules.

    After `prepare()` it has its `task`, the datasets `splits`, the `sizes` that an architecture needs, the
    `input_adapter` if the data needs one, the `encoding` of raw data, `input_scale` and (regression, forecasting)
    `target_scale`, `class_names` or `target_names`, a content hash `fingerprint`, the `split_indices`, and `notes`
    for the user on how the data was interpreted, as (subject, sentence).
    """

    task: Task
    sizes: Sizes
    encoding: Encoding
    input_scale: Scale
    fingerprint: str
    input_adapter: InputAdapter | None = None
    fold: Fold | None = None  # whose part of the samples is the test split

    def __init__(self, batch_size: int, val_fraction: float, num_workers: int, seed: int):
        super().__init__()
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.num_workers = num_workers
        self.seed = seed  # of the splits
        self.order_seed = seed  # of the order of the batches
        self.noise_seed = seed  # of augmentation
        self.block = 1  # batches that the loader yields at once
        self.splits: dict[str, Dataset[Any]] = {}
        self.split_indices: dict[str, NDArray[np.int64]] = {}
        self.target_scale: Scale | None = None
        self.class_names: tuple[str, ...] = ()
        self.target_names: tuple[str, ...] = ()
        self.targets = 1  # channels of a series that are forecast
        self.baseline_season = 1  # steps back to the value that the trivial forecast repeats
        self.correlated = 1  # neighbouring samples that are alike, as overlapping windows of a series are
        self.notes: list[tuple[str, str]] = []
        self.skipped: list[str] = []  # what the source holds and is not used, a line each
        self.majority = 0  # the most frequent class of the training split
        self.class_counts: tuple[int, ...] = ()  # training samples of each class

    @abstractmethod
    def _prepare(self) -> None:
        """Read, split and scale: set every attribute that the class docstring lists."""

    def prepare(self) -> None:
        """Read and prepare the data once; raises LabError if the settings do not fit the data."""
        if not self.splits:
            self._prepare()
            size = len(self.splits["train"])  # type: ignore[arg-type]
            if self.batch_size > size:
                raise LabError(
                    f"data.batch_size: {self.batch_size} is more than the {size} training samples; use at most {size}"
                )

    def wrap(self, architecture: nn.Module) -> nn.Module:
        """The whole network for this data: `architecture`, already behind the network of `input_adapter` if any.

        Override it to add layers of your own; `input_adapter` covers what the lab's data modules need.
        """
        return architecture

    def target_columns(self) -> dict[str, slice]:
        """Each target, as metrics name it, with its columns of the values (N, T): its steps, for a forecast."""
        count = self.sizes.out_features
        width = count // self.targets if self.task == "forecasting" else 1
        names = [name.rpartition(" +")[0] or name for name in self.target_names[::width]]
        named: dict[str, slice] = {}
        for number, first in enumerate(range(0, count, width)):
            name = UNUSUAL.sub("_", names[number]) if names else f"{number + 1}"
            named[f"{name}_{number + 1}" if name in (*named, "scaled") else name] = slice(first, first + width)
        return named

    def split_fingerprint(self) -> str:
        """A hash of the sample indices of each split."""
        return fingerprint(*(self.split_indices[split] for split in SPLITS))

    def setup(self, stage: str) -> None:
        """Prepare the data; a hook of Lightning."""
        self.prepare()

    def train_dataloader(self) -> Any:
        """Batches of the training split, reshuffled every epoch."""
        return self.loader("train", shuffle=True, num_workers=self.num_workers)

    def val_dataloader(self) -> Any:
        """Batches of the validation split, in order."""
        return self.loader("val", num_workers=self.num_workers)

    def test_dataloader(self) -> Any:
        """Batches of the test split, in order."""
        return self.loader("test", num_workers=self.num_workers)

    def order(self, size: int, shuffle: bool) -> EpochOrder:
        """The order in which the samples of a split are served."""
        return EpochOrder(size, self.order_seed, shuffle)

    def has(self, split: Split) -> bool:
        """Whether there are samples in a split."""
        return bool(len(self.splits[split]))  # type: ignore[arg-type]

    def first_samples(self, count: int) -> Tensor:
        """The first training samples as the network sees them, (n, ...)."""
        dataset = self.splits["train"]
        if isinstance(dataset, SequenceDataset):  # as long as the longest, so that they stand for any length
            return dataset.x[:count]
        samples, _ = next(iter(self.loader("train")))
        return samples[:count]

    def raw_examples(self, count: int) -> NDArray[Any]:
        """The first training samples as the exported model takes them, (n, ...)."""
        return np.asarray(self.input_scale.invert(self.first_samples(count)))

    def loader(self, split: Split, shuffle: bool = False, num_workers: int = 0) -> Any:
        """Batches of a split, read in this process or by worker processes, in the same order.

        A loader with workers has to be closed.
        """
        dataset: Any = self.splits[split]
        order = self.order(len(dataset), shuffle)
        if isinstance(dataset, SequenceDataset):
            order = BucketOrder(dataset.lengths, self.order_seed, shuffle, self.batch_size)
        # Batch norm cannot be trained on a batch of one sample.
        drop_last = shuffle and len(dataset) % self.batch_size == 1 and len(dataset) > 1
        if num_workers == 0 and hasattr(dataset, "batch"):
            return BatchLoader(dataset, self.batch_size, order, drop_last, self.block if split == "train" else 1)
        return WorkerLoader(dataset, self.batch_size, order, drop_last, num_workers)


class SampleDataModule(DataModule):
    """Independent samples in memory: a subclass only needs to implement `read`.

    The task is classification if the samples have class names, else regression.
    """

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

    def encode(self, raw: Any, train: NDArray[np.int64]) -> Any:
        """All samples as numbers (N, ...), with an `encoding` fitted on the rows in `train`.

        An array, or an object with `shape` that returns one when indexed, so that not all samples need be in memory.
        """
        unequal = len(np.shape(raw)) == 3 and has_nan(raw)
        self.encoding = SequenceEncoding(raw.shape[1]) if unequal else ArrayEncoding(np.shape(raw)[1:])
        return self.encoding.encode(raw)

    @property
    def padded(self) -> bool:
        """Whether the samples are sequences of unequal length, (N, C, L) with NaN after the end of each."""
        return isinstance(self.encoding, SequenceEncoding)

    def scale(self, x: Any, train: NDArray[np.int64]) -> Scale:
        """Mean and standard deviation of the training samples."""
        return (Scale.fit_real if self.padded else Scale.fit)(torch.from_numpy(x[train]))

    def dataset(self, x: Any, y: Tensor, split: Split) -> Dataset[Any]:
        """The samples of a split, standardised."""
        chosen = self.split_indices[split]
        scaled, targets = self.input_scale.apply(torch.from_numpy(x[chosen])), y[torch.from_numpy(chosen)]
        if self.padded:
            return SequenceDataset(scaled, targets, torch.from_numpy(lengths_of(x[chosen], "NCL")))
        return ArrayDataset(scaled, targets)

    def _prepare(self) -> None:
        samples = check(self.read(), type(self).__name__)
        self.task = "classification" if samples.class_names else "regression"
        self.class_names = tuple(samples.class_names)
        self.fingerprint = samples.fingerprint or fingerprint(samples.x, samples.y)
        self.split_indices = split_samples(samples, self.val_fraction, self.test_fraction, self.seed, self.fold)
        if self.fold is not None:
            self.notes.append(("fold", _fold_note(samples, self.fold, self.split_indices)))
        train = self.split_indices["train"]
        x = self.encode(samples.x, train)
        if self.padded:
            self.notes.append(("lengths", described(lengths_of(x, "NCL"))))
        self.input_scale = self.scale(x, train)
        y = self._targets(samples, torch.from_numpy(train))
        for split in SPLITS:
            self.splits[split] = self.dataset(x, y, split)
        classes = len(self.class_names)
        outputs = (1 if classes == 2 else classes) if classes else y.shape[1]
        self.sizes = Sizes(tuple(x.shape[1:]), outputs, classes, self.padded)

    def _targets(self, samples: Samples, train: Tensor) -> Tensor:
        """Class numbers (N,), or standardised values (N, T)."""
        if self.class_names:
            y = torch.as_tensor(samples.y, dtype=torch.int64)
            counts = torch.bincount(y[train], minlength=len(self.class_names))
            self.majority, self.class_counts = int(counts.argmax()), tuple(counts.tolist())
            if missing := [name for name, count in zip(self.class_names, counts.tolist(), strict=True) if not count]:
                self.notes.append(("classes", f"no training sample is of class {', '.join(missing)}"))
            return y
        y = torch.as_tensor(samples.y, dtype=torch.float32)
        count = y.shape[1]
        self.target_names = tuple(samples.target_names) or tuple(f"value {index + 1}" for index in range(count))
        self.target_scale = Scale.fit(y[train])
        return self.target_scale.apply(y)


def _fold_note(samples: Samples, fold: Fold, split: Mapping[str, NDArray[np.int64]]) -> str:
    """What a fold makes of the samples, and of the sets that the source supplies."""
    count, tested = len(samples.x), len(split["test"])
    note = f"{fold}: {tested:,} of {count:,} samples are tested; data.test_fraction does not count"
    if unused := count - sum(map(len, split.values())):
        note += f"; the {unused:,} of the supplied test set are in no fold"
    return note
