"""The search space of an experiment: what `search:` says, checked completely before the first trial."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.config.experiment import Experiment
from lab.errors import LabError, did_you_mean

if TYPE_CHECKING:
    from optuna.trial import Trial


RANGE_KEYS = {"low", "high", "log", "step", "when"}
CHOICE_KEYS = {"choices", "when"}
FORMS = "write a list of choices, {low: 0.1, high: 1.0}, or {choices: [...], when: {...}}"


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched: `choices`, or a range; only where `when` holds."""

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    integer: bool = False
    when: Mapping[str, tuple[Any, ...]] | None = None

    def probes(self) -> tuple[Any, ...]:
        """The values that must all be valid: every choice, or both ends."""
        return self.choices or (self.low, self.high)

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether this dimension exists beside the values of those before it."""
        return all(name in values and values[name] in allowed for name, allowed in (self.when or {}).items())

    def decoded(self, stored: Any) -> Any:
        """The setting's value that a stored Optuna parameter stands for."""
        return next((choice for choice in self.choices if _encoded(choice) == stored), stored)

    def holds(self, value: Any) -> bool:
        """Whether the sampler could choose this value."""
        return value in self.choices if self.choices else _is_number(value) and self.low <= value <= self.high

    def suggest(self, trial: "Trial") -> Any:
        """The value that Optuna's sampler chooses."""
        if self.choices:
            encoded = trial.suggest_categorical(self.name, [_encoded(choice) for choice in self.choices])
            return self.decoded(encoded)
        if self.integer:
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=step, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True)
class Space:
    """The dimensions of an experiment's search space, in the order in which they are chosen."""

    experiment: Experiment
    dimensions: tuple[Dimension, ...]

    def suggest(self, trial: "Trial") -> dict[str, Any]:
        """A value for every dimension that applies."""
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.applies(values):
                values[dimension.name] = dimension.suggest(trial)
        return values

    def values_of(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that stored Optuna parameters stand for."""
        return {d.name: d.decoded(params[d.name]) for d in self.dimensions if d.name in params}

    def of_experiment(self) -> dict[str, Any] | None:
        """The experiment's own settings as Optuna parameters; None where they lie outside of the space."""
        settings = self.experiment.settings()
        params: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.applies(settings):
                value = settings.get(dimension.name)
                if not dimension.holds(value):
                    return None
                params[dimension.name] = _encoded(value)
        return params

    def fingerprint(self, *more: str) -> str:
        """A short hash of the space, the settings it varies, and what else is given."""
        settings = {name: value for name, value in self.experiment.settings().items() if name != "seed"}
        content = json.dumps([self.experiment.search, settings, self.experiment.seed, more], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:8]


def _encoded(choice: Any) -> Any:
    """A choice as Optuna stores it: lists and mappings as text."""
    return json.dumps(choice) if isinstance(choice, list | dict) else choice


def space_of(experiment: Experiment) -> Space:
    """The experiment's search space; raises LabError with a line for every mistake."""
    if not experiment.search:
        raise LabError(f"search: {experiment.name} has no search space; add one to its file: {EXAMPLE}")
    mistakes: list[str] = []
    dimensions: list[Dimension] = []
    for name, content in experiment.search.items():
        found: list[str] = []
        dimension = _parsed(name, content, dimensions, experiment.search, found)
        if dimension:
            found += _wrong_values(experiment, dimension, dimensions)
            dimensions.append(dimension if dimension.choices else _typed(experiment, dimension, dimensions, found))
        mistakes += dict.fromkeys(found)
    if mistakes:
        raise LabError(*mistakes)
    return Space(experiment, tuple(dimensions))


EXAMPLE = "search: {optimizer.lr: {low: 1e-4, high: 1e-1, log: true}}"


def _parsed(
    name: str, content: Any, before: list[Dimension], search: Mapping[str, Any], mistakes: list[str]
) -> Dimension | None:
    """One entry of `search:` as it is written; what is wrong with its form is added to `mistakes`."""
    path = f"search.{name}"
    if isinstance(content, list):
        content = {"choices": content}
    if not isinstance(content, dict):
        mistakes.append(f"{path}: {json.dumps(content)} is no dimension; {FORMS}")
        return None
    known = CHOICE_KEYS if "choices" in content else RANGE_KEYS
    mistakes += [f"{path}.{key}: no such key; {did_you_mean(str(key), known)}" for key in content if key not in known]
    section, _, setting = name.partition(".")
    if setting == "kind" and any(other.name.startswith(f"{section}.") for other in before):
        mistakes.append(f"{path}: must stand above the other {section} settings")
    when = _conditions(path, content.get("when"), before, search, mistakes)
    parsed = _choices(path, content, mistakes) if "choices" in content else _range(path, content, mistakes)
    return Dimension(name, when=when, **parsed) if parsed and not mistakes else None


def _choices(path: str, content: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    choices = content["choices"]
    if not isinstance(choices, list) or not choices:
        mistakes.append(f"{path}: needs at least one choice, such as [0.1, 0.2]")
        return {}
    return {"choices": tuple(choices)}


def _range(path: str, content: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    """The range as keyword arguments of a Dimension."""
    low: Any = content.get("low")
    high: Any = content.get("high")
    step: Any = content.get("step")
    log = content.get("log", False)
    wrong = [
        f"{path}.{key}: {'is required' if value is None else f'must be a number, not {json.dumps(value)}'}"
        for key, value in (("low", low), ("high", high))
        if not _is_number(value)
    ]
    if not isinstance(log, bool):
        wrong.append(f"{path}.log: must be true or false, not {json.dumps(log)}")
    if step is not None and not (_is_number(step) and step > 0):
        wrong.append(f"{path}.step: must be a number above 0, not {json.dumps(step)}")
    if not wrong and low > high:
        wrong.append(f"{path}: low {low} is above high {high}; swap them")
    if not wrong and log and low <= 0:
        wrong.append(f"{path}: a log range needs low above 0, not {low}; try low: {high / 1000:g}")
    if not wrong and log and step is not None:
        wrong.append(f"{path}: a log range has no step; leave one of the two out")
    mistakes += wrong
    return {} if wrong else {"low": low, "high": high, "log": log, "step": step}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _conditions(
    path: str, when: Any, before: list[Dimension], search: Mapping[str, Any], mistakes: list[str]
) -> dict[str, tuple[Any, ...]] | None:
    """Under each name in `when:` the values that it may have."""
    if when is None:
        return None
    if not isinstance(when, dict):
        mistakes.append(f"{path}.when: write a setting and its value, such as {{optimizer.kind: sgd}}")
        return None
    choices = {dimension.name: dimension.choices for dimension in before}
    conditions: dict[str, tuple[Any, ...]] = {}
    for name, allowed in when.items():
        values = tuple(allowed) if isinstance(allowed, list) else (allowed,)
        if name not in search:
            mistakes.append(f"{path}.when: {name} is not in the space; {did_you_mean(name, search)}")
        elif name not in choices:
            mistakes.append(f"{path}.when: {name} must stand above {path.partition('.')[2]}")
        elif not choices[name]:
            mistakes.append(f"{path}.when: {name} is a range; a condition needs a list of choices")
        else:
            mistakes += [
                f"{path}.when: {name} is never {json.dumps(value)}; its choices are {json.dumps(choices[name])}"
                for value in values
                if value not in choices[name]
            ]
        conditions[name] = values
    return conditions


def _surroundings(dimension: Dimension, before: Iterable[Dimension]) -> Iterator[dict[str, Any]]:
    """Values of earlier dimensions beside which this one must be valid: its conditions, and each kind."""
    by_name = {other.name: other for other in before}
    kind = f"{dimension.name.partition('.')[0]}.kind"
    conditions = dict(dimension.when or {})
    if kind in by_name and kind != dimension.name:
        conditions.setdefault(kind, by_name[kind].choices)
    for kind_value in conditions.get(kind, (None,)):
        beside: dict[str, Any] = {}
        for name, allowed in conditions.items():
            if name in by_name:
                for outer in _surroundings(by_name[name], before):
                    beside = outer | beside
                    break
            beside[name] = kind_value if name == kind else allowed[0]
        yield beside


def _wrong_values(experiment: Experiment, dimension: Dimension, before: list[Dimension]) -> list[str]:
    """A line for every end or choice that gives no valid experiment."""
    mistakes: list[str] = []
    for beside in _surroundings(dimension, before):
        for value in dimension.probes():
            for line in _refused(experiment, beside | {dimension.name: value}):
                hint = _hint(dimension, beside) if "no such setting" in line else ""
                mistakes.append(f"search.{line}{hint}")
    return mistakes


def _hint(dimension: Dimension, beside: Mapping[str, Any]) -> str:
    """Why a setting may be unknown beside one kind only."""
    kind = f"{dimension.name.partition('.')[0]}.kind"
    return f" ({kind} is {beside[kind]}; say when: {{{kind}: ...}})" if kind in beside else ""


def _refused(experiment: Experiment, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with the experiment so changed."""
    try:
        experiment.varied(changes)
    except LabError as error:
        return error.lines
    return ()


def _typed(experiment: Experiment, dimension: Dimension, before: list[Dimension], mistakes: list[str]) -> Dimension:
    """The range as one of integers where its setting refuses a number with a fraction."""
    beside = next(_surroundings(dimension, before))
    between = dimension.low + 0.37 * (dimension.high - dimension.low)
    between += 0.0 if between % 1 else 1e-6
    whole = float(dimension.low).is_integer() and float(dimension.high).is_integer()
    if not mistakes and whole and _refused(experiment, beside | {dimension.name: between}):
        if dimension.step is not None and not float(dimension.step).is_integer():
            mistakes.append(f"search.{dimension.name}.step: must be a whole number, as the setting is")
        return Dimension(**(vars(dimension) | {"integer": True}))
    return dimension
