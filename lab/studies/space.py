"""The search space of an experiment: its section `search:`, checked completely before the first trial."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.config.experiment import Experiment
from lab.errors import LabError, did_you_mean

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

RANGE_KEYS = {"low", "high", "log", "step", "when"}
CHOICE_KEYS = {"choices", "when"}
EXAMPLE = "search: {optimizer.lr: {low: 1e-4, high: 1e-1, log: true}}"
FORMS = "write a list of choices, {low: 0.1, high: 1.0}, or {choices: [...], when: {...}}"


@dataclass(frozen=True)
class Dimension:
    """One setting to search: `choices` or a range; it exists only where the conditions `when` hold."""

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    step: float | None = None
    integer: bool = False
    when: Mapping[str, tuple[Any, ...]] | None = None

    def probes(self) -> tuple[Any, ...]:
        """The values to validate: every choice, or both ends of the range."""
        return self.choices or (self.low, self.high)

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether this dimension exists, given the values of the earlier ones."""
        return all(name in values and values[name] in allowed for name, allowed in (self.when or {}).items())

    def decoded(self, stored: Any) -> Any:
        """The setting's value for a stored Optuna parameter."""
        return next((choice for choice in self.choices if _encoded(choice) == stored), stored)

    def contains(self, value: Any) -> bool:
        """Whether a value lies in the choices or the range."""
        return value in self.choices if self.choices else _is_number(value) and self.low <= value <= self.high

    def distribution(self) -> "BaseDistribution":
        """What Optuna stores of it."""
        from optuna import distributions

        if self.choices:
            return distributions.CategoricalDistribution([_encoded(choice) for choice in self.choices])
        if self.integer:
            step = 1 if self.step is None else int(self.step)
            return distributions.IntDistribution(int(self.low), int(self.high), log=self.log, step=step)
        return distributions.FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: "Trial") -> Any:
        """Let Optuna's sampler choose a value."""
        if self.choices:
            encoded = trial.suggest_categorical(self.name, [_encoded(choice) for choice in self.choices])
            return self.decoded(encoded)
        if self.integer:
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=step, log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)


@dataclass(frozen=True)
class Space:
    """The dimensions of an experiment's search space, in the order in which they are sampled."""

    experiment: Experiment
    dimensions: tuple[Dimension, ...]

    def suggest(self, trial: "Trial") -> dict[str, Any]:
        """Let Optuna's sampler choose a value for every dimension that applies."""
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.applies(values):
                values[dimension.name] = dimension.suggest(trial)
        return values

    def values_of(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The settings for stored Optuna parameters."""
        return {d.name: d.decoded(params[d.name]) for d in self.dimensions if d.name in params}

    def distributions(self, params: Mapping[str, Any]) -> "dict[str, BaseDistribution] | None":
        """What Optuna stores beside parameters that this space could have suggested; None for others."""
        values = self.values_of(params)
        applying = [dimension for dimension in self.dimensions if dimension.applies(values)]
        if {dimension.name for dimension in applying} != set(params):
            return None
        fits = all(dimension.contains(values[dimension.name]) for dimension in applying)
        return {dimension.name: dimension.distribution() for dimension in applying} if fits else None

    def own_params(self) -> dict[str, Any] | None:
        """The experiment's own settings as Optuna parameters; None if they lie outside the space."""
        settings = self.experiment.settings()
        params: dict[str, Any] = {}
        for dimension in self.dimensions:
            if dimension.applies(settings):
                value = settings.get(dimension.name)
                if not dimension.contains(value):
                    return None
                params[dimension.name] = _encoded(value)
        return params

    def fingerprint(self, *more: str) -> str:
        """A short hash of the space, of all settings and of the strings given."""
        return self._hash(self.experiment.search, *more)

    def fingerprint_of_settings(self, *more: str) -> str:
        """The same without the space: trials of studies that have it in common may be compared."""
        return self._hash({}, *more)

    def _hash(self, search: Mapping[str, Any], *more: str) -> str:
        content = json.dumps([search, self.experiment.identity(), self.experiment.seed, more], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:8]


def parse_space(experiment: Experiment) -> Space:
    """The experiment's search space; raises LabError with a line for every error."""
    if not experiment.search:
        raise LabError(f"search: {experiment.name} has no search space; add one to its file: {EXAMPLE}")
    errors: list[str] = []
    dimensions: list[Dimension] = []
    for name, content in experiment.search.items():
        found: list[str] = []
        dimension = _parsed(name, content, dimensions, experiment.search, found)
        if dimension:
            found += _invalid_values(experiment, dimension, dimensions)
            dimensions.append(dimension if dimension.choices else _with_type(experiment, dimension, dimensions, found))
        errors += dict.fromkeys(found)
    if errors:
        raise LabError(*errors)
    return Space(experiment, tuple(dimensions))


def _parsed(
    name: str, content: Any, before: list[Dimension], search: Mapping[str, Any], errors: list[str]
) -> Dimension | None:
    """Parse one entry of `search:` without checking its values; errors are appended."""
    path = f"search.{name}"
    if isinstance(content, list):
        content = {"choices": content}
    if not isinstance(content, dict):
        errors.append(f"{path}: {json.dumps(content)} is not a dimension; {FORMS}")
        return None
    known = CHOICE_KEYS if "choices" in content else RANGE_KEYS
    errors += [f"{path}.{key}: no such key; {did_you_mean(str(key), known)}" for key in content if key not in known]
    section, _, setting = name.partition(".")
    if setting == "kind" and any(other.name.startswith(f"{section}.") for other in before):
        errors.append(f"{path}: must come before the other {section} settings")
    when = _conditions(path, content.get("when"), before, search, errors)
    parsed = _choices(path, content, errors) if "choices" in content else _range(path, content, errors)
    return Dimension(name, when=when, **parsed) if parsed and not errors else None


def _choices(path: str, content: Mapping[str, Any], errors: list[str]) -> dict[str, Any]:
    choices = content["choices"]
    if not isinstance(choices, list) or not choices:
        errors.append(f"{path}: needs at least one choice, such as [0.1, 0.2]")
        return {}
    return {"choices": tuple(choices)}


def _range(path: str, content: Mapping[str, Any], errors: list[str]) -> dict[str, Any]:
    """The range as keyword arguments of a Dimension."""
    low: Any = content.get("low")
    high: Any = content.get("high")
    step: Any = content.get("step")
    log = content.get("log", False)
    found = [
        f"{path}.{key}: {'is required' if value is None else f'must be a number, not {json.dumps(value)}'}"
        for key, value in (("low", low), ("high", high))
        if not _is_number(value)
    ]
    if not isinstance(log, bool):
        found.append(f"{path}.log: must be true or false, not {json.dumps(log)}")
    if step is not None and not (_is_number(step) and step > 0):
        found.append(f"{path}.step: must be a number above 0, not {json.dumps(step)}")
    if not found and low > high:
        found.append(f"{path}: low {low} is above high {high}; swap them")
    if not found and log and low <= 0:
        found.append(f"{path}: a log range needs low above 0, not {low}; try low: {high / 1000:g}")
    if not found and log and step is not None:
        found.append(f"{path}: a log range has no step; leave one of the two out")
    errors += found
    return {} if found else {"low": low, "high": high, "log": log, "step": step}


def _conditions(
    path: str, when: Any, before: list[Dimension], search: Mapping[str, Any], errors: list[str]
) -> dict[str, tuple[Any, ...]] | None:
    """The allowed values of each setting in `when:`; errors are appended."""
    if when is None:
        return None
    if not isinstance(when, dict):
        errors.append(f"{path}.when: write a setting and its value, such as {{optimizer.kind: sgd}}")
        return None
    choices = {dimension.name: dimension.choices for dimension in before}
    conditions: dict[str, tuple[Any, ...]] = {}
    for name, allowed in when.items():
        values = tuple(allowed) if isinstance(allowed, list) else (allowed,)
        if name not in search:
            errors.append(f"{path}.when: {name} is not in the space; {did_you_mean(name, search)}")
        elif name not in choices:
            errors.append(f"{path}.when: {name} must come before {path.partition('.')[2]}")
        elif not choices[name]:
            errors.append(f"{path}.when: {name} is a range; a condition needs a list of choices")
        elif not values:
            errors.append(f"{path}.when: {name} needs at least one value; its choices are {json.dumps(choices[name])}")
        else:
            errors += [
                f"{path}.when: {name} is never {json.dumps(value)}; its choices are {json.dumps(choices[name])}"
                for value in values
                if value not in choices[name]
            ]
        conditions[name] = values
    return conditions


def _invalid_values(experiment: Experiment, dimension: Dimension, before: list[Dimension]) -> list[str]:
    """A line for every choice or end of a range with which the experiment is invalid."""
    errors: list[str] = []
    for context in _contexts(dimension, before):
        for value in dimension.probes():
            for line in _errors_with(experiment, context | {dimension.name: value}):
                hint = _hint(dimension, context) if "no such setting" in line else ""
                errors.append(f"search.{line}{hint}")
    return errors or _not_shown(experiment, dimension)


def _not_shown(experiment: Experiment, dimension: Dimension) -> list[str]:
    """A line for a setting that no trial shows, since it acts once a network is trained."""
    if dimension.name not in experiment.after_training:
        return []
    values = (experiment.varied({dimension.name: value}).after_training for value in dimension.probes())
    if not any(each[dimension.name] for each in values):
        return []
    return [f"search.{dimension.name}: acts once the network is trained, which no trial shows; remove it"]


def _contexts(dimension: Dimension, before: Iterable[Dimension]) -> Iterator[dict[str, Any]]:
    """Values of earlier dimensions with which this one must be valid: its conditions, for each possible kind."""
    by_name = {other.name: other for other in before}
    kind = f"{dimension.name.partition('.')[0]}.kind"
    conditions = dict(dimension.when or {})
    if kind in by_name and kind != dimension.name:
        conditions.setdefault(kind, by_name[kind].choices)
    for kind_value in conditions.get(kind, (None,)):
        context: dict[str, Any] = {}
        for name, allowed in conditions.items():
            if name in by_name:
                context = next(_contexts(by_name[name], before)) | context
            context[name] = kind_value if name == kind else allowed[0]
        yield context


def _hint(dimension: Dimension, context: Mapping[str, Any]) -> str:
    """How to restrict a setting to the kinds that have it."""
    kind = f"{dimension.name.partition('.')[0]}.kind"
    return f" ({kind} is {context[kind]}; write when: {{{kind}: ...}})" if kind in context else ""


def _errors_with(experiment: Experiment, changes: Mapping[str, Any]) -> tuple[str, ...]:
    """The errors of the experiment with these settings."""
    try:
        experiment.varied(changes)
    except LabError as error:
        return error.lines
    return ()


def _with_type(experiment: Experiment, dimension: Dimension, before: list[Dimension], errors: list[str]) -> Dimension:
    """The range, of integers if the setting does not accept a fraction."""
    context = next(_contexts(dimension, before))
    integer_ends = float(dimension.low).is_integer() and float(dimension.high).is_integer()
    if not errors and integer_ends and _errors_with(experiment, context | {dimension.name: dimension.low + 0.5}):
        if dimension.step is not None and not float(dimension.step).is_integer():
            errors.append(f"search.{dimension.name}.step: must be an integer, as the setting is")
        return Dimension(**(vars(dimension) | {"integer": True}))
    return dimension


def _encoded(choice: Any) -> Any:
    """A choice as Optuna stores it: lists and mappings as JSON."""
    return json.dumps(choice) if isinstance(choice, list | dict) else choice


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
