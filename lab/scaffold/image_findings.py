"""Copies of images in several splits, which make test results too good."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import adaptive_avg_pool2d

from lab.data.images import Images

SIDE = 16  # pixels to which images are reduced before they are compared
FLAT = 0.01  # contrast, as a share of that of all images, below which an image is as good as blank
NEAR = 0.05  # distance of near copies, as a share of that of two images drawn at random
PAIRS = 1_000  # drawn for that
ROWS = 256  # images that are compared with all others at a time
MAX_HELD_OUT, MAX_TRAIN = 2_000, 50_000  # images that are compared
ADVICE = "copies in both training and test split inflate the test score; remove them"


def copies(data: Images) -> Iterator[str]:
    """Warnings: images of the test and validation split that are also in the training split, or nearly so."""
    groups = _same_files(data)
    number = {index: group for group, members in enumerate(groups) for index in members}
    train = {number[index] for index in data.split_indices["train"].tolist() if index in number}
    held_out = np.concatenate([data.split_indices["test"], data.split_indices["val"]])
    same = [index for index in held_out.tolist() if number.get(index) in train]
    if same:
        other = next(index for index in groups[number[same[0]]] if index in set(data.split_indices["train"].tolist()))
        yield f"{_counted(len(same), 'the same file as')} ({_pair(data, same[0], other)}): {ADVICE}"
    contradictory = [group for group in groups if len(np.unique(data.files.labels[group])) > 1]
    if contradictory and data.class_names:
        first, second = (contradictory[0][index] for index in (0, -1))
        many = f"{len(contradictory):,} images have" if len(contradictory) > 1 else "one image has"
        yield f"{many} copies of another class ({_pair(data, first, second)}): correct their labels"
    near = _near(data, np.setdiff1d(held_out, same))
    if near:
        yield f"{_counted(len(near), 'nearly the same as')} ({_pair(data, *near[0])}): {ADVICE}"


def _counted(count: int, how: str) -> str:
    many = f"{count:,} test or validation images are" if count > 1 else "one test or validation image is"
    return f"{many} {how} {'training images' if count > 1 else 'a training image'}"


def _pair(data: Images, first: int, second: int) -> str:
    return f"{data.files.paths[first]}, {data.files.paths[second]}"


def _same_files(data: Images) -> list[list[int]]:
    """The indices of images with the same bytes, two or more each; only files of the same size are read."""
    by_size: dict[object, list[int]] = defaultdict(list)
    for index, path in enumerate(data.files.paths):
        by_size[path.stat().st_size].append(index)
    by_content: dict[object, list[int]] = defaultdict(list)
    for size, indices in by_size.items():
        for index in indices if len(indices) > 1 else []:
            by_content[size, hashlib.sha256(data.files.paths[index].read_bytes()).digest()].append(index)
    return [indices for indices in by_content.values() if len(indices) > 1]


def _near(data: Images, held_out: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Each image in `held_out` that is a near copy of a training image, with the nearest one.

    The first ones only, and only images in memory: others would all have to be decoded again.
    """
    pixels, train = data.splits["train"].x, data.split_indices["train"]  # type: ignore[attr-defined]
    if not isinstance(pixels, np.ndarray):
        return []
    small, contrast = _reduced(pixels)
    has_content = contrast > FLAT * contrast.max()
    train, held_out = train[has_content[train]][:MAX_TRAIN], held_out[has_content[held_out]][:MAX_HELD_OUT]
    if not len(train) or not len(held_out):
        return []
    limit = NEAR * _usual_distance(small[train])
    found: list[tuple[int, int]] = []
    for rows in np.array_split(held_out, -(-len(held_out) // ROWS)):
        distance, nearest = torch.cdist(small[rows], small[train]).min(dim=1)
        close = (distance < limit).numpy()
        found += zip(rows[close].tolist(), train[nearest.numpy()[close]].tolist(), strict=True)
    return found


def _reduced(pixels: NDArray[np.generic]) -> tuple[torch.Tensor, NDArray[np.float32]]:
    """Images in grey, reduced and standardised each by itself, (N, SIDE²); and the contrast of each, (N,)."""
    parts = np.array_split(np.arange(len(pixels)), -(-len(pixels) // ROWS))
    grey = (torch.from_numpy(pixels[part].astype(np.float32)).mean(1, keepdim=True) for part in parts)
    small = torch.cat([adaptive_avg_pool2d(part, SIDE).flatten(1) for part in grey])
    contrast = small.std(dim=1, keepdim=True)
    standardised = (small - small.mean(1, keepdim=True)) / contrast.clamp(min=1e-12)
    return standardised, contrast[:, 0].numpy()


def _usual_distance(small: torch.Tensor) -> float:
    """The median distance of two images drawn at random."""
    random = np.random.default_rng(0)
    first, second = random.integers(0, len(small), (2, PAIRS))
    return float((small[first] - small[second]).norm(dim=1)[first != second].median()) if len(small) > 1 else 0.0
