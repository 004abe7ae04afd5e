"""Locks between processes: seen by others, waited for, and released however a process ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from lab import files
from lab.errors import LabError


@contextmanager
def another_process(lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds a lock; killed at the end."""
    code = (
        "import pathlib, sys, time\n"
        "from lab import files\n"
        "with files.locked(pathlib.Path(sys.argv[1])):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class TestLocks:
    def test_a_lock_is_seen_by_others_until_its_process_dies(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with another_process(path):
            assert files.is_locked(path)
            with (
                pytest.raises(LabError, match=r"^tuning is being run by another process; wait for it, or stop it"),
                files.held(path, "tuning"),
            ):
                pytest.fail("entered")
        assert not files.is_locked(path)
        with files.held(path, "tuning"):
            assert files.is_locked(path)
        assert not files.is_locked(path)

    def test_a_lock_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with another_process(path) as process:
            threading.Timer(0.3, process.kill).start()
            since = time.monotonic()
            with files.locked(path):
                assert time.monotonic() - since > 0.2
                assert files.is_locked(path)
        assert not files.is_locked(path)

    def test_a_driver_is_waited_for_as_long_as_patience_lasts(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with another_process(path) as process:
            since = time.monotonic()
            with pytest.raises(LabError), files.held(path, "tuning", patience=0.2):
                pytest.fail("entered")
            assert 0.2 <= time.monotonic() - since < 2
            threading.Timer(0.2, process.kill).start()
            with files.held(path, "tuning", patience=30.0):
                assert time.monotonic() - since < 20

    def test_probing_creates_no_file(self, tmp_path: Path) -> None:
        assert not files.is_locked(tmp_path / "lock")
        assert not files.is_locked(tmp_path / "gone" / "lock")
        assert list(tmp_path.iterdir()) == []

    def test_locking_creates_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError), files.locked(tmp_path / "gone" / "lock"):
            pytest.fail("entered")
        with pytest.raises(FileNotFoundError), files.held(tmp_path / "gone" / "lock", "tuning"):
            pytest.fail("entered")
        assert list(tmp_path.iterdir()) == []

    def test_the_content_of_a_locked_file_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        path.write_text("content")
        with files.locked(path):
            pass
        with files.held(path, "tuning"):
            pass
        assert path.read_text() == "content"

    def test_probes_at_the_same_time_do_not_see_each_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "lock"
        other = FileLock(path)
        other.acquire()  # as another probe does, for a moment
        monkeypatch.setattr(time, "sleep", lambda seconds: other.release())
        assert not files.is_locked(path)

    @pytest.mark.parametrize("held", [False, True])
    def test_a_forked_process_does_not_keep_a_lock(self, tmp_path: Path, held: bool) -> None:
        path = tmp_path / "lock"
        with files.held(path, "tuning") if held else files.locked(path):
            child = os.fork()
            if not child:
                time.sleep(60)
                os._exit(0)
        try:
            assert not files.is_locked(path)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
