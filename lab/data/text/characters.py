"""Text, character by character, for a network that says which one follows."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lab.config.types import Count, Fraction, PositiveInt
from lab.data.base import SPLITS, DataModule, Split, Task
from lab.data.encodings.characters import UNKNOWN, CharactersEncoding
from lab.data.preparation import Scale, fingerprint
from lab.data.reading.settings import existing_file
from lab.data.sizes import Sizes
from lab.errors import LabError

PAGE = 2_000  # characters within which windows are alike: topic and style of the text
SHIPPED = "help() of Python"
SHIPPED_CHARACTERS = 400_000  # of the 465,000 that Python 3.11 has


class Characters(DataModule):
    """Windows x (N, length) of a text as numbers of its characters, to those that follow each, y (N, length).

    `path` is a UTF-8 text file; without it the language reference that Python's `help()` shows is read, which differs a
    little between versions of Python. The text is split in order: training, validation, test. Each window begins where
    the last one ended, so that each character is predicted once in an epoch, and from its own window alone. The
    vocabulary is that of the training part; any other character counts as one unknown.
    """

    task: Task = "language"
    encoding: CharactersEncoding

    def __init__(
        self,
        path: str | None = None,
        length: PositiveInt = 64,
        batch_size: PositiveInt = 32,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.1,
        num_workers: Count = 0,
        seed: int = 0,
    ):
        super().__init__(batch_size, val_fraction, num_workers, seed)
        self.path = path
        self.length = length
        self.test_fraction = test_fraction

    def _prepare(self) -> None:
        text = shipped_text() if self.path is None else read_text(self.path)
        parts = self._parts(text)
        self.encoding = CharactersEncoding("".join(sorted(set(parts["train"]))), self.length)
        numbers = {split: torch.from_numpy(self.encoding.numbers(part)) for split, part in parts.items()}
        for split in SPLITS:
            self.splits[split] = CharacterWindows(numbers[split], self.length)
            self.split_indices[split] = np.arange(len(self.splits[split]))  # type: ignore[arg-type]
        self.fingerprint = fingerprint(np.frombuffer(text.encode(), np.uint8))
        self.sizes = Sizes((self.length,), self.encoding.size, vocabulary=self.encoding.size)
        self.correlated = math.ceil(PAGE / self.length)
        self.input_scale = Scale(torch.zeros(()), torch.ones(()))
        self.character_counts = torch.bincount(numbers["train"], minlength=self.encoding.size)
        of_splits = ", ".join(f"{len(part):,} {split}" for split, part in parts.items())
        source = self.path or f"{SHIPPED}, {SHIPPED_CHARACTERS:,} characters"
        self.notes.append(("text", f"{source}: {self.encoding.size - 1} different; {of_splits}"))
        unknown = sum(int((numbers[split] == UNKNOWN).sum()) for split in ("val", "test"))
        if unknown:
            self.notes.append(("text", f"{unknown:,} characters of validation and test are not in the training part"))

    def _parts(self, text: str) -> dict[Split, str]:
        """The text of each split; raises LabError where one is too short for a window."""
        test = len(text) - round(len(text) * self.test_fraction)
        val = test - round(len(text) * self.val_fraction)
        parts: dict[Split, str] = {"train": text[:val], "val": text[val:test], "test": text[test:]}
        for split, part in parts.items():
            if len(part) <= self.length:
                raise LabError(
                    f"data.length: a window of {self.length} characters and the next one do not fit into the "
                    f"{len(part)} of the {split} split; shorten it, or give a longer text"
                )
        return parts


class CharacterWindows(Dataset[tuple[Tensor, Tensor]]):
    """Windows of numbers (L,), one after the other, each with the same window one step later."""

    def __init__(self, numbers: Tensor, length: int):
        self.numbers = numbers
        self.length = length

    def __len__(self) -> int:
        return (len(self.numbers) - 1) // self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, y = self.batch(torch.tensor([index]))
        return x[0], y[0]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The windows of these indices: x (B, length) of the type of all inputs, y (B, length) of whole numbers."""
        windows = self.numbers[(indices * self.length).unsqueeze(1) + torch.arange(self.length + 1)]
        return windows[:, :-1].float(), windows[:, 1:]


def read_text(path: str) -> str:
    """The text of a UTF-8 file; raises LabError where it is empty or something else."""
    try:
        text = existing_file(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LabError(f"{path}: is not UTF-8 text (byte {error.start:,}); convert it first") from None
    except OSError as error:
        raise LabError(f"{path}: cannot be read: {error.strerror}") from None
    if "\0" in text:
        raise LabError(f"{path}: is not a text: it holds a character 0")
    if not text:
        raise LabError(f"{path}: is empty")
    return text


def shipped_text() -> str:
    """The beginning of the language reference that comes with Python."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))[:SHIPPED_CHARACTERS]
