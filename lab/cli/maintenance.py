"""Maintenance of the store: close what dead processes left open, and report on this machine and its store."""

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version

from lab.errors import LabError, without_password
from lab.tracking import store
from lab.tracking.writing import leftovers

PACKAGES = ("torch", "lightning", "torchmetrics", "mlflow", "optuna", "streamlit")
NICENESS = 15  # of the background process: training goes first


def close_dead_runs(host: str | None = None) -> tuple[list[str], bool]:
    """Send pending records, close dead runs and the trials of dead studies: lines about it, and whether all succeeded.

    `host` is another machine whose silent runs are closed too.
    """
    from lab.parallel import child_runs
    from lab.studies import interrupted_trials

    lines, complete = leftovers.send_all()
    found = [line for line in lines if line != leftovers.NOTHING]
    if store.is_local() and not store.database().exists():
        return found, complete
    for close in (
        interrupted_trials.retry_abandoned_trials,
        leftovers.close_silent_runs,
        *([lambda: leftovers.close_silent_runs(host)] if host else []),
    ):
        try:
            found += close()
        except LabError as error:
            found += error.lines
            complete = False
    if complete:
        child_runs.clear_failed_drivers()
    return found, complete


def start_in_background() -> None:
    """Close what dead processes of this machine left open, in a process of its own, if there is anything."""
    from lab.parallel import child_runs

    if leftovers.unsent_outboxes() or child_runs.failed_drivers():
        subprocess.Popen(
            [sys.executable, "-P", "-m", "lab.cli.maintenance"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def machine_facts() -> dict[str, str]:
    """Versions, device, precisions, threads, and whether the store answers."""
    import torch

    found = {"lab": version("lab"), "python": platform.python_version()}
    found |= {package: version(package) for package in PACKAGES}
    cuda = torch.cuda.is_available()
    found["device"] = f"cuda, {torch.cuda.get_device_name()}" if cuda else "cpu"
    found["precisions"] = ", ".join(["32-true", "64-true", "bf16-mixed", *(["16-mixed"] if cuda else [])])
    found["threads"] = f"1 of {os.cpu_count()} cores, unless an experiment sets `threads: 2`"
    found["store"] = without_password(store.tracking_uri())
    found["store answers"] = _store_answer()
    pending = sorted(store.journals().glob("*/*/records.jsonl"))
    if pending:
        found["pending"] = f"{len(pending)} runs are being written or have unsent records; `lab sync` sends them"
    return found


def _store_answer() -> str:
    """Whether the store answers, and how fast."""
    from lab.tracking.reading import stored_runs

    started = time.perf_counter()
    try:
        client = stored_runs.connect()
    except LabError as error:
        return f"no: {error}"
    experiments = len(client.search_experiments())
    return f"yes, {experiments} experiments, after {time.perf_counter() - started:.1f} s"


if __name__ == "__main__":
    os.nice(NICENESS)
    close_dead_runs()
