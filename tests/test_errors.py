"""Error messages: hints for misspelt names, and no secrets."""

import logging
import os
from pathlib import Path

import pytest

from lab.errors import (
    LabError,
    RedactingFormatter,
    Stopped,
    abbreviated,
    described,
    did_you_mean,
    place_of,
    printable,
    redacted,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:secret@host:1/x?y", "https://host:1/x?y"),
        ("origin git+ssh://token@host/x (push)", "origin git+ssh://host/x (push)"),
        ("postgresql+psycopg://a:b@h/d and http://c:d@e", "postgresql+psycopg://h/d and http://e"),
        ("mail me@host, http://host/a@b", "mail me@host, http://host/a@b"),
        ("'http://a:b@h' \"http://c@i\"", "'http://h' \"http://i\""),
        ("nothing", "nothing"),
    ],
)
def test_addresses_lose_their_user_and_password(text: str, expected: str) -> None:
    assert redacted(text) == expected


def test_secrets_in_the_environment_are_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdefgh/ijkl")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_123456789")
    monkeypatch.setenv("API_TOKEN_FILE", str(tmp_path))
    monkeypatch.setenv("SHORT_TOKEN", "adam")
    monkeypatch.setenv("PLAIN", "something long")
    text = f"abcdefgh/ijkl ghp_123456789 {tmp_path} adam something long"
    assert redacted(text) == f"*** *** {tmp_path} adam something long"
    assert str(LabError("no access with ghp_123456789")) == "no access with ***"


@pytest.mark.parametrize(("length", "hidden"), [(7, False), (8, True), (9, True)])
def test_a_secret_has_eight_characters_or_more(monkeypatch: pytest.MonkeyPatch, length: int, hidden: bool) -> None:
    monkeypatch.setenv("MY_PASSWORD", "q" * length)
    assert redacted(f"<{'q' * length}>") == ("<***>" if hidden else f"<{'q' * length}>")


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("DB_PASSWORD", True),
        ("passwd", True),
        ("CLIENT_SECRET", True),
        ("HF_TOKEN", True),
        ("CREDENTIALS", True),
        ("APIKEY", True),
        ("OPENAI_API_KEY", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("PRIVATE_KEY_PEM", True),
        ("WANDB_KEY", True),
        ("PGPASS", True),
        ("WANDB_KEY_NAME", False),
        ("KEYBOARD", False),
        ("MY_PGPASS", False),
    ],
)
def test_the_name_of_a_variable_says_whether_it_is_a_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, hidden: bool
) -> None:
    monkeypatch.setenv(name, "zq-value-qz")
    assert redacted("zq-value-qz") == ("***" if hidden else "zq-value-qz")


def test_a_secret_that_contains_another_is_hidden_completely(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if "TOKEN" in name:
            monkeypatch.delenv(name)
    monkeypatch.setenv("A_TOKEN", "inner-secret")
    monkeypatch.setenv("B_TOKEN", "outer-inner-secret-outer")
    monkeypatch.setenv("C_TOKEN", "inner-secret-longer")
    assert redacted("outer-inner-secret-outer, inner-secret-longer, inner-secret") == "***, ***, ***"


def test_log_records_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_123456789")
    record = logging.LogRecord("lab", logging.WARNING, "", 0, "%s at http://me:pw@host", ("hf_123456789",), None)
    assert RedactingFormatter("%(levelname)s %(message)s").format(record) == "WARNING *** at http://host"


def test_the_lines_of_an_error_are_kept_apart() -> None:
    error = LabError("one http://a:b@h", "two")
    assert error.lines == ("one http://h", "two")
    assert str(error) == "one http://h\ntwo"


def test_being_stopped_is_not_caught_as_an_ordinary_error() -> None:
    stopped = Stopped(15)
    assert not isinstance(stopped, Exception)
    assert (stopped.signal_number, str(stopped)) == (15, "stopped by signal 15")


@pytest.mark.parametrize(
    ("name", "names", "path", "hint"),
    [
        ("lsmt", ["gru", "lstm"], "", "did you mean lstm?"),
        ("hiden", ["hidden", "layers"], "model.", "did you mean model.hidden?"),
        ("seed_2", ["seed_0", "seed_1", "other"], "", "did you mean seed_1 or seed_0?"),
        ("seed_2", ["seed_0", "seed_1", "seed_3"], "", "did you mean seed_3 or seed_1?"),  # two at most
        ("batchsize", ["batch_size", "batch_sizes_per_epoch"], "", "did you mean batch_size?"),  # the other is far off
        ("xyz", ["lstm", "gru"], "model.", "known: model.gru, model.lstm"),
        ("abcdefghij", ["abcdef"], "", "did you mean abcdef?"),  # ratio 0.75
        ("abcdefghij", ["abcdeXXXXX"], "", "known: abcdeXXXXX"),  # ratio 0.5
        ("anything", [], "", "there are none"),
    ],
)
def test_similar_names_are_suggested_else_all_are_listed(name: str, names: list[str], path: str, hint: str) -> None:
    assert did_you_mean(name, names, path) == hint


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – ü, 漢字 🙂", "plain – ü, 漢字 🙂"),
        ("no\u00a0break", "no\u00a0break"),
        ("\x1b[31m\a\x7f\x9b", r"\x1b[31m\x07\x7f\x9b"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\u202e\u2066\u2028\ud800", r"\u202e\u2066\u2028\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert LabError(text).lines == (shown,)


def test_line_ends_of_a_text_with_lines_stay() -> None:
    assert printable("a\nb\r\x1b", lines=True) == "a\nb\\r\\x1b"


def test_a_long_text_loses_its_middle() -> None:
    assert abbreviated("x" * 80) == "x" * 80
    assert abbreviated("a" * 50 + "b" * 50, 21) == "aaaaaaaaa … bbbbbbbbb"
    assert len(LabError("x" * 5_000).lines[0]) <= 2_000
    assert len(described(RuntimeError("x" * 100_000))) <= 2_100


def test_the_place_is_that_of_the_cause_where_the_error_itself_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "caused.py").write_text("def fail():\n    raise KeyError\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import caused  # type: ignore[import-not-found]

    def error(cause: bool) -> RuntimeError:
        try:
            try:
                caused.fail()
            except KeyError as key_error:
                raise RuntimeError from (key_error if cause else None)
        except RuntimeError as raised:
            return raised

    assert place_of(error(cause=True)) == place_of(error(cause=False)) == " (caused.py:2)"
    assert place_of(RuntimeError()) == ""
