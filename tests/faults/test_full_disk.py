"""A disk that is full: the run stops cleanly, says what is safe and how to go on, and loses nothing it recorded."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from damage import unattended

from lab.cli import main
from lab.tracking import store
from lab.tracking.writing import journal, leftovers, outbox


@pytest.fixture
def small_disk(empty_workplace: Path, prepared_store: Path) -> Iterator[Path]:
    """A store on a disk of its own, of 8 MB."""
    store.root().mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(store.root())]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        shutil.copy(prepared_store, store.database())
        yield store.root()
    finally:
        subprocess.run(["umount", "--lazy", str(store.root())], check=True)


def test_a_run_stops_and_its_records_are_sent_when_there_is_space_again(
    small_disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 1.0)
    free = shutil.disk_usage(small_disk).free
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * (free - 2_500_000))  # enough for the first checkpoint, without an optimizer state
    with pytest.raises(SystemExit) as ended:
        main.main(["run", "digits", "model={kind: mlp, hidden: 512}", "trainer.max_epochs=2"])
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "No space left on device" in said
    assert "what it recorded until then is kept" in said
    assert "Traceback" not in said
    filler.unlink()
    while leftovers.unsent_outboxes():
        assert leftovers.send_all()[1]
    (run,) = store.client().search_runs(["1"])
    assert run.info.status == "FAILED"
    assert "No space left" in run.data.tags["lab.failure"]
    assert run.data.metrics["val/loss"] > 0


def test_a_record_that_does_not_fit_is_taken_back_whole_and_the_reserve_takes_the_next(small_disk: Path) -> None:
    with unattended() as outbox:
        tracker = outbox.tracker()
        tracker.start("digits", "one", {}, {})
        free = shutil.disk_usage(small_disk).free
        (small_disk / "filler").write_bytes(b"\0" * (free - 4096))
        reserve = tracker.folder / journal.RESERVE
        step = 0
        while reserve.exists():
            tracker.metrics({f"m{number}": 1.0 for number in range(50)}, step)
            step += 1
        with pytest.raises(OSError, match="No space left"):  # noqa: PT012 (which of them is the first, nobody knows)
            for step in range(step, step + 10_000):  # noqa: B020
                tracker.metrics({f"m{number}": 1.0 for number in range(50)}, step)
        found, behind = journal.read(tracker.folder, 0)
        assert [record["step"] for record, _ in found[1:]] == list(range(step))
        assert behind == (tracker.folder / journal.FILE).stat().st_size
