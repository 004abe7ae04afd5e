"""Types for constructor signatures that bound the values of settings."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, Lt
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

PositiveInt = Annotated[int, Ge(1)]
Count = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Probability = Annotated[float, Ge(0), Lt(1)]
Fraction = Annotated[float, Interval(gt=0, lt=1)]
Share = Annotated[float, Interval(gt=0, le=1)]
# Above which probability a yes is said; or the metric for which the validation split chooses that.
ThresholdMetric = Literal["f1", "balanced_accuracy", "accuracy"]
Threshold = Fraction | ThresholdMetric


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation: `number` from 1 to `count`, written 2/5."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Fold":
        """The fold that a text such as 2/5 means; raises ValueError."""
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]) or int(found[2]) < 2:
            raise ValueError(f"no fold: {text!r}")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def _as_fold(value: Any) -> Any:
    try:
        return str(Fold.parse(value))
    except (TypeError, ValueError):
        raise PydanticCustomError("fold", "must be a fold and the number of folds, such as 2/5") from None


FoldText = Annotated[str, BeforeValidator(_as_fold)]
