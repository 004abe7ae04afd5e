"""The process of another device: trains along, records and tests nothing, and ends with the process of the run."""

import contextlib
import json
import os
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

import torch.distributed as dist

from lab.config.experiment import parse
from lab.errors import described, place_of
from lab.training.building import Built
from lab.training.checkpoints.best_epoch import best_by
from lab.training.checkpoints.callback import BestAndLast
from lab.training.devices.processes import SECONDS_OF_A_SIGN, fingerprints, joined
from lab.training.records import Records
from lab.training.starting_point import StartingPoint, built_from
from lab.training.trainer import early_stopping_of, fit, make_trainer, silence_libraries

_writing = threading.Lock()  # a line to the run, of one thread at a time


def main() -> None:
    """Train along with the run that has started this process; what its code prints, the run's own process prints."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "w") as channel:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        task = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_the_run, args=(os.getppid(), channel), daemon=True).start()
        try:
            _train_along(task, channel)
        except BaseException as error:  # the run says it
            with contextlib.suppress(BrokenPipeError):
                why = f"failed: {described(error)}{place_of(error)}"
                _say(channel, json.dumps({"failed": why, "follows": _follows(error)}))
            os._exit(1)


def _follows(error: BaseException) -> bool:
    """Whether another process has ended: torch says it as gloo and nccl do."""
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error).lower())


def _say(channel: TextIO, line: str = "") -> None:
    """Write a line to the run; an empty one is a sign of life."""
    with _writing:
        print(line, file=channel, flush=True)


def _end_with_the_run(parent: int, channel: TextIO) -> None:
    """Give the run signs of life, and end at once when it closes the pipe, or dies.

    In a thread, since a training that waits for other devices listens to nothing, and a long batch is no silence.
    Looks at the descriptor: sys.stdin would be locked in the worker processes of a loader, which close it. Those of
    the run hold the pipe open, too, so that its death is looked for.
    """
    descriptor = sys.stdin.fileno()
    while os.getppid() == parent:
        if select.select([descriptor], [], [], SECONDS_OF_A_SIGN)[0] and not os.read(descriptor, 1):
            break
        with contextlib.suppress(OSError):  # a run that has died is found above
            _say(channel)
    os._exit(1)


def _train_along(task: dict[str, Any], channel: TextIO) -> None:
    silence_libraries()
    checkpoint = Path(task["checkpoint"]) if task["checkpoint"] else None
    built = built_from(parse(task["name"], task["config"]), StartingPoint(checkpoint=checkpoint))
    _say(channel, json.dumps({"data": fingerprints(built)}))
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
