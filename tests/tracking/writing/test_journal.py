"""The journal: records come back as they were written, whatever happens to the file or the disk."""

import errno
import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.tracking.writing import journal
from lab.tracking.writing.journal import Damaged, Journal


def size(folder: Path) -> int:
    return (folder / journal.FILE).stat().st_size


def steps(folder: Path, offset: int = 0) -> list[int]:
    return [record["step"] for record, _ in journal.read(folder, offset)[0]]


@contextmanager
def full_disk(used: int) -> Iterator[None]:
    """No file can grow beyond so many bytes: a longer write is cut off there, and the next one fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (used, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_records_are_read_back_in_order_with_time_and_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_123_999_999)
    written = Journal(tmp_path)
    ends = []
    for step in range(3):
        written.append("metrics", step=step, values={"loss": step / 2})
        ends.append(size(tmp_path))
    found, end = journal.read(tmp_path, 0)
    assert found == [
        ({"kind": "metrics", "time": 1_700_000_000_123, "step": step, "values": {"loss": step / 2}}, ends[step])
        for step in range(3)
    ]
    assert end == ends[-1]
    assert steps(tmp_path, ends[0]) == [1, 2]


def test_reading_continues_at_the_last_offset(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    written.append("metrics", step=1, values={})
    _, offset = journal.read(tmp_path, 0)
    assert journal.read(tmp_path, offset) == ([], offset)
    written.append("metrics", step=2, values={})
    assert steps(tmp_path, offset) == [2]


def test_a_record_cut_off_by_a_crash_is_ignored_and_blocks_nothing(tmp_path: Path) -> None:
    Journal(tmp_path).append("metrics", step=1, values={})
    with (tmp_path / journal.FILE).open("ab") as file:
        file.write(b'{"kind": "metr')
    found, offset = journal.read(tmp_path, 0)
    assert len(found) == 1
    assert journal.read(tmp_path, offset) == ([], offset)
    with (tmp_path / journal.FILE).open("ab") as file:
        file.write(b"\n")
    Journal(tmp_path).append("end", status="KILLED")
    assert [record["kind"] for record, _ in journal.read(tmp_path, 0)[0]] == ["metrics", "end"]


def test_a_damaged_record_is_skipped_and_reported_with_its_position(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written = Journal(tmp_path)
    ends = [0]
    for step in range(3):
        written.append("metrics", step=step, values={})
        ends.append(size(tmp_path))
    content = bytearray((tmp_path / journal.FILE).read_bytes())
    content[ends[1] + 30] ^= 1
    (tmp_path / journal.FILE).write_bytes(content)
    with caplog.at_level(logging.WARNING):
        found, end = journal.read(tmp_path, 0)
    assert [(record["step"], offset) for record, offset in found] == [(0, ends[1]), (2, ends[3])]
    assert end == ends[3]
    assert f"skipped a damaged record at byte {ends[1]}" in caplog.text


def test_nan_and_infinity_survive(tmp_path: Path) -> None:
    Journal(tmp_path).append("metrics", step=1, values={"a": float("nan"), "b": float("-inf")})
    values = journal.read(tmp_path, 0)[0][0][0]["values"]
    assert values["a"] != values["a"]
    assert values["b"] == float("-inf")


class TestFullDisk:
    def test_a_record_that_does_not_fit_leaves_no_part_behind(self, tmp_path: Path) -> None:
        written = Journal(tmp_path)
        written.append("metrics", step=1, values={})
        with full_disk(size(tmp_path) + 20):
            with pytest.raises(OSError, match=r"No space left on device \(20 of \d+ bytes of a record\)") as raised:
                written.append("metrics", step=2, values={})
            assert raised.value.errno == errno.ENOSPC
            with pytest.raises(OSError, match="No space left"):
                written.append("metrics", step=3, values={})
        written.append("metrics", step=4, values={})
        assert steps(tmp_path) == [1, 4]
        assert journal.read(tmp_path, 0)[1] == size(tmp_path)

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_the_reserve_is_given_up_for_the_next_record(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        written = Journal(tmp_path)
        reserve = tmp_path / journal.RESERVE
        assert reserve.read_bytes() == bytes(65_536)
        write = os.write

        def needs_reserve(file: int, line: bytes) -> int:
            if reserve.exists():
                raise OSError(number, os.strerror(number))
            return write(file, line)

        monkeypatch.setattr(os, "write", needs_reserve)
        written.append("end", status="FAILED")
        assert not reserve.exists()
        assert len(journal.read(tmp_path, 0)[0]) == 1

    def test_without_a_reserve_the_error_is_raised(self, tmp_path: Path) -> None:
        written = Journal(tmp_path)
        (tmp_path / journal.RESERVE).unlink()
        with full_disk(0), pytest.raises(OSError, match="File too large"):
            written.append("end", status="FAILED")

    def test_other_errors_do_not_cost_the_reserve(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fails(file: int, line: bytes) -> int:
            raise OSError(errno.EIO, "broken")

        written = Journal(tmp_path)
        monkeypatch.setattr(os, "write", fails)
        with pytest.raises(OSError, match="broken"):
            written.append("end", status="FAILED")
        assert (tmp_path / journal.RESERVE).exists()


def test_closing_flushes_to_the_disk_and_deletes_the_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    written = Journal(tmp_path)
    written.append("end", status="FINISHED")
    written.close()
    assert len(synced) == 1
    assert [path.name for path in tmp_path.iterdir()] == [journal.FILE]
    with pytest.raises(OSError, match="Bad file descriptor"):
        written.append("end", status="FINISHED")


def test_closing_without_a_reserve_is_no_error(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    (tmp_path / journal.RESERVE).unlink()
    written.close()


def test_others_may_read_a_journal(tmp_path: Path) -> None:
    Journal(tmp_path)
    assert (tmp_path / journal.FILE).stat().st_mode & 0o777 == 0o644 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class TestOrigin:
    @pytest.mark.parametrize("parent", [None, "abc"])
    def test_is_the_parent_and_the_start(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent: str) -> None:
        monkeypatch.setattr("time.time_ns", lambda: 5_000_000)
        Journal(tmp_path).append("start", parent=parent)
        assert journal.origin(tmp_path) == (parent is not None, 5)

    @pytest.mark.parametrize("text", ["", "{", journal.with_checksum({"kind": "end"}), '{"parent": "a", "time": 1}\n'])
    def test_is_unknown_without_a_complete_first_record(self, tmp_path: Path, text: str) -> None:
        (tmp_path / journal.FILE).write_text(text)
        assert journal.origin(tmp_path) == (False, 0)

    def test_is_unknown_for_a_journal_that_was_sent_and_deleted_meanwhile(self, tmp_path: Path) -> None:
        assert journal.origin(tmp_path / "gone") == (False, 0)


class TestChecksum:
    CONTENT = {"text": 'a "quoted" ü, "crc": 1}', "values": [1, 2.5, None]}  # noqa: RUF012

    def test_content_survives(self) -> None:
        line = journal.with_checksum(self.CONTENT)
        assert line.endswith("}\n")
        assert line.count("\n") == 1
        assert journal.parse(line) == self.CONTENT

    def test_the_format_stays_that_of_stored_journals(self) -> None:
        assert journal.with_checksum({"a": 1}) == '{"a": 1, "crc": 4221669015}\n'

    def test_every_changed_character_is_noticed(self) -> None:
        line = journal.with_checksum(self.CONTENT)
        for index in range(len(line) - 1):
            with pytest.raises(Damaged, match=r"the checksum of .* is wrong"):
                journal.parse(line[:index] + chr(ord(line[index]) ^ 1) + line[index + 1 :])

    def test_the_message_shows_the_start_of_the_line(self) -> None:
        with pytest.raises(Damaged) as raised:
            journal.parse("x" * 100)
        assert str(raised.value) == f"the checksum of '{'x' * 40}' is wrong"

    def test_a_file_is_replaced_atomically(self, tmp_path: Path) -> None:
        path = tmp_path / "state.json"
        journal.write_checked(path, {"offset": 1})
        journal.write_checked(path, self.CONTENT)
        assert journal.read_checked(path) == self.CONTENT
        with pytest.raises(TypeError):
            journal.write_checked(path, {"offset": object()})
        assert journal.read_checked(path) == self.CONTENT
        assert list(tmp_path.iterdir()) == [path]

    def test_a_file_that_is_not_text_or_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "state.json"
        with pytest.raises(FileNotFoundError):
            journal.read_checked(path)
        path.write_bytes(b"\xff\xfe")
        with pytest.raises(Damaged, match=r"state.json is not text"):
            journal.read_checked(path)
