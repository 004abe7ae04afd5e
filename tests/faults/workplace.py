"""A folder with a tiny experiment and a run of it, in which files are damaged, and put back."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from damage import TINY, lab

DATABASE = "mlflow.db*"  # stays: this process has it open


def make() -> None:
    """Fill the folder in which this process works."""
    Path("experiments").mkdir()
    Path("experiments/tiny.yaml").write_text(TINY)
    code, said = lab("run", "tiny")
    assert code == 0, said


@contextmanager
def kept() -> Iterator[None]:
    """Put everything but the database back as it was."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        shutil.copytree(here, before, ignore=shutil.ignore_patterns(DATABASE))
        try:
            yield
        finally:
            for path in [*here.iterdir(), *(here / "mlruns").iterdir()]:
                if path.name != "mlruns" and not path.match(DATABASE):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.copytree(before, here, dirs_exist_ok=True)
