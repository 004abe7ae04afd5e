"""What is compared with what, by which measure, and how it is decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.comparisons.verdicts import Rule


@dataclass(frozen=True)
class Design:
    """The arms of a comparison, the control first, and the rule that decides by `measure`.

    `changes` are the settings of each arm that differ from the others'.
    """

    name: str
    question: str
    arms: Sequence[str]
    changes: Mapping[str, Mapping[str, Any]]
    measure: str
    rule: Rule

    @property
    def control(self) -> str:
        """The arm that the others are compared with."""
        return self.arms[0]

    @property
    def challengers(self) -> Sequence[str]:
        """The other arms."""
        return self.arms[1:]
