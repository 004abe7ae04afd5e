"""Texts as token numbers, stored without padding; a batch is as long as its longest text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lab.data.encodings.text import PAD


@dataclass(frozen=True)
class Tokens:
    """The token numbers of N texts, one text after the other in `numbers` (T,); text n begins at `starts[n]`, (N + 1,).

    `shape` is that of all texts padded to `length`.
    """

    numbers: NDArray[np.int32]
    starts: NDArray[np.int64]
    length: int

    @classmethod
    def of(cls, texts: Sequence[Sequence[int]], length: int) -> "Tokens":
        """From the numbers of each text."""
        counts = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        numbers = np.fromiter((number for text in texts for number in text), dtype=np.int32, count=int(counts.sum()))
        return cls(numbers, np.concatenate([[0], np.cumsum(counts)]), length)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, length)."""
        return len(self.starts) - 1, self.length

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, chosen: NDArray[np.int64]) -> "Tokens":
        """The texts at these indices."""
        ends = self.starts[1:]
        texts = [self.numbers[self.starts[index] : ends[index]] for index in chosen.tolist()]
        starts = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
        return Tokens(np.concatenate([*texts, np.empty(0, np.int32)]), starts, self.length)


class TokenDataset(Dataset[tuple[Tensor, Tensor]]):
    """Texts as token numbers with targets y (N, ...)."""

    def __init__(self, tokens: Tokens, y: Tensor):
        self.numbers = torch.from_numpy(tokens.numbers)
        self.starts = torch.from_numpy(tokens.starts)
        self.length = tokens.length
        self.y = y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.padded(torch.tensor([index]), self.length)[0], self.y[index]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The texts of these indices: x (B, L) as long as the longest of them, y (B, ...)."""
        longest = int((self.starts[indices + 1] - self.starts[indices]).max())
        return self.padded(indices, longest), self.y[indices]

    def padded(self, indices: Tensor, length: int) -> Tensor:
        """The token numbers (B, length) of these indices, padded with PAD at the end."""
        starts, ends = self.starts[indices, None], self.starts[indices + 1, None]
        places = starts + torch.arange(length)
        found = self.numbers[places.clamp(max=len(self.numbers) - 1)].long()
        return torch.where(places < ends, found, PAD)
