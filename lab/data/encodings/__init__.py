"""Encodings: from the user's raw data to the numbers that a network takes, stored with a model as JSON.

One module per kind. They import numpy, pandas and PIL but neither torch nor Lightning: a table's encoding is
copied into the logged model and runs on machines without the lab.
"""

import importlib
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from lab.errors import LabError

KINDS = {
    "array": "lab.data.encodings.array:ArrayEncoding",
    "table": "lab.data.encodings.table:TableEncoding",
    "image": "lab.data.encodings.image:ImageEncoding",
    "text": "lab.data.encodings.text:TextEncoding",
    "characters": "lab.data.encodings.characters:CharactersEncoding",
    "series": "lab.data.encodings.series:SeriesEncoding",
    "sequence": "lab.data.encodings.sequence:SequenceEncoding",
}


class Encoding(Protocol):
    """Converts raw samples to the input of a network."""

    kind: ClassVar[str]

    def encode(self, raw: Any) -> NDArray[Any]:
        """Raw samples as numbers (N, ...), not yet standardised; raises LabError for invalid samples."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Everything that `from_json` needs, as JSON types."""
        ...


def from_json(content: dict[str, Any]) -> Encoding:
    """The encoding that `as_json` described; raises LabError for an unknown kind."""
    address = KINDS.get(content.get("kind", ""))
    if address is None:
        raise LabError(f"encoding.json: no such kind {content.get('kind')!r}; known: {', '.join(KINDS)}")
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(module), name).from_json(content)
