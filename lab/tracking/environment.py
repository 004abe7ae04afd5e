"""Where a run is made: git commit, versions, machine, as tags."""

import os
import platform
import subprocess
from importlib.metadata import version

import lab

PACKAGES = ("torch", "lightning", "torchmetrics", "mlflow", "numpy")
COMMIT = "mlflow.source.git.commit"
DIRTY = "git.dirty"


def tags() -> dict[str, str]:
    """Git commit and whether it is modified, versions, processor, threads.

    Does not touch the GPU: processes that are forked later could not use it.
    """
    import torch

    found = {f"version.{package}": version(package) for package in PACKAGES}
    found |= {
        "version.lab": lab.__version__,  # the installed one may be that of an earlier checkout
        "version.python": platform.python_version(),
        "machine.host": platform.node(),
        "machine.system": platform.platform(),
        "machine.cpu": _cpu(),
        "machine.cores": str(os.cpu_count()),
        "machine.threads": str(torch.get_num_threads()),
    }
    commit = git("rev-parse", "HEAD")
    if commit:
        found |= {COMMIT: commit.strip(), DIRTY: str(bool(git("status", "--porcelain")))}
    return found


def gpu() -> str:
    """The name of the GPU, or `none`."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"


def git(*arguments: str) -> str:
    """The output of a git command; "" outside a repository or without git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", errors="replace")


def _cpu() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as lines:  # noqa: PTH123 (no file of ours)
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
