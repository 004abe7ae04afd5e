"""The live line of a study."""

import math
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lab.studies.search import Counts
from lab.studies.study import Options

SECONDS_BETWEEN = 0.2


class Line:
    """One line: what is going on, how far, the best so far, the time left. A study's Watch."""

    def __init__(self, console: Console, options: Options):
        self._options = options
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[said]}"),
            console=console,
            transient=True,
            auto_refresh=False,
        )
        self._task = self._progress.add_task("trials", total=options.trials, said="")
        self._due = 0.0
        self._began = time.monotonic()
        self._phase: tuple[str, float, float] | None = None  # its name, when it began, and what was done then

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *error: object) -> None:
        if self._phase is not None:
            self._progress.stop()

    def searching(self, done: Counts, going_on: int, best: tuple[int, float] | None) -> None:
        """Trials done, pruned, failed, the best so far, and the time left."""
        said = f"({done.pruned} pruned, {done.failed} failed, {going_on} going on)"
        if best:
            said += f"  best {best[1]:.4f} by trial {best[0]}"
        bound = self._began + 60 * self._options.minutes - time.monotonic()
        self._show("trials", done.done, self._options.trials, said, bound)

    def proving(self, done: int, total: int) -> None:
        """Trainings on fresh seeds."""
        self._show("fresh seeds", done, total, f"the best {self._options.top} trials, and the defaults")

    def testing(self) -> None:
        """The winner's own run."""
        self._show("test", 0, 1, "the winner is trained and tested")

    def _show(self, phase: str, done: float, total: float, said: str, bound: float = math.inf) -> None:
        now = time.monotonic()
        if self._phase is None or self._phase[0] != phase:
            self._progress.start()  # only now: a mistake in the settings is said without an empty line before it
            self._phase, self._due = (phase, now, done), 0.0
        if now < self._due:
            return
        self._due = now + SECONDS_BETWEEN
        _, began, before = self._phase
        if done > before:
            left = min((now - began) / (done - before) * (total - done), bound)
            said += f"  {_as_time(left)} left"
        self._progress.update(self._task, description=phase, completed=done, total=total, said=said)
        self._progress.refresh()


def _as_time(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
