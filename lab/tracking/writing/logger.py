"""The Lightning logger of a tracked run: all that Lightning or a user's module logs goes to the journal."""

from argparse import Namespace
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from lab.tracking.writing.tracker import Tracker


class JournalLogger(Logger):
    """Appends metrics to the journal of a run, and never waits for the store; without a tracker, does nothing."""

    def __init__(self, tracker: Tracker | None):
        super().__init__()
        self._tracker = tracker

    @property
    def name(self) -> str:
        """The name of the logger, as Lightning asks for it."""
        return "journal"

    @property
    def version(self) -> str:
        """The id of the run's tracker."""
        return self._tracker.id if self._tracker else ""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record values at a step, without the epoch that Lightning adds."""
        values = {name: float(value) for name, value in metrics.items() if name != "epoch"}
        if values and self._tracker:
            self._tracker.metrics(values, step or 0)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run's settings are recorded when it starts."""


class DirectLogger(JournalLogger):
    """Records what a module writes to `self.logger` itself; what it logs by `self.log` is recorded elsewhere."""

    @property
    def experiment(self) -> Any:
        """Raise AttributeError: there is no client of a tracking server to write to."""
        raise AttributeError("the lab's logger has log_metrics(values, step), and no experiment")

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Record values at a step; Lightning adds an epoch to what it passes on from `self.log`."""
        if "epoch" not in metrics:
            super().log_metrics(metrics, step)
