"""Which samples are for training, validation and testing: at random, by class, by group, in order, or as given.

With folds the test split is one of k parts, of which each sample is in one.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab.config.types import Fold
from lab.data.samples import Samples
from lab.errors import LabError

Indices = NDArray[np.int64]
# The test split is the same for every seed: no run may train on the samples that another one is tested on.
TEST_SPLIT_SEED = 0


def split(
    samples: Samples, val_fraction: float, test_fraction: float, seed: int, fold: Fold | None = None
) -> dict[str, Indices]:
    """The sorted indices of train, val and test; `seed` is that of the validation split.

    What the samples give is kept: a test or validation set, groups that stay together, an order in which the last
    samples are the test. The rest is drawn at random, each class in proportion. With `fold` that part of the rest is
    the test split, and a test set of the source is in none.
    """
    test = _given(samples, "test")
    val = _given(samples, "val")
    rest = np.setdiff1d(np.arange(len(samples.x)), np.concatenate([test, val]))
    if fold is not None:
        test = folds(samples, rest, fold.count)[fold.number - 1]
        rest = np.setdiff1d(rest, test)
    elif not len(test):
        rest, test = held_out(samples, rest, test_fraction, TEST_SPLIT_SEED)
    if not len(val):
        rest, val = held_out(samples, rest, val_fraction, seed)
    return {"train": rest, "val": val, "test": test}


def _given(samples: Samples, split: str) -> Indices:
    """The samples that the source itself puts into a split."""
    if samples.given is not None:
        return np.flatnonzero(samples.given == split)
    last = len(samples.x) - (samples.test_size if split == "val" else 0)
    return np.arange(last - (samples.val_size if split == "val" else samples.test_size), last)


def folds(samples: Samples, indices: Indices, count: int) -> list[Indices]:
    """The samples at `indices` dealt to `count` parts, each sorted; the same for every seed.

    Whole groups at a time, each class in proportion; without groups, the sizes of the parts, and the numbers of each
    class in them, differ by at most one. Raises LabError where the samples are in order, or too few.
    """
    if samples.order is not None:
        raise LabError(
            "fold: these samples are in order (data.order_by), and folds would train on later ones than they test; "
            "leave out one of the two"
        )
    labels = samples.strata
    if samples.groups is not None:
        return _folds_of_groups(samples.groups, indices, count, labels)
    if len(indices) < max(count, 4):  # 4: a fold of two leaves one for training and one for validation
        raise LabError(f"fold: {len(indices):,} samples are too few for {count} folds")
    order = np.random.default_rng(TEST_SPLIT_SEED).permutation(indices)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    return [np.sort(order[first::count]) for first in range(count)]


def held_out(samples: Samples, indices: Indices, fraction: float, seed: int) -> tuple[Indices, Indices]:
    """Split the samples at `indices` into (kept, held out): in order, by group, or at random; both sorted."""
    if samples.order is not None:
        return _last(samples.order, indices, fraction)
    labels = samples.strata
    if samples.groups is not None:
        return _hold_out_groups(samples.groups, indices, fraction, seed, labels)
    return hold_out(indices, fraction, seed, labels)


def hold_out(
    indices: Indices, fraction: float, seed: int, labels: NDArray[np.integer] | None = None
) -> tuple[Indices, Indices]:
    """Split indices at random into (kept, held out), both sorted.

    With `labels` (N,), addressed by `indices`, the split is stratified: `fraction` of every class is held out, and
    a class of two or more samples is on both sides.
    """
    order = np.random.default_rng(seed).permutation(indices)
    groups = [order] if labels is None else [order[labels[order] == label] for label in np.unique(labels[order])]
    held = np.concatenate([group[: _share(len(group), fraction)] for group in groups])
    return np.setdiff1d(indices, held), np.sort(held)


def _share(size: int, fraction: float) -> int:
    """The number of samples to hold out of `size`: at least one, but never all of two or more."""
    return min(max(round(size * fraction), 1), size - 1)


def _last(order: NDArray[Any], indices: Indices, fraction: float) -> tuple[Indices, Indices]:
    """The last `fraction` in order is held out; samples of the same time stay on one side, where that is possible."""
    times = order[indices]
    by_time = indices[np.argsort(times, kind="stable")]
    first = len(indices) - _share(len(indices), fraction)
    boundary = np.searchsorted(np.sort(times), np.sort(times)[first])
    first = int(boundary) or first
    return np.sort(by_time[:first]), np.sort(by_time[first:])


def _hold_out_groups(
    groups: NDArray[Any], indices: Indices, fraction: float, seed: int, labels: NDArray[np.integer] | None
) -> tuple[Indices, Indices]:
    """About `fraction` of the samples is held out, whole groups at a time; with `labels` about that much per class."""
    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

    of_group = groups[indices]
    if len(np.unique(of_group)) < 2:
        raise LabError("data.group: there are too few groups for three splits; at least three are needed")
    if labels is None:
        splitter: Any = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
        kept, held = next(splitter.split(indices, groups=of_group))
    else:
        parts = min(max(round(1 / fraction), 2), len(np.unique(of_group)))
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
        kept, held = next(splitter.split(indices, labels[indices], of_group))
    return np.sort(indices[kept]), np.sort(indices[held])


def _folds_of_groups(
    groups: NDArray[Any], indices: Indices, count: int, labels: NDArray[np.integer] | None
) -> list[Indices]:
    """`count` parts of whole groups, about as large as each other; with `labels` about as many of each class."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    of_group, classes = groups[indices], None if labels is None else labels[indices]
    if len(np.unique(of_group)) < max(count, 3):
        raise LabError(f"fold: {len(np.unique(of_group))} groups (data.group) are too few for {count} folds")
    if classes is not None and count > np.bincount(classes).max():
        raise LabError(f"fold: {len(indices):,} samples are too few for {count} folds: no class has so many")
    splitter: Any = GroupKFold(count)
    if classes is not None:
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=TEST_SPLIT_SEED)
    with warnings.catch_warnings():  # of a class with fewer samples than folds, which the data module reports
        warnings.simplefilter("ignore", UserWarning)
        return [np.sort(indices[held]) for _, held in splitter.split(indices, classes, of_group)]


def fold_note(samples: Samples, fold: Fold, split: Mapping[str, NDArray[np.int64]]) -> str:
    """What a fold makes of the samples, and of the sets that the source supplies."""
    count, tested = len(samples.x), len(split["test"])
    note = f"{fold}: {tested:,} of {count:,} samples are tested; data.test_fraction does not count"
    if unused := count - sum(map(len, split.values())):
        note += f"; the {unused:,} of the supplied test set are in no fold"
    return note
