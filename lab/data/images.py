"""Images in one folder per class, or listed in a table."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lab.config.sections import Part
from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import SampleDataModule, Samples, Split
from lab.data.encodings.image import ImageEncoding
from lab.data.loaders import LazyDataset
from lab.data.preparation import Scale, file_fingerprint
from lab.data.reading import class_folders
from lab.data.reading.images import files as image_files
from lab.data.reading.images import headers as image_headers
from lab.data.reading.images import lists as image_lists
from lab.data.reading.images.files import Files
from lab.data.reading.targets.targets import Choice, TaskChoice, check_classes
from lab.data.splitting import given_splits
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
    else about 64 · 64 pixels in their median shape. `flip: both` is short for `{kind: flip, axis: both}` in
    `data.augment`, and `crop: 2` for `{kind: shift, most: 2}`. Images are decoded once if all fit into 1 GiB, else by
    worker processes batch by batch.
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
        order: list[str | int | float] | None = None,
        label_separator: str | None = None,
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
        self.choice = Choice(task, order, label_separator)
        self.size = [size, size] if isinstance(size, int) else size
        self.grey = {"auto": None, "grey": True, "rgb": False}[channels]
        self.transforms = _short_forms(flip, crop)
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
        if files.class_names and files.labels.ndim == 1 and not files.ordered:
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
            ordered=files.ordered,
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
            if self.choice.task not in ("auto", "classification"):
                raise LabError(f"data.task: the targets are the folders of {self.path}, which are classes")
            self.choice.check()
            return class_folders.find(self.path, class_folders.IMAGES)
        return image_lists.find_listed(self.path, self.root, self.columns, self.choice)

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
        """The images of a split, standardised when they are read."""
        chosen = self.split_indices[split]
        return LazyDataset(x, y, chosen, self.input_scale)


def _short_forms(flip: Flip, crop: int) -> list[Part]:
    """The transforms that `flip` and `crop` stand for."""
    flips = [Part("data.augment", "flip", {"axis": flip})] if flip != "none" else []
    return [*flips, *([Part("data.augment", "shift", {"most": crop})] if crop else [])]


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
