from pathlib import Path

from lab.tracking.writing import journal
from lab.tracking.writing.journal import Journal


def test_records_are_read_back_in_order_with_their_time(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    for step in range(3):
        written.append("metrics", step=step, values={"loss": step / 2})
    found, _ = journal.read(tmp_path, 0)
    assert [record["step"] for record, _ in found] == [0, 1, 2]
    assert all(record["time"] > 1_600_000_000_000 for record, _ in found)


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    written.append("metrics", step=1, values={})
    _, offset = journal.read(tmp_path, 0)
    assert journal.read(tmp_path, offset) == ([], offset)
    written.append("metrics", step=2, values={})
    found, _ = journal.read(tmp_path, offset)
    assert [record["step"] for record, _ in found] == [2]


def test_a_record_cut_off_by_a_crash_does_not_count_and_keeps_nothing_back(tmp_path: Path) -> None:
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


def test_nan_and_infinity_survive(tmp_path: Path) -> None:
    Journal(tmp_path).append("metrics", step=1, values={"a": float("nan"), "b": float("-inf")})
    values = journal.read(tmp_path, 0)[0][0][0]["values"]
    assert values["a"] != values["a"]
    assert values["b"] == float("-inf")


def test_a_journal_that_was_sent_and_removed_meanwhile_has_no_beginning(tmp_path: Path) -> None:
    assert journal.origin(tmp_path / "gone") == (False, 0)
