"""Types for constructor signatures that bound the values of settings."""

from typing import Annotated

from annotated_types import Ge, Gt, Interval, Lt

PositiveInt = Annotated[int, Ge(1)]
Count = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Probability = Annotated[float, Ge(0), Lt(1)]
Fraction = Annotated[float, Interval(gt=0, lt=1)]
Share = Annotated[float, Interval(gt=0, le=1)]
