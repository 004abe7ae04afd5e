"""Rows of a table that are no samples: empty ones, and totals at the end."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.cells import are_plain_numbers
from lab.data.reading import number_formats
from lab.data.reading.number_formats import may_be_grouped
from lab.display.numbers import counted

ENGLISH = ("total", "totals", "grand total", "subtotal", "sum", "average", "mean")
OTHERS = ("summe", "gesamt", "gesamtsumme", "mittelwert", "somme", "moyenne", "suma", "totale", "media")
TOTALS = frozenset((*ENGLISH, *OTHERS))
CLOSE = 0.005  # relative difference of a total from the sum or the mean, which may be rounded


def samples_of(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """The rows that are samples, with their index, and notes on the others."""
    notes: list[tuple[str, str]] = []
    empty = frame.isna().all(axis=1)
    if empty.any():
        frame = frame[~empty]
        notes.append(("skipped", counted(int(empty.sum()), "empty row")))
    while (name := _total_in_last_row(frame)) is not None:
        made_text = [column for column, cell in frame.iloc[-1].items() if isinstance(cell, str)]
        frame = frame.iloc[:-1].copy()
        notes.append(("skipped", f"the last row, '{name}', which sums up the others"))
        frame[made_text] = frame[made_text].apply(_as_plain_numbers)
    return frame, notes


def _total_in_last_row(frame: pd.DataFrame) -> str | None:
    """The word for a total in the last row, if a number in that row is the sum or the mean of those above."""
    if len(frame) < 3:
        return None
    last = frame.iloc[-1]
    words = [cell for cell in last if isinstance(cell, str) and cell.strip(" :").lower() in TOTALS]
    return words[0] if words and any(_sums_up(frame[name]) for name in frame) else None


def _sums_up(column: pd.Series) -> bool:
    """Whether the last cell is the sum or the mean of the others."""
    values = _values(column)
    if values is None or not np.isfinite(values[-1]) or not values[-1]:
        return False
    above = values[:-1][~np.isnan(values[:-1])]
    return any(np.isclose(values[-1], value, rtol=CLOSE, atol=0) for value in (above.sum(), above.mean()))


def _values(column: pd.Series) -> NDArray[np.float64] | None:
    """The numbers of a column, None where it holds something else."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = column.dropna()
    formats = number_formats.possible(known, number_formats.Choice()) if _are_texts(known) else []
    return formats[0].parse(column) if formats else None


def _as_plain_numbers(column: pd.Series) -> pd.Series:
    """A column of texts as numbers, if all are plain ones now that the total is gone; 1.234 may be 1234."""
    known = column.dropna()
    plain = _are_texts(known) and are_plain_numbers(known.unique()) and not may_be_grouped(known.unique())
    return pd.to_numeric(column) if plain else column


def _are_texts(known: pd.Series) -> bool:
    return len(known) > 0 and all(isinstance(cell, str) for cell in known)
