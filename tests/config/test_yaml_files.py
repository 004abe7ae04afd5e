import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.config import yaml_files
from lab.config.experiment import load
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


BOMB = "[&a [x, x, x, x, x, x, x, x, x]" + "".join(
    f", &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
# Values that PyYAML, or what reads its result, chokes on: the value, and what the one line says.
REFUSED = {
    "aliases of aliases": (f"{BOMB}]", "more than 5,000 values"),
    "many values": (f"[{'1, ' * 20_000}]", "more than 5,000 values"),
    "an alias of itself": ("&a [*a]", "`*a` contains itself"),
    "deep lists": ("[" * 2_000 + "]" * 2_000, "more than 50 levels"),
    "deep mappings": ("{a: " * 2_000 + "1" + "}" * 2_000, "more than 50 levels"),
    "never closed": ("[" * 100_000, "more than 50 levels"),
    "no hexadecimal digit": ("0x_", "`0x_` cannot be read as int; quote it if it is text"),
    "a date that does not exist": ("2026-02-30", "must be a whole number, not '2026-02-30'"),
    "a date": ("2026-02-03", "must be a whole number, not '2026-02-03'"),
    "base 60": ("1:30:00", "`1:30:00` cannot be read as int"),
    "base 60, endless": (f"1{':00' * 90_000}", "cannot be read as int"),
    "a declared int": ("!!int xyz", "`xyz` cannot be read as int"),
    "a declared float": ("!!float xyz", "`xyz` cannot be read as float"),
    "a declared bool": ("!!bool xyz", "`xyz` cannot be read as bool"),
    "a declared timestamp": ("!!timestamp xyz", "no such type: !!timestamp"),
    "a declared binary": ("!!binary aGk=", "no such type: !!binary"),
    "a declared set": ("!!set {a, b}", "no such type: !!set"),
    "an unknown type": ("!mine 3", "no such type: !mine"),
    "half a surrogate pair": (r'"\ud800"', "cannot be read as str"),
    "5,000 digits": ("9" * 5_000, "999 … 999"),
    "a long text": ("a" * 200_000, "aaa … aaa"),
    "an escape sequence": (r'"\e[31mred\a"', r"not '\x1b[31mred\x07'"),
    "an escape sequence as a name": (r'{"\e[31m": 3}', r"not {'\x1b[31m': 3}"),
    "a raw escape sequence": ("\x1b[31mred", "special characters are not allowed"),
    "a NUL": ("a\0b", "special characters are not allowed"),
    "a tab": ("\n\tkind: x", "cannot start any token"),
    "a merged scalar": ("{<<: 3}", "expected a mapping"),
    "an unknown alias": ("*a", "undefined alias 'a'"),
}


@pytest.fixture
def imported(empty_workplace: Path) -> None:
    """What a first experiment imports, which takes seconds, is imported."""
    load("mlp")


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("where", ["file", "override"])
def test_what_yaml_cannot_say_is_one_line_within_a_second(kind: str, where: str, imported: None) -> None:
    value, message = REFUSED[kind]
    if where == "file":
        refusal = refused("data: {kind: digits}\nmodel: {kind: mlp}\nseed: " + value)
    else:
        refusal = _refused(lambda: load("mlp", [f"seed={value}"]))
    assert message in refusal


def refused(text: str) -> str:
    """The one line that refuses an experiment file of this text."""
    Path("experiments/odd.yaml").write_text(text, encoding="utf-8")
    return _refused(lambda: load("odd"))


def _refused(read: Callable[[], object]) -> str:
    gc.disable()  # what earlier tests have left would be collected in the middle
    began = time.process_time()
    try:
        with pytest.raises(LabError) as refusal:
            read()
    finally:
        gc.enable()
    assert time.process_time() - began < 1
    (line,) = refusal.value.lines
    assert line.isprintable()
    assert len(line) <= 2_000
    return line


def test_a_name_with_control_characters_is_shown_escaped(imported: None) -> None:
    line = refused('data: {kind: digits}\nmodel: {kind: mlp}\n"\\e[31m\\nlab: fine": 3')
    assert r"\x1b[31m\nlab: fine: no such setting" in line
    assert r"mo\x1bdel.kind=x: write a setting" in _refused(lambda: load("mlp", ["mo\x1bdel.kind=x"]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: os.mkfifo(path), "it is not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a file"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
        (lambda path: path.write_bytes(b"# caf\xe9"), "not UTF-8 text (byte 5)"),
        (lambda path: path.write_bytes(b"\0" * 9), "special characters are not allowed"),
        (lambda path: path.write_bytes(b"# " + b"x" * 3_000_000), "more than 300,000 bytes"),
    ],
)
def test_what_is_no_experiment_file_is_one_line(make: Callable[[Path], object], message: str, imported: None) -> None:
    make(Path("experiments/odd.yaml"))
    assert message in _refused(lambda: load("odd"))


def test_a_byte_order_mark_is_no_part_of_the_text(imported: None) -> None:
    Path("experiments/odd.yaml").write_text("\ufeff# Why?\ndata: {kind: digits}\nmodel: {kind: mlp}", encoding="utf-8")
    assert load("odd").question == "Why?"


def test_a_mapping_is_merged_and_its_keys_can_be_replaced() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}"
    assert yaml_files.parse(text, "here") == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2, "z": 4},
    }


def test_as_many_values_as_are_allowed_are_read() -> None:
    assert yaml_files.parse(f"[{'1, ' * 4_999}]", "here") == [1] * 4_999
    with pytest.raises(LabError, match="more than 5,000 values"):
        yaml_files.parse(f"[{'1, ' * 5_000}]", "here")


def test_as_many_levels_as_are_allowed_are_read() -> None:
    assert yaml_files.parse("[" * 50 + "]" * 50, "here")
    with pytest.raises(LabError, match="more than 50 levels"):
        yaml_files.parse("[" * 51 + "]" * 51, "here")
