"""What this process may use of the machine: processors, GPUs and memory."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")  # of the containers of Linux, version 2


def processors() -> int:
    """The processors that are allotted to this process, by affinity or by its container."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _limit("cpu.max").split()
    shared = int(quota[0]) / int(quota[1]) if len(quota) == 2 and quota[0].isdigit() else there
    return max(1, min(there, int(shared)))


def free_memory() -> float:
    """The memory in bytes that this process may still take."""
    import psutil

    free = float(psutil.virtual_memory().available)
    most, used = _limit("memory.max"), _limit("memory.current")
    return min(free, int(most) - int(used)) if most.isdigit() and used.isdigit() else free


def gpus() -> int:
    """The number of GPUs that torch sees."""
    import torch

    return torch.cuda.device_count()


def as_mapping() -> dict[str, float]:
    """Processors and GPUs, by the names that Ray gives them."""
    return {"CPU": processors(), "GPU": gpus()}


def _limit(name: str) -> str:
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""
