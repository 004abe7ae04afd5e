"""Images in one folder per class, or listed in a table."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import SampleDataModule, Samples, Split
from lab.data.encodings.image import ImageEncoding
from lab.data.loaders import EpochOrder, LazyDataset, derived_seed
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import class_folders, given_splits
from lab.data.reading.images import files as image_files
from lab.data.reading.images import headers as image_headers
from lab.data.reading.images import lists as image_lists
from lab.data.reading.images.files import Files
from lab.data.reading.targets import TaskChoice, check_classes
from lab.errors import LabError

Flip = Literal["none", "horizontal", "vertical", "both"]
MAX_BYTES_IN_MEMORY = 1 << 30  # of decoded images; larger data sets are decoded batch by batch
MAX_NAMED = 3  # unreadable images in a note; `skipped` has all
DECODING_WORKERS = 2  # the default of `num_workers` for these


class Images(SampleDataModule):
    """Images (N, C, H, W) from one folder per class, or from a table that lists them with their targets.

    `path` is a folder with a folder per class, perhaps below `train`, `val` and `test`; or a CSV or Parquet file, with
    names of images below the folder `root` (its own, by default). Its columns `image` and `target` are found if they
    are the only ones that can be meant, and `split`, with train, val and test, if there is one (`none`: not used).
    Images of the same `group` are kept in one split.

    `size` is the side in pixels, or [height, width]; by default that of the images if all have the same small one,
    else about 64 · 64 pixels in their median shape. Training images are randomly flipped according to `flip` and
    shifted by up to `crop` pixels; the augmentation is a function of (seed, epoch, image), independent of the number
    of workers. Images are decoded once if all fit into 1 GiB, else by worker processes batch by batch.
    """

    encoding: ImageEncoding
    files: Files  # those that can be read
    _moments: NDArray[np.float64]  # (N, 2, C): mean and mean of squares of each channel

    def __init__(
        self,
        path: str,
        root: str | None = None,
        image: str | None = None,
        target: str | None = None,
        task: TaskChoice = "auto",
        split: str | None = None,
        group: str | None = None,
        size: PositiveInt | list[PositiveInt] | None = None,
        channels: Literal["auto", "grey", "rgb"] = "auto",
        flip: Flip = "none",
        crop: Count = 0,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        num_workers: Count | None = None,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, test_fraction, num_workers or 0, seed)
        if isinstance(size, list) and len(size) != 2:
            raise ValueError(f"data.size must be a number or [height, width], not {size}")
        self.path = path
        self.root = root
        self.columns = image_lists.Columns(image, target, split, group)
        self.chosen_task = task
        self.size = [size, size] if isinstance(size, int) else size
        self.grey = {"auto": None, "grey": True, "rgb": False}[channels]
        self.flip = flip
        self.crop = crop
        self.workers_chosen = num_workers is not None

    def read(self) -> Samples:
        """All readable images, each decoded once; the others are skipped, and listed in `skipped`."""
        files = self._find()
        headers, unreadable = image_files.apply(files.paths, image_headers.read)
        self.skipped += unreadable.values()
        files = image_files.without(files, unreadable)
        self.encoding, how = image_headers.fit(headers, self.size, self.grey)
        x, unreadable = self._decode(files)
        self.skipped += unreadable.values()
        if unreadable:
            keep = np.setdiff1d(np.arange(len(files.paths)), list(unreadable))
            files = image_files.without(files, unreadable)
            self._moments = self._moments[keep]
            x = x[keep] if isinstance(x, np.ndarray) else LazyImages(files, self.encoding)
        self.files = files
        if files.class_names:
            check_classes(files.labels, files.class_names, self.path)
        self.notes += files.notes
        if files.given is not None:
            self.notes.append(("split", given_splits.described(files.given.tolist(), files.given_by)))
        self.notes += how
        if self.skipped:
            more = "; `lab check` lists all" if len(self.skipped) > MAX_NAMED else ""
            named = "; ".join(self.skipped[:MAX_NAMED])
            self.notes.append(("skipped", f"{len(self.skipped):,} unreadable: {named}{more}"))
        self.skipped += files.unused
        return Samples(
            x,
            files.labels,
            class_names=files.class_names,
            target_names=files.target_names,
            fingerprint=_fingerprint(files),
            given=files.given,
            groups=files.groups,
        )

    def _find(self) -> Files:
        """The images in folders, or those that a table lists; raises LabError."""
        path = Path(self.path).expanduser()
        if path.is_dir() or path.suffix.lower() not in image_lists.TABLES:
            if given := [*self.columns.chosen(), *(["root"] if self.root else [])]:
                raise LabError(f"data.{given[0]}: is for a table that lists images; {self.path} is not one")
            if self.chosen_task == "regression":
                raise LabError(f"data.task: the targets are the folders of {self.path}, which are classes")
            return class_folders.find(self.path, class_folders.IMAGES)
        return image_lists.find_listed(self.path, self.root, self.columns, self.chosen_task)

    def _decode(self, files: Files) -> tuple[Any, dict[int, str]]:
        """The pixels (N, C, H, W) or LazyImages, and the index of each unreadable image with the reason."""
        shape = (len(files.paths), self.encoding.channels, self.encoding.height, self.encoding.width)
        in_memory = int(np.prod(shape)) * self.encoding.dtype.itemsize <= MAX_BYTES_IN_MEMORY
        pixels = np.empty(shape, self.encoding.dtype) if in_memory else None
        self._moments = np.empty((len(files.paths), 2, shape[1]))

        def store(index: int, image: NDArray[Any]) -> None:
            values = image.astype(np.float64)
            self._moments[index] = values.mean((1, 2)), np.square(values).mean((1, 2))
            if pixels is not None:
                pixels[index] = image

        unreadable = image_files.decode_all(files, self.encoding, store)
        if pixels is None and not self.workers_chosen:
            self.num_workers = DECODING_WORKERS
        return LazyImages(files, self.encoding) if pixels is None else pixels, unreadable

    def encode(self, raw: Any, train: NDArray[np.int64]) -> Any:
        """The pixels, unchanged."""
        return raw

    def scale(self, x: Any, train: NDArray[np.int64]) -> Scale:
        """Mean and standard deviation of each channel over the training images."""
        mean, square = self._moments[train].mean(0)
        std = np.sqrt(np.maximum(square - mean**2, 0))
        mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (mean, std))
        return Scale(mean, torch.where(std > 0, std, 1.0))

    def dataset(self, x: Any, y: Tensor, split: Split) -> Dataset[Any]:
        """The images of a split; augmented for training if `flip` or `crop` is set."""
        chosen = self.split_indices[split]
        if split == "train" and self._augments:
            return AugmentedImages(x, y, chosen, self.input_scale, self.flip, self.crop, self.noise_seed)
        return LazyDataset(x, y, chosen, self.input_scale)

    def order(self, size: int, shuffle: bool) -> EpochOrder:
        """The order of the samples; for augmented images the epoch is encoded in the indices."""
        augmented = shuffle and self._augments
        return EpochAndIndexOrder(size, self.order_seed, shuffle) if augmented else super().order(size, shuffle)

    def loader(self, split: Split, shuffle: bool = False, num_workers: int = 0) -> Any:
        """As the base class; images are augmented by the seed of the training that asks."""
        dataset = self.splits[split]
        if isinstance(dataset, AugmentedImages):
            dataset.seed = self.noise_seed
        return super().loader(split, shuffle, num_workers)

    @property
    def _augments(self) -> bool:
        return self.flip != "none" or self.crop > 0


def _fingerprint(files: Files) -> str:
    names = [f"{path.parent.name}/{path.name}" for path in files.paths]
    return file_fingerprint(*files.source, *files.paths, names=names)


class LazyImages:
    """Images that are decoded when indexed with an array of indices."""

    def __init__(self, files: Files, encoding: ImageEncoding):
        self.files = files
        self.encoding = encoding
        self.shape = (len(files.paths), encoding.channels, encoding.height, encoding.width)

    def __len__(self) -> int:
        return len(self.files.paths)

    def __getitem__(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        return self.encoding.pixels([self.files.paths[index] for index in indices])


class EpochAndIndexOrder(EpochOrder):
    """Yields (epoch + 1) · size + index, so that the dataset knows the epoch in any worker process."""

    def indices(self) -> Tensor:
        """All indices of the epoch, combined with the epoch, (size,)."""
        return super().indices() + (self.epoch + 1) * self.size


class AugmentedImages(LazyDataset):
    """Images randomly flipped and shifted by (seed, epoch, index); unchanged for an index without an epoch."""

    def __init__(self, x: Any, y: Tensor, chosen: NDArray[np.int64], scale: Scale, flip: Flip, crop: int, seed: int):
        super().__init__(x, y, chosen, scale)
        self.flip = flip
        self.crop = crop
        self.seed = seed

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The images of these indices of EpochAndIndexOrder: x (B, C, H, W), y (B,)."""
        x, y = super().batch(indices % len(self))
        for position, key in enumerate(indices.tolist()):
            epoch, index = divmod(key, len(self))
            if epoch:
                x[position] = self._augmented(x[position], derived_seed(self.seed, epoch, index))
        return x, y

    def _augmented(self, image: Tensor, seed: int) -> Tensor:
        random = np.random.default_rng(seed)
        vertical, horizontal, down, right = random.random(), random.random(), *random.integers(0, 2 * self.crop + 1, 2)
        if self.flip in ("horizontal", "both") and horizontal < 0.5:
            image = image.flip(-1)
        if self.flip in ("vertical", "both") and vertical < 0.5:
            image = image.flip(-2)
        if self.crop:
            height, width = image.shape[1:]
            image = nn.functional.pad(image[None], [self.crop] * 4, mode="replicate")[0]
            image = image[:, down : down + height, right : right + width]
        return image
