"""Encoding of texts: to numbers of tokens, words or byte pairs, which were fitted on the training texts.

Part of every logged model of a table or of texts, so it imports numpy, pandas, lab.errors and the encoding of cells
alone; `tokenizers` only where byte pairs are used.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, ClassVar, Literal
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lab.data.encodings.cells import Marks, known, refuse
from lab.errors import LabError, did_you_mean, install

Ngrams = Literal["none", "rare", "all"]

PAD = 0  # what follows the end of a text
UNKNOWN = 1  # a text without a token, and a word of which nothing is known
FIRST_TOKEN = 2
NGRAM = 4  # characters
WORD = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
TEXT_FILE = ".txt"


@dataclass(frozen=True)
class Words:
    """Lower-cased words and signs, those of `vocabulary` with a number each.

    The character n-grams of `rare` words (those that are not in it) or of `all` words follow, or replace, the word,
    so that a word never seen resembles those with which it shares letters (Bojanowski et al. 2017, arXiv 1607.04606).
    With `pairs`, each word is followed by the pair of it and the next one, which keeps some of the order in a bag
    (Joulin et al. 2016, arXiv 1607.01759). N-grams and pairs are hashed to `buckets` numbers.
    """

    vocabulary: tuple[str, ...]
    buckets: int
    ngrams: Ngrams = "rare"
    pairs: bool = False
    kind: ClassVar[str] = "words"

    @property
    def tokens(self) -> int:
        """The number of different tokens, padding included."""
        return FIRST_TOKEN + len(self.vocabulary) + self.buckets

    def numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        known: dict[str, list[int]] = {}
        return [self._of_words(words_of(text), known) for text in texts]

    def _of_words(self, words: Sequence[str], known: dict[str, list[int]]) -> list[int]:
        """The tokens of one text; `known` keeps those of the words."""
        numbers: list[int] = []
        for word, following in zip_longest(words, words[1:], fillvalue=""):
            if word not in known:
                known[word] = self._of_word(word)
            numbers += known[word]
            if self.pairs and following:
                numbers.append(self._bucket(f"{word} {following}"))
        return numbers

    def _of_word(self, word: str) -> list[int]:
        number = self._numbers.get(word, UNKNOWN)
        if self.ngrams == "none" or (self.ngrams == "rare" and number != UNKNOWN):
            return [number]
        parts = [self._bucket(part) for part in ngrams(word)]
        return parts if number == UNKNOWN else [number, *parts]

    def _bucket(self, part: str) -> int:
        return FIRST_TOKEN + len(self.vocabulary) + crc32(part.encode()) % self.buckets

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.vocabulary, start=FIRST_TOKEN)}


@dataclass(frozen=True)
class BytePairs:
    """Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909) by the package `tokenizers`, described by `json`."""

    json: str
    kind: ClassVar[str] = "bpe"

    @property
    def tokens(self) -> int:
        """The number of different tokens, padding included."""
        return int(_tokenizer(self.json).get_vocab_size())

    def numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of each text."""
        found = _tokenizer(self.json).encode_batch_fast(list(texts))
        return [list(each.ids) if text else [] for text, each in zip(texts, found, strict=True)]


Tokenizer = Words | BytePairs


@dataclass(frozen=True)
class TextEncoding:
    """Texts in `column` of a table, or in files, as the numbers of their first `length` tokens.

    `missing` are the cells that hold no text, None for the usual ones; `text_encoding` is that which was set for the
    files, "auto" if none was.
    """

    column: str
    length: int
    tokenizer: Tokenizer
    missing: tuple[str, ...] | None = None
    text_encoding: str = "auto"
    kind: ClassVar[str] = "text"

    def encode(self, raw: Any) -> NDArray[np.int32]:
        """Rows of a table, texts, or paths of text files to token numbers (N, length), padded with PAD at the end.

        Raises LabError, with column and row, for a cell that holds no text.
        """
        return self.padded(self.tokenizer.numbers(texts_of(raw, self.column, self.missing, self.text_encoding)))

    def padded(self, texts: Sequence[list[int]]) -> NDArray[np.int32]:
        """The tokens of whole texts as (N, length): cut or padded at the end, at least one of each text."""
        return padded(texts, self.length)

    def as_texts(self) -> list[str]:
        """The columns that have to be read from a file as they are written."""
        return [self.column]

    def as_json(self) -> dict[str, Any]:
        """All fields with the fitted tokenizer, as JSON types."""
        tokenizer = {"kind": self.tokenizer.kind} | asdict(self.tokenizer)
        return {"kind": self.kind} | asdict(self) | {"tokenizer": tokenizer}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "TextEncoding":
        """The encoding that `as_json` described."""
        described = dict(content["tokenizer"])
        tokenizer: Tokenizer
        if described.pop("kind") == Words.kind:
            tokenizer = Words(**described | {"vocabulary": tuple(described["vocabulary"])})
        else:
            tokenizer = BytePairs(described["json"])
        missing = content.get("missing")
        marks = None if missing is None else tuple(missing)
        return cls(content["column"], content["length"], tokenizer, marks, content.get("text_encoding", "auto"))


@dataclass(frozen=True)
class FreeText:
    """A column of texts in a table: the numbers of the first `length` tokens of each, padded with PAD at the end."""

    name: str
    length: int
    tokenizer: Words
    kind: ClassVar[str] = "text"

    def names(self) -> list[str]:
        """The names of the encoded columns."""
        return [f"{self.name} token {number}" for number in range(1, self.length + 1)]

    def write(self, column: pd.Series, marks: Marks, out: NDArray[np.float32]) -> None:
        """Write the encoded columns into `out` (N, length)."""
        out[:] = padded(self.tokenizer.numbers(texts_in(column, marks)), self.length)


def padded(texts: Sequence[list[int]], length: int) -> NDArray[np.int32]:
    """The tokens of whole texts as (N, length): cut or padded at the end, at least one of each text."""
    encoded = np.full((len(texts), length), PAD, dtype=np.int32)
    for row, numbers in enumerate(texts):
        kept = numbers[:length] or [UNKNOWN]
        encoded[row, : len(kept)] = kept
    return encoded


def texts_of(raw: Any, column: str, missing: Iterable[str] | None = None, text_encoding: str = "auto") -> Sequence[str]:
    """The texts in a column of a table, in files, or as they are given; "" for a missing one."""
    marks = Marks.of(None if missing is None else list(missing))
    if isinstance(raw, pd.DataFrame):
        given = [str(name) for name in raw.columns]
        if column not in given:
            hint = did_you_mean(column, given)  # MLflow hands over no column that it does not know
            wanted = hint if hint.startswith("did") else f"it takes the texts in '{column}'"
            raise LabError(f"no column '{column}' in the data; {wanted}")
        return texts_in(raw.set_axis(given, axis=1)[column], marks)
    if isinstance(raw, str):
        raise LabError("a list of texts is expected, not a single text")
    read = [read_text(item, text_encoding) if isinstance(item, Path) else item for item in raw]
    return texts_in(pd.Series(read, name=column, dtype=object), marks)


def texts_in(cells: pd.Series, marks: Marks) -> list[str]:
    """The texts in the cells of a column, "" for a missing one; raises LabError, with the row, for anything else."""
    nested = cells.map(lambda cell: isinstance(cell, list | dict))  # which JSON may hold, and are no missing marks
    refuse(nested, cells, "is not text", "give it as text, or leave the cell empty")
    found = known(cells.astype(object), marks)
    absent = found.isna()
    other = ~absent & ~found.map(lambda cell: isinstance(cell, str))
    refuse(other, found, "is not text", "give it as text, or leave the cell empty")
    return ["" if empty else str(cell) for cell, empty in zip(found, absent, strict=True)]


def read_text(path: Path, text_encoding: str = "auto") -> str:
    """The content of a text file, by default UTF-8 or UTF-16; raises LabError."""
    content = path.read_bytes()
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = ("utf-16" if wide else "utf-8-sig") if text_encoding == "auto" else text_encoding
    try:
        return content.decode(encoding).strip()
    except UnicodeDecodeError as error:
        raise LabError(
            f"{path}: is not {error.encoding} text (byte 0x{content[error.start]:02x}); "
            "set data.text_encoding=cp1252 if it was saved on Windows, or save it as UTF-8"
        ) from None
    except LookupError:
        raise LabError(f"data.text_encoding: unknown '{encoding}'; use one such as utf-8 or cp1252") from None


def normalised(text: str) -> str:
    """A text in lower case, with characters that look alike made one (Unicode NFKC)."""
    return unicodedata.normalize("NFKC", text).lower()


def words_of(text: str) -> list[str]:
    """The words and signs of a text, in lower case."""
    return WORD.findall(normalised(text))


def ngrams(word: str) -> Iterator[str]:
    """The character n-grams of a word, its ends marked; the whole word if it is short."""
    marked = f"<{word}>"
    yield from (marked[start : start + NGRAM] for start in range(max(len(marked) - NGRAM, 0) + 1))


@lru_cache(maxsize=8)
def _tokenizer(json: str) -> Any:
    """The tokenizer that a JSON text describes."""
    try:
        from tokenizers import Tokenizer as HuggingFace
    except ImportError:
        raise LabError(f"tokenizer bpe needs the package tokenizers: {install('text')}") from None
    return HuggingFace.from_str(json)
