"""A text as windows of characters: what is served, how it is split, and what is no text."""

from pathlib import Path

import pytest
import torch

from lab.data.text.characters import Characters, CharacterWindows, read_text
from lab.errors import LabError


def prepared(text: str, length: int, folder: Path) -> Characters:
    (folder / "book.txt").write_text(text, encoding="utf-8")
    data = Characters(str(folder / "book.txt"), length, batch_size=4)
    data.prepare()
    return data


@pytest.mark.parametrize(("characters", "windows"), [(9, 2), (10, 3), (12, 3), (13, 4)])
def test_a_window_needs_the_character_after_it(characters: int, windows: int) -> None:
    made = CharacterWindows(torch.arange(characters), 3)
    assert len(made) == windows
    for index in range(windows):
        x, y = made[index]
        assert (x.tolist(), x.dtype) == ([3 * index, 3 * index + 1, 3 * index + 2], torch.float32)
        assert y.tolist() == [3 * index + 1, 3 * index + 2, 3 * index + 3]
    x, y = made.batch(torch.tensor([1, 0]))
    assert torch.equal(x, torch.stack([made[1][0], made[0][0]]))
    assert torch.equal(y, torch.stack([made[1][1], made[0][1]]))


def test_the_text_is_split_in_order_and_the_vocabulary_is_that_of_training(tmp_path: Path) -> None:
    data = prepared("ab" * 40 + "ca" * 5 + "bd" * 5, 3, tmp_path)
    assert [len(data.splits[split]) for split in ("train", "val", "test")] == [26, 3, 3]  # type: ignore[arg-type]
    assert data.encoding.vocabulary == "ab"
    assert data.character_counts.tolist() == [0, 40, 40]
    assert [text for subject, text in data.notes if subject == "text"] == [
        f"{tmp_path / 'book.txt'}: 2 different; 80 train, 10 val, 10 test",
        "10 characters of validation and test are not in the training part",
    ]


def test_each_split_has_room_for_a_window_and_the_next_character(tmp_path: Path) -> None:
    assert len(prepared("ab" * 50, 9, tmp_path).splits["test"]) == 1  # type: ignore[arg-type]
    with pytest.raises(LabError, match=r"^data.length: a window of 10 characters .* the 10 of the val split; shorten"):
        prepared("ab" * 50, 10, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"caf\xe9", r"is not UTF-8 text \(byte 3\)"), (b"a\0b", "it holds a character 0"), (b"", "is empty")],
)
def test_what_is_no_text_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "book.txt").write_bytes(content)
    with pytest.raises(LabError, match=message) as refused:
        read_text(str(tmp_path / "book.txt"))
    assert len(refused.value.lines) == 1
