"""Texts that are there in every installation: the first paragraphs of the docstrings of Python libraries."""

import ast
import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lab.config.types import Fraction, PositiveInt
from lab.data.base import Samples
from lab.data.encodings.text import Ngrams
from lab.data.preparation import fingerprint
from lab.data.shipped import cached
from lab.data.text import fitting
from lab.data.text.texts import COLUMN, Text

# What `import` calls them, by the name under which they are installed; the lab needs all of them.
LIBRARIES = {
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "pandas": "pandas",
    "scikit-learn": "sklearn",
    "statsmodels": "statsmodels",
    "streamlit": "streamlit",
}
LEFT_OUT = ("tests", "testing", "vendor", "_vendor", "externals")  # folders
MOST = 1_500  # paragraphs of each library
LEAST_WORDS, MOST_WORDS = 5, 60
NAMES = r"matplotlib|mpl|numpy|np|pandas|pd|scikit-?learn|sklearn|statsmodels|sm|streamlit|st"
NAME = re.compile(rf"\b({NAMES})\b\.?", re.IGNORECASE)  # would give the answer away


class Docstrings(Text):
    """Which of six libraries is a docstring from? Up to 1,500 first paragraphs each, without the libraries' names.

    They are those of the installed versions, drawn by a fixed seed; a paragraph that several libraries have is left
    out, and one that a library has twice is taken once.
    """

    def __init__(
        self,
        tokenizer: fitting.Kind = "words",
        vocabulary: PositiveInt | None = None,
        ngrams: Ngrams = "rare",
        pairs: bool = False,
        buckets: PositiveInt = 2_000,
        length: PositiveInt | None = None,
        embedding: PositiveInt = 64,
        batch_size: PositiveInt = 64,
        val_fraction: Fraction = 0.1,
        test_fraction: Fraction = 0.2,
        seed: int = 0,
    ):
        super().__init__(
            "",
            tokenizer=tokenizer,
            vocabulary=vocabulary,
            ngrams=ngrams,
            pairs=pairs,
            buckets=buckets,
            length=length,
            embedding=embedding,
            batch_size=batch_size,
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            seed=seed,
        )

    def _read(self) -> Samples:
        """All paragraphs; collected once, in a few seconds, and kept in the cache."""
        name = "-".join(["docstrings", *(version(library) for library in LIBRARIES)])
        arrays = cached(name, _collect)
        frame = pd.DataFrame({COLUMN: pd.Series(arrays["texts"].tolist(), dtype=object)})
        self.example = frame.head(4)
        return Samples(
            frame,
            arrays["labels"],
            class_names=list(LIBRARIES),
            fingerprint=fingerprint(arrays["texts"], arrays["labels"]),
        )


def _collect() -> dict[str, np.ndarray[Any, Any]]:
    """The paragraphs and the number of their library."""
    found = {library: set(_paragraphs(module)) for library, module in LIBRARIES.items()}
    texts: list[str] = []
    labels: list[int] = []
    for label, (library, own) in enumerate(found.items()):
        others = set().union(*(each for name, each in found.items() if name != library))
        unique = sorted(own - others)
        drawn = np.random.default_rng(label).permutation(len(unique))[:MOST]
        texts += [unique[index] for index in sorted(drawn.tolist())]
        labels += [label] * len(drawn)
    return {"texts": np.array(texts), "labels": np.array(labels, dtype=np.int64)}


def _paragraphs(module: str) -> Iterator[str]:
    """The first paragraphs of the docstrings of a library's classes and functions, read without importing it."""
    spec = find_spec(module)
    assert spec is not None, "the lab depends on it"
    root = Path((spec.submodule_search_locations or [""])[0])
    for path in root.rglob("*.py"):
        if not {*path.relative_to(root).parts} & {*LEFT_OUT}:
            yield from _paragraphs_of(path)


def _paragraphs_of(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):  # a template, or an example for another version of Python
        return
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
        paragraph = " ".join(NAME.sub(" ", re.split(r"\n\s*\n", (text or "").strip())[0]).split())
        if LEAST_WORDS <= len(paragraph.split()) <= MOST_WORDS:
            yield paragraph
