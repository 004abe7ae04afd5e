"""What this machine and this store offer."""

import os
import platform
import time
from importlib.metadata import version

from lab.errors import LabError
from lab.tracking import store

PACKAGES = ("torch", "lightning", "torchmetrics", "mlflow", "optuna", "streamlit")


def findings() -> dict[str, str]:
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
    from lab.tracking import reader

    began = time.perf_counter()
    try:
        client = reader.connect()
    except LabError as error:
        return f"no: {error}"
    experiments = len(client.search_experiments())
    return f"yes, {experiments} experiments, after {time.perf_counter() - began:.1f} s"
