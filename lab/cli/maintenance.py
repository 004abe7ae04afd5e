"""Keeping the store in order: what dead processes left is closed; what this machine and store offer."""

import os
import platform
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from importlib.metadata import version

from lab.errors import LabError
from lab.tracking import store
from lab.tracking.writing import leftovers

PACKAGES = ("torch", "lightning", "torchmetrics", "mlflow", "optuna", "streamlit")


def close_dead(host: str | None = None) -> tuple[list[str], bool]:
    """Send what waits, close dead runs and the trials of dead studies: lines about it, and whether all went well.

    `host` is another machine whose silent runs are closed too.
    """
    from lab.studies import storage

    lines, complete = leftovers.send_all()
    found = [line for line in lines if line != leftovers.NOTHING]
    if store.is_local() and not store.database().exists():
        return found, complete
    for close in (
        storage.fail_interrupted,
        leftovers.close_silent_runs,
        *([lambda: leftovers.close_silent_runs(host)] if host else []),
    ):
        try:
            found += close()
        except LabError as error:
            found += error.lines
            complete = False
    return found, complete


def start_in_background() -> None:
    """Close what dead processes of this machine left open, beside what is going on, where there is anything."""
    if leftovers.unsent_outboxes() or _cut_off_trials():
        subprocess.Popen(
            [sys.executable, "-m", "lab.cli.maintenance"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _cut_off_trials() -> bool:
    """Whether the local storage of studies holds a trial that claims to run."""
    database = store.root() / "optuna.db"
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)) as connection:
            return bool(connection.execute("SELECT 1 FROM trials WHERE state = 'RUNNING' LIMIT 1").fetchone())
    except sqlite3.Error:
        return False


def machine_facts() -> dict[str, str]:
    """Versions, device, precisions, threads, and whether the store answers."""
    import torch

    found = {"lab": version("lab"), "python": platform.python_version()}
    found |= {package: version(package) for package in PACKAGES}
    cuda = torch.cuda.is_available()
    found["device"] = f"cuda, {torch.cuda.get_device_name()}" if cuda else "cpu"
    found["precisions"] = ", ".join(["32-true", "64-true", "bf16-mixed", *(["16-mixed"] if cuda else [])])
    found["threads"] = f"1 of {os.cpu_count()} cores, unless an experiment says `threads: 2`"
    found["store"] = store.without_password(store.tracking_uri())
    found["store answers"] = _store_answer()
    waiting = sorted(store.journals().glob("*/*/records.jsonl"))
    if waiting:
        found["waiting"] = f"{len(waiting)} runs are being written or wait to be sent; `lab sync` sends them"
    return found


def _store_answer() -> str:
    """How the store answers, in words."""
    from lab.tracking.reading import stored_runs

    began = time.perf_counter()
    try:
        client = stored_runs.connect()
    except LabError as error:
        return f"no: {error}"
    experiments = len(client.search_experiments())
    return f"yes, {experiments} experiments, after {time.perf_counter() - began:.1f} s"


if __name__ == "__main__":
    os.nice(15)
    close_dead()
