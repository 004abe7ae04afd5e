"""Files: atomic writes, locks between processes, and names that stay in their folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab import files
from lab.errors import LabError


class TestAtomicWrite:
    def test_a_file_is_created_with_its_folders_and_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "model.onnx"
        for text in ("first", "second"):
            with files.atomic_write(path) as temporary:
                assert temporary.name == path.name
                temporary.write_text(text)
            assert path.read_text() == text
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_a_block_that_fails_keeps_the_older_file_and_leaves_nothing(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
        path = tmp_path / "file"
        path.write_text("older")
        with pytest.raises(error), files.atomic_write(path) as temporary:  # noqa: PT012
            temporary.write_text("hal")
            raise error
        assert path.read_text() == "older"
        assert list(tmp_path.iterdir()) == [path]

    def test_writers_at_the_same_time_do_not_collide(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        with files.atomic_write(path) as first, files.atomic_write(path) as second:
            first.write_text("first")
            second.write_text("second")
        assert path.read_text() == "first"
        assert list(tmp_path.iterdir()) == [path]

    def test_permissions_are_those_of_any_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "plain").touch()
        with files.atomic_write(tmp_path / "file") as temporary:
            temporary.touch()
        assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode

    @pytest.mark.parametrize("durable", [False, True])
    def test_the_content_is_on_the_disk_before_the_name_and_the_name_at_the_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
    ) -> None:
        path = tmp_path / "file"
        events: list[object] = []
        fsync, replace = os.fsync, Path.replace

        def noted_fsync(descriptor: int) -> None:
            events.append(os.fstat(descriptor).st_ino)
            fsync(descriptor)

        def noted_replace(source: Path, target: Path) -> Path:
            events.append("rename")
            return replace(source, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(Path, "replace", noted_replace)
        with files.atomic_write(path, durable) as temporary:
            temporary.write_text("content")
        expected: list[object] = [path.stat().st_ino, "rename", tmp_path.stat().st_ino]
        assert events == (expected if durable else ["rename"])

    def test_it_is_not_durable_unless_asked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "fsync", lambda descriptor: pytest.fail("synced"))
        with files.atomic_write(tmp_path / "file") as temporary:
            temporary.touch()

    def test_syncing_leaks_no_descriptor(self, tmp_path: Path) -> None:
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        files.sync(tmp_path)
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

    def test_what_a_killed_process_leaves_is_recognized(self, tmp_path: Path) -> None:
        code = (
            "import os, sys, pathlib\n"
            "from lab import files\n"
            "with files.atomic_write(pathlib.Path(sys.argv[1])) as temporary:\n"
            "    temporary.write_text('hal')\n"
            "    os.kill(os.getpid(), 9)\n"
        )
        assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "file")]).returncode == -signal.SIGKILL
        (left,) = (path for path in tmp_path.rglob("*") if path.is_file())
        assert files.is_temporary(left.relative_to(tmp_path))
        assert files.is_temporary(left.parent.relative_to(tmp_path))
        assert files.is_temporary(Path("last.new"))  # of an earlier version
        assert not files.is_temporary(Path("newer/file.new.txt"))


class TestAtomicOutput:
    def test_is_written_like_any_file(self, tmp_path: Path) -> None:
        with files.atomic_output(tmp_path / "a" / "file") as temporary:
            temporary.write_text("content")
        assert (tmp_path / "a" / "file").read_text() == "content"

    def test_a_path_that_cannot_be_written_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("older")
        with pytest.raises(LabError) as raised, files.atomic_output(tmp_path / "file" / "below"):
            pytest.fail("entered")
        assert raised.value.lines == (f"{tmp_path}/file/below: cannot be written: File exists",)

    def test_an_error_of_the_system_without_a_text_is_shown_itself(self, tmp_path: Path) -> None:
        with pytest.raises(LabError, match=r"file: cannot be written: odd"), files.atomic_output(tmp_path / "file"):
            raise OSError("odd")

    def test_other_errors_pass(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError), files.atomic_output(tmp_path / "file"):
            raise ValueError


class TestMayReplace:
    @pytest.mark.parametrize(
        ("exists", "yes", "terminal", "answer", "expected"),
        [
            (False, False, False, "", True),
            (True, True, False, "", True),
            (True, False, False, "y", False),
            (True, False, True, " Y ", True),
            (True, False, True, "yes", True),
            (True, False, True, "", False),
            (True, False, True, "no", False),
        ],
    )
    def test_only_a_missing_file_or_consent(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        exists: bool,
        yes: bool,
        terminal: bool,
        answer: str,
        expected: bool,
    ) -> None:
        path = tmp_path / "file"
        if exists:
            path.touch()
        asked = []
        monkeypatch.setattr("sys.stdin.isatty", lambda: terminal, raising=False)
        monkeypatch.setattr("builtins.input", lambda prompt: asked.append(prompt) or answer)
        assert files.may_replace(path, yes) is expected
        assert asked == ([f"replace {path}? [y/N] "] if terminal else [])


class TestNames:
    @pytest.mark.parametrize(
        ("name", "folder"),
        [
            ("lstm lr=0.1 (a), b@c+d", "lstm lr=0.1 (a), b@c+d"),
            ("a/b", "a%2Fb"),
            ("..", "%2E."),
            (".hidden.", "%2Ehidden."),
            ("a.b", "a.b"),
            ("", "%20"),
            ("ü", "%C3%BC"),
            ("x" * 300, "x" * 200),
        ],
    )
    def test_a_name_is_that_of_a_single_folder(self, name: str, folder: str) -> None:
        assert files.as_folder_name(name) == folder

    @pytest.mark.parametrize(
        ("name", "inside"),
        [
            ("a", True),
            ("a/b:c", True),
            ("a..b/..c", True),
            ("", True),
            ("../a", False),
            ("a/../../b", False),
            ("a\\..\\b", False),
            ("/a", False),
            ("\\a", False),
            ("c:/a", False),
            ("a\0b", False),
        ],
    )
    def test_a_path_stays_in_its_folder_or_is_refused(self, tmp_path: Path, name: str, inside: bool) -> None:
        assert files.is_inside(name) is inside
        if inside:
            assert files.path_inside(tmp_path, name) == tmp_path / name
        else:
            with pytest.raises(LabError, match="leads out of"):
                files.path_inside(tmp_path, name)

    def test_a_link_that_leads_out_is_refused(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "out").symlink_to(tmp_path)
        (folder / "in").symlink_to(folder)
        assert files.path_inside(folder, "in/file") == folder / "in" / "file"
        with pytest.raises(LabError, match="'out/file' leads out of"):
            files.path_inside(folder, "out/file")
