"""Samples with classes: how they are made, and from where."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Made = tuple[np.ndarray, np.ndarray]  # x (N, ...), and the names of the classes (N,)


@dataclass(frozen=True)
class Samples:
    """What makes the samples, the same at each call, and where they are from."""

    make: Callable[[], Made]
    about: str


def in_turn(count: int, names: str) -> np.ndarray:
    """The names of the classes (N,), as many of each."""
    return np.array(list(names))[np.arange(count) % len(names)]
