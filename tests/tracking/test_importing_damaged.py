"""`lab import` of what other tools or their programs left otherwise than the lab knows it."""

import lzma
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.tracking.transfer.formats import programs, wandb_records
from lab.tracking.transfer.formats.finding import find

RECORDED = Path(__file__).parent / "recorded"


def program(folder: Path, command: str) -> Path:
    """A program that does that."""
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("printed", ['{"type": "run"', '{"kind": "run"}', '{"type": "history", "history": 1}'])
def test_what_a_program_prints_otherwise_is_one_line(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, printed: str
) -> None:
    (workplace / "printed").write_text(printed)
    monkeypatch.setattr(programs, "find", lambda _: program(workplace, "cat printed"))
    with pytest.raises(LabError, match=r"run-1\.wandb: is damaged, or of a version of W&B that the lab does not know"):
        wandb_records.read_all([workplace / "run-1.wandb"])


def test_what_a_program_tells_a_person_and_line_ends_of_unicode_are_no_records(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = b"A newer version is there.\n\n" + (RECORDED / "wandb-0.31.jsonl").read_bytes()
    said = said.replace(b'"display_name":"first"', '"display_name":"fir\u0085st"'.encode() + b',"notes":"\xff"')
    (workplace / "printed").write_bytes(said)
    monkeypatch.setattr(programs, "find", lambda _: program(workplace, "cat printed"))
    (run,) = wandb_records.read_all([workplace / "run-1.wandb"])
    assert run.name == "fir\u0085st"


def test_a_program_that_does_not_start_or_end_is_one_line(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = program(workplace, "exec sleep 60")
    monkeypatch.setattr(programs, "MOST_SECONDS", 0.2)
    with pytest.raises(LabError, match=r"run-1\.wandb: program has not read it after 0\.2 s"):
        programs.output([slow], Path("run-1.wandb"))
    slow.write_text("#!/is/gone\n")
    with pytest.raises(LabError, match=r"run-1\.wandb: .*program does not start: No such file"):
        programs.output([slow], Path("run-1.wandb"))


def test_aim_is_run_by_the_python_that_its_program_names(workplace: Path) -> None:
    aim = workplace / "aim"  # as pipx puts it into ~/.local/bin, where no Python is
    aim.write_text(f"#!{sys.executable}\nprint('aim')\n")
    assert programs.python_of(aim) == [sys.executable]
    aim.write_text("#!/usr/bin/env python3\n")
    assert programs.python_of(aim) == ["/usr/bin/env", "python3"]
    aim.write_text("#!/bin/sh\n'''exec' /a/long/path/python\n")
    assert programs.python_of(aim) == [str(workplace.resolve() / "python3")]


def test_a_damaged_database_beside_other_runs_is_not_left_out(workplace: Path) -> None:
    whole = lzma.decompress((RECORDED / "trackio-0.43.db.xz").read_bytes())
    (workplace / "runs").mkdir()
    (workplace / "runs" / "metrics.csv").write_text("epoch,loss\n0,1\n")
    for length in (40, 1000, len(whole) // 2):
        (workplace / "runs" / "digits.db").write_bytes(whole[:length])
        with pytest.raises(LabError, match=r"digits\.db: is damaged"):
            find(workplace / "runs")
    (workplace / "runs" / "digits.db").write_text("of another program")
    assert [run.tool for run in find(workplace / "runs")] == ["csv"]


def test_a_database_that_is_being_written_is_read_and_nothing_added_beside_it(workplace: Path) -> None:
    folder = workplace / "runs"
    folder.mkdir()
    (folder / "digits.db").write_bytes(lzma.decompress((RECORDED / "trackio-0.43.db.xz").read_bytes()))
    with closing(sqlite3.connect(folder / "digits.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("UPDATE metrics SET run_name = 'written'")
        connection.execute("UPDATE configs SET run_name = 'written'")
        connection.commit()
        (workplace / "copy").mkdir()
        for ending in ("", "-wal"):  # as a writer that was killed leaves it
            shutil.copy(folder / f"digits.db{ending}", workplace / "copy")
    before = {path.name: path.read_bytes() for path in (workplace / "copy").iterdir()}
    (run,) = find(workplace / "copy")
    assert run.name == "written"
    assert {path.name: path.read_bytes() for path in (workplace / "copy").iterdir()} == before
