"""Texts as token numbers: the same for the same text, wherever it stands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab.data import encodings
from lab.data.encodings.cells import USUAL
from lab.data.encodings.text import (
    FIRST_TOKEN,
    PAD,
    UNKNOWN,
    BytePairs,
    FreeText,
    TextEncoding,
    Words,
    ngrams,
    words_of,
)
from lab.data.reading.table_files import read_rows
from lab.data.text import fitting
from lab.errors import LabError

TEXTS = ["The film was lovely, wasn't it?", "A dull film, a dull story!", "Lovely story; the music was lovely."]
SETTINGS = [
    fitting.Settings(),
    fitting.Settings(ngrams="all", pairs=True, buckets=50),
    fitting.Settings(ngrams="none"),
    fitting.Settings("bpe", 280),
]
# Ordinary, unknown words, none, other scripts, cells that CSV has to quote, marks of missing values, numbers.
CELLS = [*TEXTS, "zyzzyva qwop", "", "映画は素晴らしい", 'with "quotes", and\ntwo lines', "NA", "007", "  spaces  "]


def encoding(settings: fitting.Settings, length: int = 40) -> TextEncoding:
    return TextEncoding("review", length, fitting.fit(settings, TEXTS))


def test_words_are_in_lower_case_and_signs_are_words() -> None:
    assert words_of("Don't STOP, ﬁrst (really)!") == ["don't", "stop", ",", "first", "(", "really", ")", "!"]


def test_a_word_of_the_vocabulary_has_a_number_and_another_one_those_of_its_ngrams() -> None:
    assert list(ngrams("film")) == ["<fil", "film", "ilm>"]
    assert list(ngrams("a")) == ["<a>"]
    words = Words(("film", "the"), buckets=7)
    first, second, *others = words.numbers(["The film filmed"])[0]
    assert (first, second) == (FIRST_TOKEN + 1, FIRST_TOKEN)
    assert len(others) == len(list(ngrams("filmed")))
    assert all(FIRST_TOKEN + 2 <= number < words.tokens for number in others)
    assert Words(("film", "the"), 0, "none").numbers(["the unseen film"]) == [[FIRST_TOKEN + 1, UNKNOWN, FIRST_TOKEN]]


def test_pairs_and_ngrams_of_all_words_follow_each_word() -> None:
    words = Words(("film", "the"), 1, "all", pairs=True)
    bucket = FIRST_TOKEN + 2
    of_the, of_film = len(list(ngrams("the"))), len(list(ngrams("film")))
    expected = [FIRST_TOKEN + 1, *[bucket] * of_the, bucket, FIRST_TOKEN, *[bucket] * of_film]
    assert words.numbers(["the film"]) == [expected]


def test_the_vocabulary_is_that_of_the_frequent_words_of_the_training_texts() -> None:
    found = fitting.fit(fitting.Settings(), TEXTS)
    assert isinstance(found, Words)
    assert found.vocabulary == ("lovely", ",", "a", "dull", "film", "story", "the", "was")
    assert fitting.fit(fitting.Settings(vocabulary=2), TEXTS).vocabulary == ("lovely", ",")  # type: ignore[union-attr]


def test_byte_pairs_are_the_same_in_every_training_and_know_every_text() -> None:
    found = fitting.fit(fitting.Settings("bpe", 280), TEXTS)
    assert found == fitting.fit(fitting.Settings("bpe", 280), TEXTS)
    assert isinstance(found, BytePairs)
    assert found.tokens == 280
    assert UNKNOWN not in found.numbers(["zyzzyva 映画 🙂"])[0]
    assert len(found.numbers(["the lovely film"])[0]) < len("the lovely film")
    (alone,), (behind,) = (found.numbers([text]) for text in ("Film", "the film"))
    assert behind[-len(alone) :] == alone  # a word is the same at the beginning of a text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SETTINGS[0], "8 words of 3 training texts, others as character n-grams (2,000 buckets)"),
        (SETTINGS[1], "8 words of 3 training texts and character n-grams of all and pairs of words (50 buckets)"),
        (SETTINGS[2], "8 words of 3 training texts, others unknown"),
        (SETTINGS[3], "bpe, 280 tokens learned from 3 training texts"),
    ],
)
def test_a_tokenizer_is_said_in_a_few_words(settings: fitting.Settings, expected: str) -> None:
    assert fitting.described(fitting.fit(settings, TEXTS), TEXTS) == expected


@pytest.mark.parametrize("settings", SETTINGS)
def test_texts_are_padded_at_the_end_and_cut(settings: fitting.Settings) -> None:
    longer, shorter = encoding(settings).encode([*TEXTS, ""]), encoding(settings, 3).encode([*TEXTS, ""])
    assert (longer[:, :3] == shorter).all()
    assert shorter[-1].tolist() == [UNKNOWN, PAD, PAD]
    lengths = (longer != PAD).sum(1)
    assert all((row[count:] == PAD).all() for row, count in zip(longer, lengths, strict=True))


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_text_is_the_same_alone_and_from_every_source(settings: fitting.Settings, tmp_path: Path) -> None:
    fitted = encodings.from_json(json.loads(json.dumps(encoding(settings).as_json())))
    assert isinstance(fitted, TextEncoding)
    frame = pd.DataFrame({"review": pd.Series(CELLS, dtype=object), "other": range(len(CELLS))})
    expected = encoding(settings).encode(CELLS)
    frame.to_csv(tmp_path / "cells.csv", index=False)
    frame.to_parquet(tmp_path / "cells.parquet")
    sources: list[Any] = [
        frame,
        frame["review"],
        pd.DataFrame(json.loads(frame.to_json(orient="records"))),
        read_rows(tmp_path / "cells.csv", fitted),
        read_rows(tmp_path / "cells.parquet", fitted),
    ]
    for source in sources:
        assert (fitted.encode(source) == expected).all()
    for row, cell in enumerate(CELLS):
        assert (fitted.encode([cell])[0] == expected[row]).all()
        (tmp_path / "one.csv").write_text(frame.iloc[[row]].to_csv(index=False), encoding="utf-8")
        assert (fitted.encode(read_rows(tmp_path / "one.csv", fitted))[0] == expected[row]).all()
        (tmp_path / "one.txt").write_text(cell, encoding="utf-8")
        assert (fitted.encode([tmp_path / "one.txt"])[0] == expected[row]).all()


def test_in_a_table_each_token_has_a_column() -> None:
    column = FreeText("review", 3, Words(("film", "the"), 0, "none"))
    encoded = np.empty((3, 3), np.float32)
    column.write(pd.Series(["the film", "", "the film the film"], name="review"), USUAL, encoded)
    assert column.names() == ["review token 1", "review token 2", "review token 3"]
    first, second = FIRST_TOKEN + 1, FIRST_TOKEN
    assert encoded.tolist() == [[first, second, PAD], [UNKNOWN, PAD, PAD], [first, second, first]]


def test_what_is_no_text_is_refused_with_its_row() -> None:
    fitted = encoding(fitting.Settings())
    missing = fitted.encode(pd.DataFrame({"review": ["film", None, np.nan]}))
    assert missing[1:, 0].tolist() == [UNKNOWN, UNKNOWN]
    with pytest.raises(LabError, match="column 'review', row 2: 5 is not text; give it as text"):
        fitted.encode(pd.DataFrame({"review": pd.Series(["film", 5], dtype=object)}))
    with pytest.raises(LabError, match="no column 'review' in the data; did you mean reviews"):
        fitted.encode(pd.DataFrame({"reviews": ["film"]}))
    with pytest.raises(LabError, match="a list of texts is expected"):
        fitted.encode("film")


def test_byte_pairs_that_cannot_be_learned_are_refused() -> None:
    with pytest.raises(LabError, match=r"data.vocabulary: 5,000 byte pairs cannot be learned .* at most \d+"):
        fitting.fit(fitting.Settings("bpe", 5_000), TEXTS)
    with pytest.raises(LabError, match=r"data.vocabulary: 100 is too small for bpe; at least 258"):
        fitting.fit(fitting.Settings("bpe", 100), TEXTS)
    with pytest.raises(LabError, match=r"data.pairs: is for tokenizer: words"):
        fitting.fit(fitting.Settings("bpe", pairs=True), TEXTS)


def test_a_file_in_another_text_encoding_is_refused_or_read_as_told(tmp_path: Path) -> None:
    (tmp_path / "film.txt").write_bytes("café".encode("cp1252"))
    with pytest.raises(LabError, match=r"film.txt: is not utf-8 text \(byte 0xe9\); set data.text_encoding=cp1252"):
        encoding(fitting.Settings()).encode([tmp_path / "film.txt"])
    told = TextEncoding("review", 9, Words(("café",), 5), text_encoding="cp1252")
    assert told.encode([tmp_path / "film.txt"])[0, 0] == FIRST_TOKEN
