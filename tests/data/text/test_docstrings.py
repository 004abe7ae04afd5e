"""Docstrings as texts: which paragraphs of a library are taken, on two small ones."""

from pathlib import Path

import numpy as np
import pytest

from lab.data.text import docstrings

FIRST = '''
class Curve:
    """Draw a curve with numpy through points of two arrays.

    A second paragraph that is not part of it at all.
    """

    def draw(self):
        """Too short to say."""

    def both(self):
        """A paragraph that both of the libraries have in them."""

    def long(self):
        """{long}"""

    def longest(self):
        """{longest}"""

    def undocumented(self): ...
'''
SECOND = '''
def both():
    """A paragraph that both of the libraries have in them."""

def again():
    """Said
    twice in one library, taken once."""

def twice():
    """Said twice in one library, taken once."""
'''


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "first_library/curves.py": FIRST.format(long=" ".join(["word"] * 60), longest=" ".join(["many"] * 61)),
        "first_library/tests/test_curves.py": 'def test():\n    """One test that is nobody\'s documentation at all."""',
        "first_library/template.py": "def {{name}}():\n    pass",
        "second_library/__init__.py": SECOND,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(docstrings, "LIBRARIES", {"numpy": "first_library", "pandas": "second_library"})
    return tmp_path


def read() -> dict[str, list[str]]:
    samples = docstrings.Docstrings()._read()
    texts = np.array(samples.x["text"].tolist(), dtype=object)
    return {name: texts[samples.y == number].tolist() for number, name in enumerate(samples.class_names)}


@pytest.mark.usefixtures("libraries")
def test_first_paragraphs_without_the_names_of_libraries_that_one_library_has() -> None:
    drawn = "Draw a curve with through points of two arrays."
    assert read() == {
        "numpy": [drawn, " ".join(["word"] * 60)],
        "pandas": ["Said twice in one library, taken once."],
    }


def test_they_are_collected_once_and_no_more_than_so_many(libraries: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read()
    monkeypatch.setattr(docstrings, "MOST", 1)
    assert read() == found  # from the cache
    monkeypatch.setenv("LAB_CACHE", str(libraries / "other"))
    assert [len(texts) for texts in read().values()] == [1, 1]
