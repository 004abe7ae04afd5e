"""Columns of texts in a table, beside numbers and categories: bags of tokens, found in the training rows."""

import pandas as pd

from lab.data.encodings.cells import PLAIN_NUMBER, Marks
from lab.data.encodings.text import FreeText, Words, texts_in
from lab.data.text import fitting
from lab.errors import LabError

WIDTH = 64  # channels in which each token is embedded


def check(column: pd.Series) -> None:
    """Raise LabError for a column without any text, and for one of numbers or dates."""
    cells = column.dropna()
    if not len(cells):
        raise LabError(f"data.text: column '{column.name}' has no text in any row")
    if not any(isinstance(cell, str) and not PLAIN_NUMBER.fullmatch(cell) for cell in cells):
        kind = "dates" if pd.api.types.is_datetime64_any_dtype(cells.dtype) else "numbers"
        raise LabError(f"data.text: column '{column.name}' holds {kind} such as {cells.iloc[0]}, not texts")


def fit(column: pd.Series, marks: Marks) -> FreeText:
    """The tokens of the training rows of a column: words, pairs and n-grams, as they suit a bag; raises LabError."""
    texts = texts_in(column, marks)
    if not any(texts):
        raise LabError(f"data.text: all training texts in column '{column.name}' are empty")
    tokenizer = fitting.fit(fitting.for_a_bag(texts), texts)
    assert isinstance(tokenizer, Words), "as for_a_bag asks"
    return FreeText(str(column.name), fitting.length_of(tokenizer.numbers(texts)), tokenizer)
