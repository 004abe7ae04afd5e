"""The process of another device: trains along, records and tests nothing, and ends with the process of the run."""

import contextlib
import json
import os
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import torch.distributed as dist

from lab.config.experiment import parse
from lab.errors import described, place_of
from lab.training.building import Built
from lab.training.checkpoints.best_epoch import best_by
from lab.training.checkpoints.callback import BestAndLast
from lab.training.devices.processes import fingerprints, joined
from lab.training.records import Records
from lab.training.starting_point import StartingPoint, built_from
from lab.training.trainer import early_stopping_of, fit, make_trainer, silence_libraries

SECONDS = 1.0  # between two looks at whether the run lives


def main() -> None:
    """Train along with the run that has started this process; what its code prints, the run's own process prints."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "w", buffering=1) as channel:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        task = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_the_run, args=(os.getppid(),), daemon=True).start()
        try:
            _train_along(task, channel)
        except BaseException as error:  # the run says it
            with contextlib.suppress(BrokenPipeError):
                failed = {"failed": f"failed: {described(error)}{place_of(error)}", "follows": _follows(error)}
                print(json.dumps(failed), file=channel, flush=True)
            os._exit(1)


def _follows(error: BaseException) -> bool:
    """Whether another process has ended: torch says it as gloo and nccl do."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


def _end_with_the_run(parent: int) -> None:
    """End at once when the run closes the pipe, or dies: a training that waits for other devices listens to nothing.

    Looks at the descriptor: sys.stdin would be locked in the worker processes of a loader, which close it. Those of
    the run hold the pipe open, too, so that its death is looked for.
    """
    descriptor = sys.stdin.fileno()
    while os.getppid() == parent:
        if select.select([descriptor], [], [], SECONDS)[0] and not os.read(descriptor, 1):
            break
    os._exit(1)


def _train_along(task: dict[str, Any], channel: Any) -> None:
    silence_libraries()
    checkpoint = Path(task["checkpoint"]) if task["checkpoint"] else None
    built = built_from(parse(task["name"], task["config"]), StartingPoint(checkpoint=checkpoint))
    print(json.dumps({"data": fingerprints(built)}), file=channel, flush=True)
    folder = Path(task["folder"])
    with joined(folder, task["rank"], task["devices"], task["backend"]):
        fit(_trainer(built, task["rank"], folder), built, checkpoint)


def _trainer(built: Built, rank: int, folder: Path) -> Any:
    """A trainer with the callbacks of the run that decide something: all devices have to decide alike."""
    records = Records(built.observer)
    best = best_by(built.experiment.checkpoints["monitor"], built.observer.directions())
    checkpoints = BestAndLast(folder, float("inf"), best, records)  # of which only the first device writes any
    return make_trainer(built, [*early_stopping_of(built), records, checkpoints], rank=rank)


if __name__ == "__main__":
    main()
