"""`lab.run`: train, track and test an experiment."""

from functools import cached_property

from rich.console import RenderableType

from lab.api import calls, experiments
from lab.api.experiments import Overrides, Source
from lab.display.output import Shown
from lab.errors import LabError
from lab.inference import model
from lab.inference.model import Model
from lab.training import run as training
from lab.training.results import report
from lab.training.results.progress import ProgressBar


class RunResult(Shown, training.Result):
    """The outcome of a run: metrics, intervals, baseline and facts; printed as the command prints it."""

    @cached_property
    def model(self) -> Model:
        """The trained model, to `predict` with; raises LabError where the run stored none."""
        if self.run_id is None:
            raise LabError(f"the model is not stored yet: {self.delivery.message}")
        return model.load(self.run_id)

    def report(self) -> RenderableType:
        """What is shown of the result."""
        return report.outcome(self)


def run(
    experiment: Source,
    overrides: Overrides | None = None,
    *,
    seed: int | None = None,
    name: str | None = None,
    progress: bool = True,
) -> RunResult:
    """Train, track and test an experiment, as `lab run` does.

    `experiment` is a name in experiments/, the path of a YAML file, or a mapping with the sections of one; overrides
    are {"optimizer.lr": 0.01} or {"optimizer": {"lr": 0.01}}. `name` is that of the experiment in the store. Raises
    LabError before anything is recorded; TrainingFailed or KeyboardInterrupt after the run is recorded as failed or
    stopped.
    """
    with calls.training("the run is recorded as KILLED, with its checkpoints"):
        chosen = experiments.chosen(experiment, overrides, seed, name)
        result = training.run(chosen, [ProgressBar(calls.console(progress))])
    return RunResult(**vars(result))
