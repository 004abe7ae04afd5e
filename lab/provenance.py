"""Where a run came from: code, versions, machine."""

import os
import platform
import subprocess
from importlib.metadata import version

PACKAGES = ("lab", "torch", "lightning", "torchmetrics", "mlflow", "numpy")


def tags() -> dict[str, str]:
    """Tags for a run: git commit and state, versions, processor, threads."""
    import torch

    found = {f"version.{package}": version(package) for package in PACKAGES}
    found |= {
        "version.python": platform.python_version(),
        "machine.host": platform.node(),
        "machine.system": platform.platform(),
        "machine.cpu": _cpu(),
        "machine.cores": str(os.cpu_count()),
        "machine.threads": str(torch.get_num_threads()),
        "machine.gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        found |= {
            "mlflow.source.git.commit": commit.strip(),
            "git.dirty": str(bool(_git("status", "--porcelain"))),
        }
    return found


def uncommitted_changes() -> str:
    """The difference between the working tree and the last commit, as git prints it; "" where there is none."""
    return _git("diff", "HEAD")


def _git(*arguments: str) -> str:
    """What a git command prints; "" outside a repository or without git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _cpu() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123 (no file of ours)
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
