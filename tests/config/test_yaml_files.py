import pytest

from lab.config import yaml_files
from lab.errors import LabError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1E5", 1e5),
        ("-2.5e-3", -2.5e-3),
        ("0.1", 0.1),
        ("3", 3),
        ("adam", "adam"),
        ("e5", "e5"),
    ],
)
def test_scientific_notation_is_a_number_without_a_decimal_point_too(text: str, value: object) -> None:
    assert yaml_files.parse(text, "here") == value


def test_a_file_that_does_not_parse_is_reported_with_line_and_column() -> None:
    with pytest.raises(LabError, match=r"x.yaml: line 2, column \d+"):
        yaml_files.parse("data: {kind: digits\nmodel: 3", "x.yaml")


def test_a_duplicate_key_is_an_error() -> None:
    with pytest.raises(LabError, match=r"x.yaml: line 2, column 1: `seed` is given twice"):
        yaml_files.parse("seed: 1\nseed: 2", "x.yaml")


def test_no_object_is_constructed() -> None:
    with pytest.raises(LabError, match=r"x\.yaml: line 1"):
        yaml_files.parse("!!python/object/apply:os.system ['true']", "x.yaml")


def test_the_first_comment_is_the_question() -> None:
    assert yaml_files.first_comment("# Is it so,\n# or not?\n\n# (a note)\nseed: 0") == "Is it so, or not?"
    assert yaml_files.first_comment("seed: 0\n# late") == ""
