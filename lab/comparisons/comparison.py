"""A comparison file: a question, a base experiment, and arms that change it; checked as a whole."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab.comparisons.statistics.boundaries import HORIZON
from lab.comparisons.statistics.design import Design, Rule
from lab.config import experiment, schema, yaml_files
from lab.config.experiment import SOURCES, Experiment, Source
from lab.config.types import Fold, Fraction, NonNegativeFloat, PositiveFloat, PositiveInt
from lab.errors import LabError, did_you_mean

FOLDER = experiment.FOLDER / "comparisons"
MIN_PAIRS = 3  # fewer give no usable variance
SEEDS = "5..30"
SEEDS_IN_TIME = "5..200"  # where only the time is limited


@dataclass(frozen=True)
class Comparison:
    """Arms of one experiment, the first being the control, and the measure that they are compared by.

    `metric` is one of the task's, without its split, or seconds_per_epoch; with `reaches`, the measure is the
    number of epochs until the metric reaches that value. With `folds`, seed after seed is trained on fold after fold.
    With `minutes`, it ends within that time, with as many seeds as fit and no more than `max_seeds`.
    """

    name: str
    question: str
    arms: Mapping[str, Experiment]
    changes: Mapping[str, Mapping[str, Any]]
    metric: str
    reaches: float | None
    on: Literal["val", "test"]
    margin: float
    alpha: float
    min_seeds: int
    max_seeds: int
    varies: Sequence[Source] = SOURCES
    folds: int | None = None
    first_seed: int = 1
    minutes: float | None = None

    def seed(self, number: int) -> int:
        """The seed of that number; scores and pairs are numbered from 1."""
        return self.first_seed + number - 1

    def replicate(self, arm: str, number: int) -> Experiment:
        """An arm on one seed and fold; the sources of chance that do not vary keep the seed of the experiment."""
        experiment = self.on_fold(arm, number)
        seeds: dict[str, int | None] = {
            source: experiment.seed_of(source) for source in SOURCES if source not in self.varies
        }
        given = {source: value for source, value in experiment.seeds.items() if value is not None}
        return dataclasses.replace(experiment, seed=self.seed(number), seeds=seeds | given)

    def on_fold(self, arm: str, number: int = 1) -> Experiment:
        """An arm on the fold that is paired with the seed of that number, if there are folds."""
        experiment = self.arms[arm]
        if self.folds is None:
            return experiment
        return dataclasses.replace(experiment, fold=str(Fold((number - 1) % self.folds + 1, self.folds)))

    @property
    def control(self) -> str:
        """The arm that the others are compared with."""
        return next(iter(self.arms))

    @property
    def measure(self) -> str:
        """What is compared, as text."""
        full = self.metric if self.metric == "seconds_per_epoch" else f"{self.on}/{self.metric}"
        whole = full if self.reaches is None else f"epochs to {full} {self.reaches:g}"
        return whole if set(self.varies) == set(SOURCES) else f"{whole} over {' and '.join(self.varies)}"

    def design(self, higher_is_better: bool, horizon: int = HORIZON, resolution: float = 0.0) -> Design:
        """What the verdicts rest on; `higher_is_better` is the direction of the metric, `resolution` its step."""
        rule = Rule(
            higher_is_better and self.reaches is None,
            self.margin,
            self.alpha,
            self.min_seeds,
            self.max_seeds,
            horizon,
            resolution if self.reaches is None else 1.0,
            math.inf if self.reaches is None else self.arms[self.control].trainer["max_epochs"],
        )
        arms, first = tuple(self.arms), self.first_seed
        return Design(self.name, self.question, arms, self.changes, self.measure, rule, first, self.folds)

    def fingerprint(self) -> str:
        """A hash of what the scores depend on: margin, error rate, number of seeds and time do not count."""
        settings = [arm.identity() for arm in self.arms.values()]
        parts: list[Any] = [settings, self.metric, self.reaches, self.on]
        if set(self.varies) != set(SOURCES):  # earlier versions had no choice
            parts.append(sorted(self.varies))
        if self.folds is not None:
            parts.append({"folds": self.folds})
        if self.first_seed != 1:
            parts.append(self.first_seed)
        content = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:8]


def of_file(
    base: str,
    arms: dict[str, dict[str, Any]],
    metric: str = "accuracy",
    margin: NonNegativeFloat = 0.0,
    settings: dict[str, Any] = {},  # noqa: B006 (a schema: it is never called)
    reaches: float | None = None,
    on: Literal["val", "test"] = "val",
    alpha: Fraction = 0.05,
    seeds: str | None = None,
    minutes: PositiveFloat | None = None,
    varies: list[Source] = list(SOURCES),  # noqa: B006
    folds: PositiveInt | None = None,
) -> None:
    """The schema of a comparison file; `settings` are overrides of the base for all arms.

    With `folds`, the first seed is tested on the first of so many folds, the next on the second, and so on in turn.
    `seeds` are by default 5..30, or, with `minutes`, from 5 to as many as fit.
    """


def names() -> list[str]:
    """The names of all comparison files, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(
    name: str, overrides: Iterable[str] = (), seeds: str | None = None, minutes: float | None = None
) -> Comparison:
    """The comparison of that name, with overrides for all arms; raises LabError with all errors."""
    if name not in names():
        raise LabError(f"no comparison '{name}' in {FOLDER}/; {did_you_mean(name, names())}")
    path = FOLDER / f"{name}.yaml"
    content, question = yaml_files.read(path)
    return parse(name, question, content, tuple(overrides), seeds, path, minutes=minutes)


def parse(
    name: str,
    question: str,
    content: Any,
    overrides: tuple[str, ...] = (),
    seeds: str | None = None,
    path: Path | None = FOLDER,
    base: Experiment | None = None,
    minutes: float | None = None,
) -> Comparison:
    """A comparison from the content of its file; raises LabError with all errors.

    `base` is the experiment of that name in the content, if it is not one in experiments/. `seeds` and `minutes` take
    the place of those in the content.
    """
    source = f"{path}: " if path else ""
    if minutes is not None and not 0 < minutes < math.inf:
        raise LabError(f"--minutes: must be above 0, not {minutes:g}")
    errors = schema.check(of_file, content, "")
    if errors:
        raise LabError(*[f"{source}{line}" for line in errors])
    whole = schema.defaults(of_file) | content | ({} if minutes is None else {"minutes": minutes})
    min_seeds, max_seeds = parse_seeds(seeds or whole["seeds"] or (SEEDS if not whole["minutes"] else SEEDS_IN_TIME))
    arms, errors = _arms(base or experiment.load(whole["base"]), whole, overrides)
    if len(whole["arms"]) < 2:
        errors.append("arms: a comparison needs at least two, the control first")
    if whole["on"] == "test" and whole["reaches"] is not None:
        errors.append("reaches: test data is used once, after training; use on: val")
    if whole["reaches"] is not None and len({arm.trainer["max_epochs"] for arm in arms.values()}) > 1:
        errors.append("reaches: the arms differ in trainer.max_epochs, so that one has longer to reach it")
    if "varies" not in content:
        whole["varies"] = [source for source in SOURCES if source not in _fixed(arms)]
    errors += _varies(whole["varies"], arms)
    if whole["reaches"] is not None and whole["metric"] == "seconds_per_epoch":
        errors.append("reaches: needs a metric of every epoch, not seconds_per_epoch")
    errors += _folds(whole["folds"], arms) + _duplicates(arms)
    if whole["on"] == "val" and whole["metric"] != "seconds_per_epoch":
        errors += _not_shown(arms)
    if errors:
        raise LabError(*[f"{source}{line}" for line in errors])
    rest = {key: whole[key] for key in ("metric", "reaches", "on", "margin", "alpha", "varies", "folds", "minutes")}
    return Comparison(name, question, arms, whole["arms"], min_seeds=min_seeds, max_seeds=max_seeds, **rest)


def parse_seeds(text: str) -> tuple[int, int]:
    """The minimum and maximum number of seeds, from text such as 5..30; raises LabError."""
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", text)
    if not found:
        raise LabError(f"seeds: '{text}' is not a range; write minimum and maximum, such as 5..30")
    low, high = int(found[1]), int(found[2] or found[1])
    if high < low:
        raise LabError(f"seeds: the maximum, {high}, is below the minimum, {low}; write {high}..{low}")
    if low < MIN_PAIRS:
        raise LabError(f"seeds: at least {MIN_PAIRS}, not {low}: fewer pairs give no usable variance")
    return low, high


def _arms(
    base: Experiment, whole: Mapping[str, Any], overrides: tuple[str, ...]
) -> tuple[dict[str, Experiment], list[str]]:
    """Every arm as an experiment, and the errors in them."""
    arms: dict[str, Experiment] = {}
    errors: list[str] = []
    for arm, changes in whole["arms"].items():
        texts = tuple(f"{name}={json.dumps(value)}" for name, value in (whole["settings"] | changes).items())
        try:
            made = experiment.from_sections(base.name, base.question, base.written, (*texts, *overrides))
            arms[arm] = dataclasses.replace(made, search={})
        except LabError as error:
            errors += [f"arms.{arm}: {line}" for line in error.lines]
    return arms, errors


def _folds(count: int | None, arms: Mapping[str, Experiment]) -> list[str]:
    """What is wrong with the folds that the arms are tested on."""
    given = {arm.fold for arm in arms.values()}
    if len(given) > 1:
        return ["fold: the arms are tested on different folds; remove it, and write folds: 5 to test all on every fold"]
    if count is not None and given - {None}:
        return ["folds: the arms have a fold: of their own; leave out one of the two"]
    return [] if count is None or count > 1 else [f"folds: must be at least 2, not {count}"]


def _varies(chosen: Sequence[Source], arms: Mapping[str, Experiment]) -> list[str]:
    """What is wrong with the sources of chance that are to differ between seeds."""
    if not chosen or len(set(chosen)) < len(chosen):
        return [f"varies: name at least one of {', '.join(SOURCES)}, each once"]
    both = [source for source in chosen if source in _fixed(arms)]
    return [f"varies: {source} has a seed of its own in seeds.{source}; leave one of the two out" for source in both]


def _fixed(arms: Mapping[str, Experiment]) -> set[str]:
    """The sources of chance that have a seed of their own in an arm."""
    return {source for arm in arms.values() for source, seed in arm.seeds.items() if seed is not None}


def _not_shown(arms: Mapping[str, Experiment]) -> list[str]:
    """A line for every setting in which arms differ, and which validation data does not show."""
    chosen = [arm.after_training for arm in arms.values()]
    return [
        f"{setting}: the arms differ in it, and it acts once the network is trained, which validation data does not "
        f"show; use on: test, or give all arms the same (settings: {{{setting}: ...}})"
        for setting in (chosen[0] if chosen else {})
        if any(each[setting] != chosen[0][setting] for each in chosen)
    ]


def _duplicates(arms: Mapping[str, Experiment]) -> list[str]:
    """A line for every arm with the settings of an earlier one."""
    seen: dict[str, str] = {}
    errors: list[str] = []
    for name, arm in arms.items():
        key = json.dumps(arm.settings(), sort_keys=True)
        if key in seen:
            errors.append(f"arms.{name}: has the same settings as {seen[key]}; change one, or leave it out")
        seen.setdefault(key, name)
    return errors
