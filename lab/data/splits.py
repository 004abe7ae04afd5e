"""How samples are divided: seeded, and stratified where there are classes."""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def hold_out(
    indices: Indices, fraction: float, seed: int, labels: NDArray[np.integer] | None = None
) -> tuple[Indices, Indices]:
    """Divide indices into those kept and those held out, both sorted.

    With `labels` (one for each sample, addressed by `indices`) every class gives the same fraction, and
    every class of two or more samples is on both sides.
    """
    order = np.random.default_rng(seed).permutation(indices)
    groups = [order] if labels is None else [order[labels[order] == label] for label in np.unique(labels[order])]
    held = np.concatenate([group[: _share(len(group), fraction)] for group in groups])
    return np.setdiff1d(indices, held), np.sort(held)


def _share(size: int, fraction: float) -> int:
    """How many of `size` to hold out: at least one and never all, where there are two."""
    return min(max(round(size * fraction), 1), size - 1)
