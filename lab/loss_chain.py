"""The chain of a run's losses: for every batch its loss and a link, a hash of it and of the link before.

Two runs whose links at a batch are equal have had equal losses until there, to the last bit.
"""

import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lab.tracking.tracker import Tracker

FILE = "loss_chain.npz"  # 8 bytes a batch, less what compression saves
TAG = "lab.loss_chain"  # the last link


@dataclass(frozen=True)
class LossChain:
    """Links (batches,), CRC-32 over the loss in double precision and the link before; losses (batches,) in single."""

    links: NDArray[np.uint32]
    losses: NDArray[np.float32]

    def parts_at(self, other: "LossChain") -> int | None:
        """The first batch, counted from 0, at which two chains differ or one ends; None where they are equal."""
        both = min(len(self.links), len(other.links))
        differ = np.flatnonzero(self.links[:both] != other.links[:both])
        if len(differ):
            return int(differ[0])
        return None if len(self.links) == len(other.links) else both


def of(losses: Iterable[float]) -> LossChain:
    """The chain of the losses of a run's batches."""
    doubles = np.asarray(array("d", losses))
    links = np.empty(len(doubles), np.uint32)
    link = 0
    for batch, loss in enumerate(doubles):
        links[batch] = link = zlib.crc32(loss.tobytes(), link)
    return LossChain(links, doubles.astype(np.float32))


def keep(losses: Iterable[float], tracker: Tracker) -> None:
    """Keep the chain with a run."""
    chain = of(losses)
    np.savez_compressed(tracker.path(FILE), links=chain.links, losses=chain.losses)
    tracker.artifact(FILE)
    if len(chain.links):
        tracker.tags({TAG: f"{chain.links[-1]:08x}"})


def read(path: Path) -> LossChain:
    """The chain that a run kept."""
    with np.load(path, allow_pickle=False) as kept:
        return LossChain(kept["links"], kept["losses"])
