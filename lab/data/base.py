"""Base classes of the data modules: read once, split, fit the scaling on the training split, serve batches."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from lab.config.sections import Part
from lab.config.types import Count, Fold, Fraction, PositiveInt
from lab.data import sample_weights
from lab.data.augmentation.augmented import TRIED, Augmented, EpochAndIndexOrder, augmented, without_effect
from lab.data.encodings import Encoding
from lab.data.encodings.array import ArrayEncoding
from lab.data.encodings.image import ImageEncoding
from lab.data.encodings.sequence import SequenceEncoding, described, has_nan, lengths_of
from lab.data.loaders import (
    ArrayDataset,
    BatchLoader,
    EpochOrder,
    WeightedDataset,
    WorkerLoader,
)
from lab.data.preparation import Scale, fingerprint
from lab.data.samples import Samples, check, sizes_of
from lab.data.sequences.buckets import BucketOrder, SequenceDataset, sequences_of
from lab.data.sizes import InputAdapter, Sizes
from lab.data.splitting.splits import fold_note
from lab.data.splitting.splits import split as split_samples
from lab.errors import LabError

Task = Literal["classification", "ordinal", "multilabel", "regression", "forecasting", "language", "own"]
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
        self.transforms: list[Part] = []  # of training samples
        self.block = 1  # batches that the loader yields at once
        self.splits: dict[str, Dataset[Any]] = {}
        self.split_indices: dict[str, NDArray[np.int64]] = {}
        self.target_scale: Scale | None = None
        self.class_names: tuple[str, ...] = ()
        self.target_names: tuple[str, ...] = ()
        self.feature_names: tuple[str, ...] = ()  # of the columns of x (N, F), where the source names them
        self.targets = 1  # channels of a series that are forecast
        self.baseline_season = 1  # steps back to the value that the trivial forecast repeats
        self.correlated = 1  # neighbouring samples that are alike, as overlapping windows of a series are
        self.notes: list[tuple[str, str]] = []
        self.skipped: list[str] = []  # what the source holds and is not used, a line each
        self.majority = 0  # the most frequent class of the training split
        self.class_counts: tuple[float, ...] = ()  # training samples of each class, or the sum of their weights
        self.label_counts: tuple[float, ...] = ()  # training samples that have each label, or the sum of their weights
        self.train_weight = 0.0  # the number of training samples, or the sum of their weights
        self.weighted = False  # whether samples have weights: the third part of each batch

    @abstractmethod
    def _prepare(self) -> None:
        """Read, split and scale: set every attribute that the class docstring lists."""

    def prepare(self) -> None:
        """Read and prepare the data once; raises LabError if the settings do not fit the data."""
        if not self.splits:
            self._prepare()
            if self.transforms:
                self._augment()
            size = len(self.splits["train"])  # type: ignore[arg-type]
            if self.batch_size > size:
                raise LabError(
                    f"data.batch_size: {self.batch_size} is more than the {size} training samples; use at most {size}"
                )

    def _augment(self) -> None:
        """Change the training samples at random, by the seed of the training that asks for them."""
        values = self.encoding.values if isinstance(self.encoding, ImageEncoding) else None
        shape, scale = self.sizes.input_shape, self.input_scale
        train = augmented(self.splits["train"], self.transforms, shape, self.task, scale, values, self.noise_seed)
        for kind in without_effect(train):
            self.notes.append(("augment", f"{kind} left {TRIED} training samples as they are"))
        self.splits["train"] = train

    def wrap(self, architecture: nn.Module) -> nn.Module:
        """The whole network for this data: `architecture`, already behind the network of `input_adapter` if any.

        Override it to add layers of your own; `input_adapter` covers what the lab's data modules need.
        """
        return architecture

    def target_columns(self) -> dict[str, slice]:
        """Each target, as metrics name it, with its columns of the values (N, T): its steps, for a forecast."""
        count = self.sizes.out_features // self.sizes.levels
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

    def _order(self, dataset: Any, shuffle: bool) -> EpochOrder:
        """The order in which the samples of a split are served; for augmented ones the indices hold the epoch."""
        order = EpochOrder(len(dataset), self.order_seed, shuffle)
        if (sequences := sequences_of(dataset)) is not None:
            order = BucketOrder(sequences.lengths, self.order_seed, shuffle, self.batch_size)
        return EpochAndIndexOrder(order) if shuffle and isinstance(dataset, Augmented) else order

    def has(self, split: Split) -> bool:
        """Whether there are samples in a split."""
        return bool(len(self.splits[split]))  # type: ignore[arg-type]

    def first_samples(self, count: int) -> Tensor:
        """The first training samples as the network sees them, (n, ...)."""
        sequences = sequences_of(self.splits["train"])
        if sequences is not None:  # as long as the longest, so that they stand for any length
            return sequences.x[:count]
        samples: Tensor = next(iter(self.loader("train")))[0]
        return samples[:count]

    def raw_examples(self, count: int) -> NDArray[Any]:
        """The first training samples as the exported model takes them, (n, ...)."""
        return np.asarray(self.input_scale.invert(self.first_samples(count)))

    def loader(self, split: Split, shuffle: bool = False, num_workers: int = 0) -> Any:
        """Batches of a split, read in this process or by worker processes, in the same order.

        A loader with workers has to be closed.
        """
        dataset: Any = self.splits[split]
        if isinstance(dataset, Augmented):
            dataset.seed = self.noise_seed
        order = self._order(dataset, shuffle)
        # Batch norm cannot be trained on a batch of one sample.
        drop_last = shuffle and len(dataset) % self.batch_size == 1 and len(dataset) > 1
        if num_workers == 0 and hasattr(dataset, "batch"):
            return BatchLoader(dataset, self.batch_size, order, drop_last, self.block if split == "train" else 1)
        return WorkerLoader(dataset, self.batch_size, order, drop_last, num_workers)


class SampleDataModule(DataModule):
    """Independent samples in memory: a subclass only needs to implement `read`.

    The task is classification if the samples have class names, else regression; `Samples` says what others there are.
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
        if isinstance(raw, np.ndarray) and raw.dtype.kind not in "biuf":
            raise LabError(f"data: x of {type(self).__name__}: expected an array of numbers, not of {raw.dtype}")
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

    def split(self, samples: Samples) -> dict[str, NDArray[np.int64]]:
        """The sorted indices of each split."""
        return split_samples(samples, self.val_fraction, self.test_fraction, self.seed, self.fold)

    def dataset(self, x: Any, y: Tensor, split: Split) -> Dataset[Any]:
        """The samples of a split, standardised."""
        chosen = self.split_indices[split]
        scaled, targets = self.input_scale.apply(torch.from_numpy(x[chosen])), y[torch.from_numpy(chosen)]
        if self.padded:
            return SequenceDataset(scaled, targets, torch.from_numpy(lengths_of(x[chosen], "NCL")))
        return ArrayDataset(scaled, targets)

    def _prepare(self) -> None:
        samples = check(self.read(), type(self).__name__)
        self.task = samples.task
        self.class_names = tuple(samples.class_names)
        self.feature_names = tuple(samples.feature_names)
        self.fingerprint = samples.fingerprint or fingerprint(samples.x, samples.y)
        self.split_indices = self.split(samples)
        if self.fold is not None:
            self.notes.append(("fold", fold_note(samples, self.fold, self.split_indices)))
        train = self.split_indices["train"]
        x = self.encode(samples.x, train)
        if self.padded:
            self.notes.append(("lengths", described(lengths_of(x, "NCL"))))
        self.input_scale = self.scale(x, train)
        weight = samples.weight
        of_splits = {} if weight is None else sample_weights.of_splits(np.asarray(weight), self.split_indices)
        y = self._targets(samples, torch.from_numpy(train), of_splits.get("train"))
        for split in SPLITS:
            dataset = self.dataset(x, y, split)
            self.splits[split] = WeightedDataset(dataset, of_splits[split]) if of_splits else dataset
        self.weighted = bool(of_splits)
        self.sizes = sizes_of(tuple(x.shape[1:]), samples, self.padded)

    def _targets(self, samples: Samples, train: Tensor, weight: Tensor | None) -> Tensor:
        """Class numbers (N,), labels (N, K), or standardised values (N, T).

        Counts and scales are those of the `train` rows, with their `weight` (n,) if they have any.
        """
        if self.task == "multilabel":
            y = torch.as_tensor(samples.y, dtype=torch.int64)
            self.train_weight = float(len(train) if weight is None else weight.double().sum())
            counted = y[train].sum(0) if weight is None else weight.double() @ y[train].double()
            self.label_counts = tuple(counted.tolist())
            self._note_missing("no training sample has the label", self.label_counts)
            return y
        if self.class_names:
            y = torch.as_tensor(samples.y, dtype=torch.int64)
            counts = torch.bincount(y[train], None if weight is None else weight.double(), len(self.class_names))
            self.majority, self.class_counts = int(counts.argmax()), tuple(counts.tolist())
            self._note_missing("no training sample is of class", self.class_counts)
            return y
        y = torch.as_tensor(samples.y, dtype=torch.float32)
        count = y.shape[1]
        self.target_names = tuple(samples.target_names) or tuple(f"value {index + 1}" for index in range(count))
        self.target_scale = Scale.fit(y[train], weight)
        return self.target_scale.apply(y)

    def _note_missing(self, sentence: str, counts: Sequence[float]) -> None:
        """Say which classes or labels the training split does not have."""
        if missing := [name for name, count in zip(self.class_names, counts, strict=True) if not count]:
            self.notes.append(("classes", f"{sentence} {', '.join(missing)}"))
