"""How a column of texts writes its numbers: marks for decimals and thousands, currencies, percent signs."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lab.data.encodings.cells import PLAIN_SIGNS, NumberFormat
from lab.errors import LabError

Decimal = Literal["auto", ".", ","]
Thousands = Literal["auto", "none", ".", ",", "'", " "]
MARKS = ((".", ""), (",", ""), (".", ","), (",", "."), (".", "'"), (",", "'"), (".", " "), (",", " "))
AFFIX = re.compile(r"[^\d\s.,'()+\-\u2212\u2013]+")
EXPONENT = re.compile(r"(?<=\d)[eE](?=[+-]?\d)")
NUMBER_LIKE = re.compile(r"\D{0,6}\d[\d.,'\s]*([eE][+-]?\d+)?\D{0,6}")
PERCENT = frozenset("%‰")
SYMBOLS = "$ € £ ¥ ₹ ₽ ₩ ₺ ₪ ₫ ₱ ₴ R$ US$ CA$ AU$ NZ$ HK$"
CODES = "USD EUR GBP CHF JPY CNY INR RUB BRL SEK NOK DKK PLN CZK HUF CAD AUD kr zł Kč Rs"
CURRENCIES = frozenset(f"{SYMBOLS} {CODES}".split()) | PERCENT
UNIT = re.compile(r"[^\W\d_]+[²³]?|[°µ][^\W\d_]*")
PREFIX = re.compile(r"[(+\-\s]*([^\W\d_]+)\s*\d")  # letters before the digits
CODE = re.compile(r"\D*0\d+\D*")  # 001 is not 1
GROUPED = re.compile(r"\D*[1-9]\d{0,2}([.,'\s]\d{3})+\D*")  # 1.234 may be 1234
SAMPLE = 5_000  # distinct texts that are looked at


@dataclass(frozen=True)
class Choice:
    """The marks that the user set, and the `usual` ones of numbers that prove none; None where it has to be asked."""

    decimal: Decimal = "auto"
    thousands: Thousands = "auto"
    usual: tuple[str, str] | None = (".", ",")

    def allows(self, decimal: str, thousands: str) -> bool:
        """Whether the user's settings leave these marks possible."""
        return self.decimal in ("auto", decimal) and self.thousands in ("auto", thousands or "none")


def of_columns(columns: Iterable[pd.Series], choice: Choice) -> dict[str, NumberFormat]:
    """The format of each column of known texts that are numbers; what one proves decides for those that are open.

    Raises LabError for a column that could be read in two ways.
    """
    found: dict[str, list[NumberFormat]] = {}
    for column in columns:
        if formats := possible(column, choice):
            found[str(column.name)] = formats
    proofs = [formats[0] for formats in found.values() if len(formats) == 1]
    marks = [(format.decimal, format.thousands) for format in proofs if format.thousands or format.decimal == ","]
    usual = marks[0] if marks else choice.usual
    return {name: _decided(name, formats, usual) for name, formats in found.items()}


def possible(column: pd.Series, choice: Choice) -> list[NumberFormat]:
    """The formats in which a column of known texts can be read as numbers that differ; [] where they are none."""
    cells = pd.Series(pd.unique(column)[:SAMPLE], dtype=object).astype(str)
    texts = [text.translate(PLAIN_SIGNS) for text in cells]
    affixes = _affixes(texts)
    if affixes is None or not texts:
        return []
    formats = [NumberFormat(*marks, affixes) for marks in MARKS if choice.allows(*marks)]
    read = [(format, format.parse(cells)) for format in formats]
    read = [(format, values) for format, values in read if not np.isnan(values).any()]
    if not read:
        return []
    proven = [format for format, _ in read if format.thousands and proves_thousands(texts, format.thousands)]
    if proven:
        return proven[:1]
    first, values = read[0]
    others = [format for format, others in read[1:] if not np.array_equal(values, others)]
    return [first, *others[:1]]


def _decided(name: str, formats: Sequence[NumberFormat], usual: tuple[str, str] | None) -> NumberFormat:
    """The format with the usual marks, where there are several."""
    if len(formats) == 1:
        return formats[0]
    if usual is None:
        raise LabError(
            f"column '{name}': the numbers can be read with {_named(formats[0])} or with {_named(formats[1])}; "
            f'set data.decimal="{formats[0].decimal}" or data.thousands="{formats[1].thousands}"'
        )
    decimal, _ = usual
    return next((format for format in formats if format.decimal == decimal), formats[0])


def _named(format: NumberFormat) -> str:
    if format.thousands:
        return f"'{format.thousands}' between thousands"
    return f"'{format.decimal}' before decimals"


def _affixes(texts: Sequence[str]) -> tuple[str, ...] | None:
    """What stands around the numbers, longest first; None where the texts are no numbers.

    That is one currency, or a percent sign or a unit that all have behind the number: A1 and B2 are names.
    """
    if any(not NUMBER_LIKE.fullmatch(text) or CODE.fullmatch(text) for text in texts):
        return None
    of_text = [AFFIX.findall(EXPONENT.sub("", text)) for text in texts]
    found = {affix for affixes in of_text for affix in affixes}
    if len(found & CURRENCIES) > 1 or _lacks_percent(texts, found):
        return None
    units = found - CURRENCIES
    if any(not UNIT.fullmatch(unit) for unit in units):
        return None
    prefixes = {match[1] for text in texts if (match := PREFIX.match(text))} - CURRENCIES
    if prefixes or any(not units <= set(affixes) for affixes in of_text):
        return None
    return tuple(sorted(found, key=lambda affix: (-len(affix), affix)))


def _lacks_percent(texts: Sequence[str], affixes: Collection[str]) -> bool:
    """Whether some have a percent sign, and others that are not 0 have none: is 0.5 then 50 %?"""
    return any(sign not in text and bool(re.search("[1-9]", text)) for sign in PERCENT & set(affixes) for text in texts)


def proves_thousands(texts: Collection[str], mark: str) -> bool:
    """Whether a mark can only be one between thousands.

    Either it occurs twice in a number; or some numbers below 1000 have none while others end in 0 behind it: numbers
    with decimals have either a fixed number of them or no 0 at their end.
    """
    cores = [re.sub(r"[^\d.,' ]", "", text).strip() for text in texts]
    if any(core.count(mark) > 1 for core in cores):
        return True
    marked = [core for core in cores if mark in core]
    without = [core for core in cores if mark not in core]
    return (
        any(core.endswith("0") for core in marked)
        and all(GROUPED.fullmatch(core) for core in marked)
        and bool(without)
        and all(len(core) <= 3 for core in without)
    )


def may_be_grouped(texts: Collection[str]) -> bool:
    """Whether every text with a mark has three digits behind it, so that the mark may stand between thousands."""
    marked = [text for text in texts if any(mark in text for mark in ".,")]
    return bool(marked) and all(GROUPED.fullmatch(text) for text in marked)
