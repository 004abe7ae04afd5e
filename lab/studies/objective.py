"""What a study optimizes: a validation metric of the experiment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.config.experiment import Experiment
from lab.errors import LabError, did_you_mean
from lab.parallel.jobs import prepared_data
from lab.tracking.reading import definitions
from lab.training.building import Built, build
from lab.training.rehearsal import whole_batch

ERRORS = ("val/rmse", "val/rmse_scaled")  # of one target, of several
DEFAULT_METRICS = {
    "classification": ("val/accuracy",),
    "ordinal": ("val/kappa",),
    "multilabel": ("val/f1_macro",),
    "regression": ERRORS,
    "forecasting": ERRORS,
    "language": ("val/loss",),
}


@dataclass(frozen=True)
class Objective:
    """The validation metric that a study optimizes."""

    metric: str
    higher_is_better: bool
    directions: Mapping[str, bool] = field(default_factory=dict)  # of all metrics of the runs, without their split

    @property
    def sign(self) -> int:
        """1 where lower is better, so that sorting by sign times score puts the best first."""
        return -1 if self.higher_is_better else 1


def choose_objective(experiment: Experiment, metric: str | None) -> Objective:
    """The metric to optimize; raises LabError if it is not a validation metric of the experiment."""
    built = build(experiment, prepared_data(experiment))
    whole_batch.rehearse(built)
    known = {f"val/{name}": up for name, up in built.observer.directions().items()}
    metric = metric or _default_metric(built, known)
    if metric not in known:
        why = "test data is for the winner alone" if metric.startswith("test/") else f"no such metric '{metric}'"
        raise LabError(f"--metric: {why}; {did_you_mean(metric, known)}")
    if searched := definitions.defining(metric, experiment.search):
        raise LabError(
            f"--metric: the search changes {searched[0]}: {metric} is not the same in each trial; choose another"
        )
    return Objective(metric, known[metric], built.observer.directions())


def _default_metric(built: Built, known: Mapping[str, bool]) -> str:
    """The metric that a study optimizes by default: the task's, or what a module of one's own is monitored by."""
    if built.experiment.module is not None:
        monitor: str | None = built.experiment.checkpoints["monitor"]
        if monitor is None:
            raise LabError(f"--metric: is required where checkpoints.monitor is null; one of {', '.join(known)}")
        return monitor
    return next(name for name in DEFAULT_METRICS[built.data.task] if name in known)
