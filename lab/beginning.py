"""How a run begins: from nothing, or from the record of an earlier one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.building import Built
from lab.tracking.tracker import Recorded, Tracker


@dataclass(frozen=True)
class Beginning:
    """What a run takes over; by default nothing.

    `check` raises LabError where what was built is not what the earlier run had. `carry` writes down what was
    before, once the run has started.
    """

    tracker_id: str | None = None  # of the run that goes on
    recorded: Recorded | None = None
    checkpoint: Path | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Built], None] = lambda built: None
    carry: Callable[[Tracker], None] = lambda tracker: None

    @property
    def goes_on(self) -> bool:
        """Whether the run has a record, and goes on with it."""
        return self.tracker_id is not None


FROM_NOTHING = Beginning()
