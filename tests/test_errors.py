from pathlib import Path

import pytest

from lab.errors import LabError, redacted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://me:secret@host:1/x?y", "https://host:1/x?y"),
        ("origin git+ssh://token@host/x (push)", "origin git+ssh://host/x (push)"),
        ("postgresql+psycopg://a:b@h/d and http://c:d@e", "postgresql+psycopg://h/d and http://e"),
        ("mail me@host, http://host/a@b", "mail me@host, http://host/a@b"),
        ("nothing", "nothing"),
    ],
)
def test_addresses_lose_their_user_and_password(text: str, said: str) -> None:
    assert redacted(text) == said


def test_values_of_the_environment_that_are_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdefgh/ijkl")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_123456789")
    monkeypatch.setenv("API_TOKEN_FILE", str(tmp_path))
    monkeypatch.setenv("SHORT_TOKEN", "adam")
    monkeypatch.setenv("PLAIN", "something long")
    text = f"abcdefgh/ijkl ghp_123456789 {tmp_path} adam something long"
    assert redacted(text) == f"*** *** {tmp_path} adam something long"
    assert str(LabError("no access with ghp_123456789")) == "no access with ***"
