"""Where a run begins: at nothing, or with what an earlier run has left."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.config.experiment import Experiment
from lab.tracking.writing.tracker import Recorded, Tracker
from lab.training.building import Built, build
from lab.training.fine_tuning.start import of_checkpoint


@dataclass(frozen=True)
class StartingPoint:
    """What a run takes over from an earlier one; by default nothing.

    `check` raises LabError where the data is not what the earlier run had. `carry_over` records what the earlier
    run had recorded, once the new one has started.
    """

    tracker_id: str | None = None  # of the run that is resumed
    recorded: Recorded | None = None
    checkpoint: Path | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Built], None] = lambda built: None
    carry_over: Callable[[Tracker], None] = lambda tracker: None

    @property
    def resumes(self) -> bool:
        """Whether the run continues in its own record."""
        return self.tracker_id is not None


FROM_SCRATCH = StartingPoint()


def built_from(experiment: Experiment, start: StartingPoint) -> Built:
    """The parts of a run; a checkpoint has its weights, so those that it started from may be gone by now."""
    if start.checkpoint is None:
        return build(experiment)
    built = build(of_checkpoint(experiment))
    recorded = dataclasses.replace(built.experiment, start_from=experiment.start_from)
    return dataclasses.replace(built, experiment=recorded)
