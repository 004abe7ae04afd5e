"""Encoding of text: each character as its number in the vocabulary of the training part."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lab.errors import LabError

UNKNOWN = 0  # the number of a character that the training part does not have


@dataclass(frozen=True)
class CharactersEncoding:
    """`vocabulary` has the characters numbered from 1; a network reads `length` of them."""

    vocabulary: str
    length: int
    kind: ClassVar[str] = "characters"

    @property
    def size(self) -> int:
        """The number of different characters, with the unknown one."""
        return len(self.vocabulary) + 1

    def numbers(self, text: str) -> NDArray[np.int64]:
        """The numbers of the characters of a text, (L,)."""
        known = {character: number for number, character in enumerate(self.vocabulary, start=1)}
        return np.fromiter((known.get(character, UNKNOWN) for character in text), np.int64, len(text))

    def check(self, text: str, name: str) -> None:
        """Raise LabError for a text that is empty or has a character that the vocabulary has not."""
        if not text:
            raise LabError(f"{name}: is empty; give at least one character")
        if unknown := sorted(set(text) - set(self.vocabulary)):
            raise LabError(f"{name}: the training text has no {', '.join(map(repr, unknown[:5]))}")

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """Texts of `length` characters as numbers (N, length); raises LabError for other lengths."""
        if wrong := next((text for text in raw if len(text) != self.length), None):
            raise LabError(f"a text has {len(wrong)} characters; the model reads {self.length}")
        return np.stack([self.numbers(text) for text in raw]).astype(np.float32)

    def as_json(self) -> dict[str, Any]:
        """Vocabulary and length, as JSON types."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "CharactersEncoding":
        """The encoding that `as_json` described."""
        return cls(content["vocabulary"], content["length"])
