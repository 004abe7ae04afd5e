"""Where a run is made: user, command, git commit, versions, machine, as tags."""

import getpass
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from lab.tracking import server
from lab.version import __version__

PACKAGES = ("torch", "lightning", "torchmetrics", "mlflow", "numpy")
COMMIT = "mlflow.source.git.commit"
DIRTY = "git.dirty"
USER = "mlflow.user"  # these three are the columns Created by and Source of MLflow's pages
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
OWN_PROGRAMS = ("lab", "__main__.py", "default_worker.py")  # of the lab, and of Ray, whose workers run it


def tags() -> dict[str, str]:
    """User, command, git commit and whether it is modified, versions, processor, threads.

    Does not touch the GPU: processes that are forked later could not use it.
    """
    import torch

    found = {f"version.{package}": version(package) for package in PACKAGES}
    found |= {USER: user(), SOURCE_NAME: source(), SOURCE_TYPE: "LOCAL"}
    found |= {
        "version.lab": __version__,  # the installed one may be that of an earlier checkout
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


def user() -> str:
    """Who runs this process: the name on the team's server, where one is set, or that on this machine."""
    try:
        return server.user_at(os.environ.get("MLFLOW_TRACKING_URI", "")) or getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return str(os.getuid())


def source() -> str:
    """What was started: `lab run lstm` with its settings, or the name of the script."""
    program = Path(sys.argv[0]).name
    if program not in OWN_PROGRAMS:
        return program or "python"
    return " ".join(["lab", *(sys.argv[1:] if program != OWN_PROGRAMS[-1] else ())])


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
