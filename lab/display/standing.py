"""How a result stands against its baselines, in one sentence: what a person reads before any table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lab.display.numbers import number

State = Literal["no better", "not clearly better", "better"]
BEGINNINGS: dict[State, str] = {
    "no better": "No better than",
    "not clearly better": "Not clearly better than",
    "better": "Better than",
}
ROUNDING = 1e-6  # relative difference of two values that are the same, but for the order of sums
COLOURS: dict[State, str] = {"no better": "red", "not clearly better": "yellow", "better": "green"}


@dataclass(frozen=True)
class Baseline:
    """What a result is compared with: a name, such as `the majority class`, and its value of the metric."""

    name: str
    value: float


@dataclass(frozen=True)
class Standing:
    """The worst state against any of the baselines, and the sentence."""

    state: State
    sentence: str


def standing(
    metric: str,
    value: float,
    interval: tuple[float, float] | None,
    baselines: Sequence[Baseline],
    higher_is_better: bool = True,
) -> Standing | None:
    """How a value stands against baselines, the simplest first; None where no number says so.

    Not clearly better is a value that is better than a baseline which lies in the value's `interval`.
    """
    known = [baseline for baseline in baselines if math.isfinite(baseline.value)]
    if not known or not math.isfinite(value):
        return None
    states = [_state(value, interval, baseline.value, higher_is_better) for baseline in known]
    worst: State = next(state for state in BEGINNINGS if state in states)
    named = [each for each, state in zip(known, states, strict=True) if state == worst]
    others = [each for each in known if each not in named]
    shown = f"{number(value)} [{number(interval[0])}, {number(interval[1])}]" if interval else number(value)
    sentence = (
        f"{BEGINNINGS[worst]} {_joined([each.name for each in named])}: "
        f"{metric} {shown} against {_joined([number(each.value) for each in named])}"
    )
    more = "".join(f"; {each.name} has {number(each.value)}" for each in others)
    return Standing(worst, f"{sentence}{more}.")


def _state(value: float, interval: tuple[float, float] | None, baseline: float, higher_is_better: bool) -> State:
    if not higher_is_better:
        return _state(-value, (-interval[1], -interval[0]) if interval else None, -baseline, True)
    if value <= baseline or math.isclose(value, baseline, rel_tol=ROUNDING):
        return "no better"
    return "not clearly better" if interval and interval[0] <= baseline else "better"


def _joined(texts: Sequence[str]) -> str:
    return " and ".join(texts)
