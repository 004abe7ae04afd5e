"""`lab import` of W&B, Aim and trackio: what the tool itself wrote comes back equal.

W&B and Aim are installed on few machines; the stored files in recorded/ are of the versions that they name.
"""

import lzma
import math
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pytest
from mlflow.entities import Metric, Run

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.transfer.formats import programs
from lab.tracking.transfer.formats.finding import find
from lab.tracking.transfer.importing import import_runs

RECORDED = Path(__file__).parent / "recorded"
LOSSES = (0.5, 0.1 + 0.2, math.nan, math.inf)  # at the steps 0, 10, 20, 30
SETTINGS = {"lr": "0.1", "model.hidden": "16", "model.layers": "[1, 2]", "opt": "adam", "none": "null"}
WRITE = """
    LOSSES = (0.5, 0.1 + 0.2, float("nan"), float("inf"))
    SETTINGS = {"lr": 0.1, "model": {"hidden": 16, "layers": [1, 2]}, "opt": "adam", "none": None}
"""
WANDB = """
    import json, time, wandb
    run = wandb.init(project="digits", name="first", config=SETTINGS, notes="A first try.", tags=["a", "b"])
    before = time.time()
    for number, loss in enumerate(LOSSES):
        run.log({"train/loss": loss, "note": "text"}, step=10 * number)
    run.log({"val/f1": 0.75, "shape": wandb.Histogram([1, 2, 3])}, step=30)
    after = time.time()
    run.summary["best"] = 0.25
    run.finish()
    second = wandb.init(project="digits", name="second")
    second.log({"train/loss": 1.0})
    second.finish(exit_code=1)
    print(json.dumps([before, after]))
"""
AIM = """
    import json, time
    from aim import Run, Text
    run = Run(repo=".", system_tracking_interval=None, capture_terminal_logs=False)
    run.name, run.description = "first", "A first try."
    for name, value in SETTINGS.items():
        run[name] = value
    before = time.time()
    for number, loss in enumerate(LOSSES):
        run.track(loss, name="loss", step=10 * number, epoch=number, context={"subset": "train"})
    run.track(0.75, name="f1", step=30, context={"subset": "val"})
    run.track(0.5, name="__system__cpu")
    run.track(Text("text"), name="note", step=30)
    after = time.time()
    run.close()
    second = Run(repo=".", system_tracking_interval=None, capture_terminal_logs=False)
    second.name = "second"
    second.track(1.0, name="loss", step=0)
    second.close()
    print(json.dumps([before, after]))
"""
TRACKIO = """
    import json, time, trackio
    trackio.init(project="digits", name="first", config=SETTINGS)
    before = time.time()
    for number, loss in enumerate(LOSSES):
        trackio.log({"train/loss": loss, "note": "text"}, step=10 * number)
    trackio.log({"val/f1": 0.75}, step=30)
    trackio.finish()
    print(json.dumps([before, time.time()]))
"""


@dataclass
class Imported:
    """A run in the store, with the values of its metrics."""

    run: Run
    line: str

    def values(self, metric: str) -> list[tuple[int, str]]:
        """Its steps and values, as text, since NaN is not equal to itself; MLflow stores inf as the largest float."""
        infinite = {sys.float_info.max: math.inf}
        return [(each.step, repr(infinite.get(each.value, each.value))) for each in self.history(metric)]

    def history(self, metric: str) -> list[Metric]:
        """Its values with their times."""
        return list(store.client().get_metric_history(self.run.info.run_id, metric))


def written_by(tool: str, script: str, folder: Path, **environment: str) -> tuple[float, float]:
    """What the tool itself writes in a folder; returns between which times it did."""
    program = programs.find(tool)
    here = find_spec(tool) is not None
    if program is None and not here:
        pytest.skip(f"needs the package {tool}: pip install {tool}, in an environment whose bin is on the PATH")
    python = sys.executable if here or program is None else program.resolve().parent / "python3"
    folder.mkdir()
    text = dedent(WRITE) + dedent(script)
    # Without the lab's environment: another Python has other packages.
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment}
    done = subprocess.run([python, "-c", text], cwd=folder, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stderr
    before, after = done.stdout.strip().splitlines()[-1].strip("[]").split(",")
    return float(before), float(after)


def imported(folder: Path) -> dict[str, Imported]:
    """The runs of a folder by name, brought in twice: the second time adds nothing."""
    lines = import_runs(folder, "digits")
    assert all("is there already" in line for line in import_runs(folder, "digits"))
    found = store.client().get_experiment_by_name("digits")
    assert found is not None
    runs = {run.info.run_name or "": run for run in store.client().search_runs([found.experiment_id])}
    assert len(runs) == len(lines)
    return {line.partition(":")[0]: Imported(runs[line.partition(":")[0]], line) for line in lines}


def check(run: Imported, tool: str, settings: Mapping[str, str] = SETTINGS) -> None:
    """Steps, values, settings, name, tool and status are those that were written."""
    assert run.values("train/loss") == list(zip((0, 10, 20, 30), map(repr, LOSSES), strict=True))
    assert run.values("val/f1")[-1][1] == "0.75"
    assert run.run.data.params == settings
    assert run.run.data.tags["lab.import.tool"] == tool
    assert run.run.info.status == "FINISHED"


def check_times(run: Imported, between: tuple[float, float]) -> None:
    first, last = (round(time * 1000) for time in between)
    times = [each.timestamp for each in run.history("train/loss") + run.history("val/f1")]
    assert first - 1 <= min(times) <= max(times) <= last + 1
    assert run.run.info.start_time <= min(times)
    assert run.run.info.end_time >= max(times)


def test_wandbs_offline_folders_come_back_equal(workplace: Path) -> None:
    folder = workplace / "runs"
    between = written_by("wandb", WANDB, folder, WANDB_MODE="offline", WANDB_ERROR_REPORTING="false")
    runs = imported(folder)
    check(runs["first"], "wandb")
    check_times(runs["first"], between)
    assert runs["first"].values("best") == [(30, "0.25")]  # in the summary alone
    assert runs["first"].run.data.tags["mlflow.note.content"] == "A first try."
    assert runs["first"].run.data.tags["labels"] == "a, b"
    assert "without note, shape" in runs["first"].line
    assert runs["second"].run.info.status == "FAILED"
    log = max(folder.rglob("*.wandb"), key=lambda path: path.stat().st_size)
    log.write_bytes(log.read_bytes()[: 3 * log.stat().st_size // 4])  # as a run that was killed leaves it
    assert {run.name: run.status for run in find(folder)} == {"first": "KILLED", "second": "FAILED"}


def test_aims_repositories_come_back_equal_and_stay_as_they_are(workplace: Path) -> None:
    folder = workplace / "runs"
    between = written_by("aim", AIM, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    runs = imported(folder)
    check(runs["first"], "aim")
    check_times(runs["first"], between)
    assert runs["first"].run.data.tags["mlflow.note.content"] == "A first try."
    assert runs["first"].line.endswith(", without epochs, note, system metrics")
    assert "without" not in runs["second"].line
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_trackios_databases_come_back_equal(workplace: Path) -> None:
    folder = workplace / "runs"
    between = written_by("trackio", TRACKIO, folder, TRACKIO_DIR=str(folder))
    run = imported(folder)["first"]
    check(run, "trackio")
    check_times(run, between)


# What is stored of versions that may not be installed


def test_a_stored_database_of_trackio(workplace: Path) -> None:
    folder = workplace / "runs"
    folder.mkdir()
    (folder / "digits.db").write_bytes(lzma.decompress((RECORDED / "trackio-0.43.db.xz").read_bytes()))
    run = imported(folder)["first"]
    check(run, "trackio")
    assert "without text" in run.line
    assert (run.run.info.start_time, run.run.info.end_time) == (1795762302330, 1795762302363)
    assert {path.name for path in folder.iterdir()} == {"digits.db"}


def test_what_wandbs_program_printed_of_a_run(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: printing(workplace, RECORDED / "wandb-0.31.jsonl"))
    folder = workplace / "runs"
    folder.mkdir()
    (folder / "run-057nitq8.wandb").touch()
    run = imported(folder)["first"]
    check(run, "wandb", {**SETTINGS, "flag": "true"})
    assert run.values("nested.a") == [(0, "0.0"), (10, "1.0"), (20, "2.0"), (30, "3.0")]
    assert run.values("best") == [(30, "0.75")]
    assert "without hist, system metrics, text" in run.line


def printing(folder: Path, text: Path, ending: str = "") -> Path:
    """A program that prints a file."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ncat {text}\n{ending}\n")
    program.chmod(0o755)
    return program


# What is refused


def test_a_missing_or_old_program_is_named_with_what_to_install(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workplace / "runs"
    (folder / ".aim").mkdir(parents=True)
    monkeypatch.setattr(programs, "find", lambda _: None)
    with pytest.raises(LabError, match=r"runs/\.aim: Aim's repositories need its package.*aim/bin/pip install aim"):
        find(folder)
    (folder / "run-1.wandb").touch()
    with pytest.raises(LabError, match=r"run-1\.wandb: W&B's files need its program, 0\.31 or newer.*\[import\]"):
        find(folder)
    old = printing(workplace, Path("/dev/null"), "echo \"Error: No such command 'inspect'.\" >&2; exit 2")
    monkeypatch.setattr(programs, "find", lambda _: old)
    with pytest.raises(LabError, match=r"run-1\.wandb: W&B's files need its program, 0\.31 or newer"):
        find(folder)


def test_damaged_files_are_one_line_each(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workplace / "runs"
    folder.mkdir()
    (folder / "run-1.wandb").touch()
    monkeypatch.setattr(programs, "find", lambda _: printing(workplace, Path("/dev/null")))
    with pytest.raises(LabError, match=r"run-1\.wandb: holds no run"):
        find(folder)
    (folder / "run-1.wandb").unlink()
    with closing(sqlite3.connect(folder / "digits.db")) as connection:
        connection.execute("CREATE TABLE metrics (id, timestamp, run_name, step, metrics)")
        connection.execute("CREATE TABLE configs (id, run_name, config)")
        connection.execute("INSERT INTO metrics VALUES (1, 'yesterday', 'first', 0, '{\"loss\": 1}')")
        connection.commit()
    with pytest.raises(
        LabError, match=r"digits\.db: is damaged, or of a version of trackio that the lab does not know"
    ):
        find(folder)
    shutil.copy(store.database(), folder / "digits.db")  # a database, but not of trackio
    with pytest.raises(LabError, match="has no runs"):
        find(folder)
