"""Encodings: raw data as its owner has it, to the numbers that a network takes, and the way there kept as JSON.

One file a kind. They need numpy, pandas and PIL, and nothing of torch or of the frameworks above it: a table's
encoding travels with its model to machines that have no lab.
"""

import importlib
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from lab.errors import LabError

KINDS = {
    "array": "lab.data.encodings.array:ArrayEncoding",
    "table": "lab.data.encodings.table:TableEncoding",
    "image": "lab.data.encodings.image:ImageEncoding",
    "series": "lab.data.encodings.series:SeriesEncoding",
}


class Encoding(Protocol):
    """How raw samples become a network's input."""

    kind: ClassVar[str]

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """Raw samples as numbers (N, ...), not yet standardised; raises LabError where they are unfit."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Everything that `from_json` needs, in JSON's own types."""
        ...


def from_json(content: dict[str, Any]) -> Encoding:
    """The encoding that `as_json` described; raises LabError for a kind that this lab does not know."""
    address = KINDS.get(content.get("kind", ""))
    if address is None:
        raise LabError(f"encoding.json: no such kind {content.get('kind')!r}; known: {', '.join(KINDS)}")
    module, _, name = address.partition(":")
    return getattr(importlib.import_module(module), name).from_json(content)
