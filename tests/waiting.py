"""Waiting for another process, and a network that waits for the test."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import warm

GATED = '''
import time
from pathlib import Path

from torch import nn


class Gated(nn.Module):
    """A linear network that waits in its third epoch for a file `pass-N`, which it removes, or `open`."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.net = nn.Linear(in_features, out_features)
        self.batches, self.waits = 0, True

    def forward(self, x):
        self.batches += self.training
        while self.waits and self.batches > 25:
            self.waits = not (Path("open").exists() or any(map(taken, Path().glob("pass-*"))))
            time.sleep(0.02)
        return self.net(x.flatten(1))


def taken(path):
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
'''


def wait_until(
    condition: Callable[[], object], seconds: float = 120, every: float = 0.05, process: "warm.Process | None" = None
) -> None:
    """Return as soon as the condition holds; fail where it does not in time, which is long for a busy machine.

    Where it is about a process that has ended, fail at once, with what that said.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(every)


def let_pass(count: int) -> None:
    """Let so many networks of kind `gated:Gated` go on; `open_gate` lets all."""
    for number in range(count):
        Path(f"pass-{number}").touch()


def open_gate() -> None:
    Path("open").touch()
