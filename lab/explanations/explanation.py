"""What is found when a run is explained, as it is kept with the run."""

from dataclasses import dataclass, field
from typing import Any

from lab.data.base import Split
from lab.explanations.importance import Importance
from lab.explanations.samples import Described

FOLDER = "explain"  # of the run's artifacts
FILE = "explanation.json"


@dataclass(frozen=True)
class Explanation:
    """What was found on a split of a run's data.

    `samples` are dictionaries of JSON types; `lists` has their positions by the name of the list. `errors` is the
    number of wrong classes among all `size` samples, None for values. `notes` is what a reader has to know.
    """

    run_id: str
    run_name: str
    experiment: str
    task: str
    split: Split
    seed: int
    metric: str
    score: float
    size: int
    errors: int | None
    importance: Importance | None
    lists: dict[str, list[int]]
    samples: list[Described]
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON types."""
        plain = {
            name: value for name, value in vars(self).items() if name not in ("importance", "lists", "samples", "notes")
        }
        of_parts = {"importance": self.importance and self.importance.as_json()}
        return {"version": 1} | plain | of_parts | {"lists": self.lists, "samples": self.samples, "notes": self.notes}
