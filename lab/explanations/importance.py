"""Permutation importance (Breiman 2001): how much the main metric falls when a part of the inputs is shuffled."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lab.data.base import DataModule, Split
from lab.data.encodings.series import SeriesEncoding
from lab.data.encodings.table import TableEncoding
from lab.explanations.trained import Trained

REPEATS = 10
LAG_BLOCKS = 8  # of a window, at most
MOST_PREDICTIONS = 20_000_000  # in all; with more parts, fewer samples
LEAST_SAMPLES = 500
LARGEST_SEED = np.iinfo(np.int32).max + 1  # exclusive, as in scikit-learn


@dataclass(frozen=True)
class Part:
    """What is shuffled together: a column of the user's file, a channel, or a block of lags.

    `index` selects it in a batch of encoded samples (N, ...).
    """

    name: str
    kind: str
    index: tuple[Any, ...]


@dataclass(frozen=True)
class Importance:
    """The fall of the metric for each part, (parts, repeats), on `samples` of a split with that `score`."""

    parts: list[Part]
    falls: NDArray[np.float64]
    score: float
    samples: int

    @property
    def order(self) -> NDArray[np.int64]:
        """The parts, the most important first; equal ones in the order of the data."""
        return np.argsort(-self.falls.mean(axis=1), kind="stable")

    def as_json(self) -> dict[str, Any]:
        """All values, the most important part first."""
        rows = [
            {
                "name": self.parts[number].name,
                "kind": self.parts[number].kind,
                "mean": float(self.falls[number].mean()),
                "sd": float(self.falls[number].std()),
                "falls": self.falls[number].tolist(),
            }
            for number in self.order
        ]
        return {"score": self.score, "samples": self.samples, "repeats": self.falls.shape[1], "parts": rows}


def importance(trained: Trained, split: Split, seed: int) -> Importance | None:
    """Shuffle each part REPEATS times; None for inputs that have no parts with a meaning of their own: images, text.

    The draws are those of scikit-learn's `permutation_importance` with `random_state=seed`.
    """
    parts = list(parts_of(trained.data))
    if not parts:
        return None
    size: int = len(trained.data.splits[split])  # type: ignore[arg-type]
    rows = _rows(size, len(parts), seed)
    x, *rest = trained.samples(split, torch.from_numpy(rows))
    shuffle_seed = np.random.RandomState(seed).randint(LARGEST_SEED)

    def score(inputs: torch.Tensor) -> float:
        return trained.score(trained.module.scored(trained.outputs(inputs), (x, *rest)))

    def falls(part: Part) -> list[float]:
        random, drawn, source = np.random.RandomState(shuffle_seed), np.arange(len(x)), np.arange(len(x))
        found, shuffled = [], x.clone()
        for _ in range(REPEATS):
            random.shuffle(drawn)
            source = source[drawn]
            shuffled[part.index] = x[part.index][torch.from_numpy(source)]
            found.append(whole - score(shuffled))
        return found

    whole = score(x)
    return Importance(parts, np.array([falls(part) for part in parts]), whole, len(x))


def _rows(size: int, parts: int, seed: int) -> NDArray[np.int64]:
    """All samples, or as many drawn at random as the time allows, in order."""
    most = max(MOST_PREDICTIONS // (parts * REPEATS), LEAST_SAMPLES)
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(seed).choice(size, most, replace=False))


def parts_of(data: DataModule) -> Iterator[Part]:
    """The columns of a table, the features of rows of numbers, or the channels and lags of a series."""
    match data.encoding:
        case TableEncoding(columns=columns):
            start = 0
            for column in columns:
                stop = start + len(column.names())
                yield Part(column.name, "column", (slice(None), slice(start, stop)))
                start = stop
        case SeriesEncoding() as encoding:
            yield from _series_parts(encoding)
        case _ if data.first_samples(1).ndim == 2 and data.first_samples(1).is_floating_point():
            yield from _features(data)


def _features(data: DataModule) -> Iterator[Part]:
    for number in range(data.first_samples(1).shape[1]):
        name = data.feature_names[number] if data.feature_names else f"column {number + 1}"
        yield Part(name, "column", (slice(None), number))


def _series_parts(encoding: SeriesEncoding) -> Iterator[Part]:
    """Each channel with all its lags, if there are several; then each block of lags, of all channels together."""
    if len(encoding.channels) > 1:
        for number, name in enumerate(encoding.channels):
            yield Part(name, "channel", (slice(None), number))
    for block in reversed(np.array_split(np.arange(encoding.window), min(LAG_BLOCKS, encoding.window))):
        first, last = encoding.window - int(block[-1]), encoding.window - int(block[0])
        name = f"lag {first}" if first == last else f"lags {first} to {last}"
        yield Part(name, "lags", (slice(None), slice(None), slice(int(block[0]), int(block[-1]) + 1)))
