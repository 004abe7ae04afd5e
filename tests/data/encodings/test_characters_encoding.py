"""Characters as their numbers in the vocabulary of the training text."""

import numpy as np
import pytest

from lab.data.encodings import from_json
from lab.data.encodings.characters import UNKNOWN, CharactersEncoding
from lab.errors import LabError

ENCODING = CharactersEncoding("abn", length=3)


def test_characters_are_numbered_from_1_and_another_one_is_unknown() -> None:
    assert ENCODING.numbers("banxna").tolist() == [2, 1, 3, UNKNOWN, 3, 1]
    assert ENCODING.size == 4
    encoded = ENCODING.encode(["ban", "nnx"])
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[2, 1, 3], [3, 3, UNKNOWN]]


def test_texts_of_another_length_are_refused() -> None:
    for text in ("ba", "bana"):
        with pytest.raises(LabError, match=f"^a text has {len(text)} characters; the model reads 3$"):
            ENCODING.encode(["ban", text])


def test_a_beginning_has_at_least_one_character_and_none_that_training_had_not() -> None:
    ENCODING.check("banana", "prompt")
    with pytest.raises(LabError, match=r"^prompt: is empty; give at least one character$"):
        ENCODING.check("", "prompt")
    with pytest.raises(LabError, match=r"^prompt: the training text has no 'B', 'c', 'd', 'e', 'f'$"):
        ENCODING.check("Bangfedc", "prompt")


def test_it_is_restored_from_json() -> None:
    assert from_json(ENCODING.as_json()) == ENCODING
