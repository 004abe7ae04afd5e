"""Lightning's logger for a tracked run: whatever Lightning or a user's module logs goes to the journal."""

from argparse import Namespace
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lab.tracking.writing.tracker import Tracker


class JournalLogger(Logger):
    """Writes metrics to the journal of a run and returns at once."""

    def __init__(self, tracker: Tracker):
        super().__init__()
        self._tracker = tracker

    @property
    def name(self) -> str:
        """Lightning's name for the kind of logger."""
        return "journal"

    @property
    def version(self) -> str:
        """The run."""
        return self._tracker.id

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record values at a step; Lightning adds the epoch, which stands in no record of its own."""
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        if values:
            self._tracker.metrics(values, step or 0)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run's settings are recorded when it starts."""
