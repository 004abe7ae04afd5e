"""An experiment: a YAML file plus overrides, checked as a whole and frozen."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lab import kinds, schema, yaml_files
from lab.bounds import Count, NonNegativeFloat, PositiveInt
from lab.checkpoint_settings import checkpoints
from lab.early_stopping import early_stopping
from lab.errors import LabError, did_you_mean

FOLDER = Path("experiments")

# What the lab passes to a constructor itself: never a setting.
SUPPLIED: dict[str, tuple[str, ...]] = {
    "data": ("seed",),
    "model": ("in_features", "in_channels", "length", "image_size", "out_features", "classes"),
    "optimizer": ("params",),
    "scheduler": ("optimizer", "total_steps", "last_epoch"),
    "loss": (),
    "metrics": ("num_classes", "classes"),
    "early_stopping": ("higher_is_better",),
    "trainer": (
        *(
            "logger",
            "callbacks",
            "plugins",
            "default_root_dir",
            "enable_checkpointing",
            "enable_progress_bar",
        ),
        *("enable_model_summary", "enable_autolog_hparams", "model_registry", "barebones", "fast_dev_run"),
        *("num_sanity_val_steps", "use_distributed_sampler"),
    ),
}


@dataclass(frozen=True)
class Part:
    """A section that names a class and the settings to build it with."""

    section: str
    kind: str
    settings: Mapping[str, Any]

    @property
    def target(self) -> Callable[..., Any]:
        """The class or function that the kind names."""
        return kinds.find(self.section, self.kind)

    def build(self, **supplied: Any) -> Any:
        """Call the target with its settings and with those supplied values that it asks for."""
        target = self.target
        asked = {name: value for name, value in supplied.items() if schema.accepts(target, name)}
        try:
            return target(**asked, **self.settings)
        except (ValueError, TypeError) as error:
            raise LabError(f"{self.section}: {self.kind} cannot be built: {error}") from error

    def as_mapping(self) -> dict[str, Any]:
        """The section as it stands in a YAML file."""
        return {"kind": self.kind, **self.settings}


@dataclass(frozen=True)
class Experiment:
    """One runnable idea: data, model and how the one is fitted to the other."""

    name: str
    question: str
    data: Part
    model: Part
    optimizer: Part
    scheduler: Part
    loss: Part | None
    metrics: Mapping[str, Part]
    trainer: Mapping[str, Any]
    early_stopping: Mapping[str, Any] | None
    checkpoints: Mapping[str, Any]
    seed: int
    threads: int | Literal["auto"]
    channels_last: bool
    search: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # as given, without defaults

    def varied(self, changes: Mapping[str, Any]) -> "Experiment":
        """The experiment with other values (JSON) under dotted names; raises LabError."""
        overrides = tuple(f"{name}={json.dumps(value)}" for name, value in changes.items())
        return from_sections(self.name, self.question, self.written, overrides)

    def sections(self) -> dict[str, Any]:
        """The experiment as it stands in a YAML file, every default written out."""
        return {
            "data": self.data.as_mapping(),
            "model": self.model.as_mapping(),
            "optimizer": self.optimizer.as_mapping(),
            "scheduler": self.scheduler.as_mapping(),
            "loss": self.loss.as_mapping() if self.loss else None,
            "metrics": {name: metric.as_mapping() for name, metric in self.metrics.items()},
            "trainer": dict(self.trainer),
            "early_stopping": dict(self.early_stopping) if self.early_stopping is not None else None,
            "checkpoints": dict(self.checkpoints),
            "seed": self.seed,
            "threads": self.threads,
            "channels_last": self.channels_last,
            "search": dict(self.search),
        }

    def settings(self) -> dict[str, Any]:
        """Every setting under its dotted name; the search space is none."""
        flat: dict[str, Any] = {}
        for section, content in self.sections().items():
            if isinstance(content, dict) and section != "search":
                flat.update({f"{section}.{name}": value for name, value in content.items()})
            elif section != "search" and content is not None:
                flat[section] = content
        return flat

    def foreign_code(self) -> dict[str, str]:
        """Whose code, other than the lab's, each section runs."""
        parts = (self.data, self.model, self.optimizer, self.scheduler, self.loss)
        found = {part.section: kinds.code_of(part.section, part.kind) for part in parts if part is not None}
        return {section: code for section, code in found.items() if code}

    def to_yaml(self) -> str:
        """The experiment as a YAML file, from which `parse` gives the same experiment again."""
        written = {name: content for name, content in self.sections().items() if content not in (None, {})}
        return f"# {self.question}\n{yaml_files.write(written)}"


def load(name: str, overrides: Iterable[str] = ()) -> Experiment:
    """The experiment of that name with overrides (`optimizer.lr=0.01`) applied; raises LabError."""
    path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise LabError(f"no experiment '{name}' in {FOLDER}/; {did_you_mean(name, names())}")
    sections, question = yaml_files.read(path)
    return from_sections(name, question, sections, tuple(overrides), source=str(path))


def parse(name: str, text: str) -> Experiment:
    """An experiment from YAML text, such as the config.yaml that a run keeps."""
    source = f"config of {name}"
    return from_sections(name, yaml_files.first_comment(text), yaml_files.mapping(text, source), source=source)


def names() -> list[str]:
    """The names of all experiments here, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def from_sections(
    name: str, question: str, sections: Any, overrides: tuple[str, ...] = (), source: str = ""
) -> Experiment:
    """Check sections and overrides as a whole; raises LabError with a line for every mistake."""
    mistakes: list[str] = []
    sections = _overridden(sections, overrides, mistakes)
    complete = schema.defaults(_top_level) | sections
    wrong = schema.check(_top_level, sections, "")
    mistakes += wrong
    if not any(line.split(":")[0] in schema.names(_top_level) for line in wrong):
        checked = _checked_sections(complete, mistakes)
    if mistakes:
        raise LabError(*[_placed(line, overrides, source) for line in mistakes])
    return Experiment(name=name, question=question, overrides=overrides, written=sections, **(complete | checked))


def _placed(line: str, overrides: tuple[str, ...], source: str) -> str:
    """A mistake with the file it stands in, unless it was made on the command line."""
    typed = any(line.startswith(override.partition("=")[0]) for override in overrides)
    return line if typed or not source else f"{source}: {line}"


def _top_level(
    data: dict[str, Any],
    model: dict[str, Any],
    optimizer: dict[str, Any] = {"kind": "adamw"},  # noqa: B006 (a schema, never called)
    scheduler: dict[str, Any] = {"kind": "constant"},  # noqa: B006
    loss: dict[str, Any] | None = None,
    metrics: dict[str, dict[str, Any]] = {},  # noqa: B006
    trainer: dict[str, Any] = {},  # noqa: B006
    early_stopping: dict[str, Any] | None = None,
    checkpoints: dict[str, Any] = {},  # noqa: B006
    seed: Count = 0,
    threads: PositiveInt | Literal["auto"] = 1,
    channels_last: bool = False,
    search: dict[str, Any] = {},  # noqa: B006
) -> None:
    """The schema of an experiment file: its sections, and what stands for those left out."""


def _trainer_bounds(
    max_epochs: PositiveInt = 20,
    accelerator: str = "auto",
    devices: int | str | list[int] = 1,
    precision: str | int = "32-true",
    accumulate_grad_batches: PositiveInt = 1,
    gradient_clip_val: NonNegativeFloat | None = None,
    gradient_clip_algorithm: Literal["norm", "value"] = "norm",
    log_every_n_steps: Count = 0,
    profiler: Literal["simple", "pytorch"] | None = None,
) -> None:
    """Where the lab has a default of its own for an argument of Trainer, or a closer bound than Trainer."""


def overridden(sections: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of the sections with each `name=value` put in its place; raises LabError."""
    mistakes: list[str] = []
    changed = _overridden(sections, overrides, mistakes)
    if mistakes:
        raise LabError(*mistakes)
    return changed


def part(section: str, content: dict[str, Any]) -> Part:
    """One section checked and completed; raises LabError with a line for every mistake."""
    mistakes: list[str] = []
    found = _part(section, content, mistakes)
    if found is None or mistakes:
        raise LabError(*mistakes)
    return found


def _overridden(sections: Any, overrides: Iterable[str], mistakes: list[str]) -> dict[str, Any]:
    """A copy of the sections with each `name=value` put in its place."""
    changed = {name: dict(part) if isinstance(part, dict) else part for name, part in sections.items()}
    typed: set[str] = set()
    for override in overrides:
        name, equals, text = override.partition("=")
        section, _, setting = name.strip().partition(".")
        if not equals or not section:
            mistakes.append(f"{override}: write a setting and its value, such as optimizer.lr=0.01")
            continue
        value = yaml_files.parse(text, override)
        before = changed.get(section)
        if before is None:
            before = schema.defaults(_top_level).get(section) or {}
        if not setting:
            changed[section] = value
        elif isinstance(before, dict):
            changed[section] = before | {setting: value}
            typed.add(name.strip())
        else:
            mistakes.append(f"{name}: no such setting; {section} is a single value")
    for section in kinds.SHIPPED:
        if f"{section}.kind" in typed and isinstance(sections.get(section), dict):
            changed[section] = _without_leftovers(section, sections[section].get("kind"), changed[section], typed)
    return changed


def _without_leftovers(section: str, old_kind: Any, content: dict[str, Any], typed: set[str]) -> dict[str, Any]:
    """A section whose kind an override changed, without the file's settings that only the old kind has."""
    try:
        old, new = kinds.find(section, old_kind), kinds.find(section, content["kind"])
    except LabError:  # said where the section is checked
        return content
    return {
        name: value
        for name, value in content.items()
        if name == "kind" or f"{section}.{name}" in typed or schema.accepts(new, name) or not schema.accepts(old, name)
    }


def _checked_sections(complete: dict[str, Any], mistakes: list[str]) -> dict[str, Any]:
    """The sections as parts with every default written out; what is wrong is added to `mistakes`."""
    parts: dict[str, Any] = {
        section: _part(section, complete[section], mistakes)
        for section in kinds.SHIPPED
        if complete[section] is not None
    }
    parts["metrics"] = {
        name: _part(f"metrics.{name}", content, mistakes) for name, content in complete["metrics"].items()
    }
    bounds = schema.defaults(_trainer_bounds)
    given = complete["trainer"]
    closer = {name: value for name, value in given.items() if name in bounds}
    mistakes += schema.check(_trainer_bounds, closer, "trainer")
    others = {name: value for name, value in given.items() if name not in bounds}
    mistakes += schema.check(kinds.trainer(), others, "trainer", SUPPLIED["trainer"])
    parts["trainer"] = bounds | given
    if complete["early_stopping"] is not None:
        supplied = SUPPLIED["early_stopping"]
        mistakes += schema.check(early_stopping, complete["early_stopping"], "early_stopping", supplied)
        parts["early_stopping"] = schema.defaults(early_stopping, supplied) | complete["early_stopping"]
    mistakes += schema.check(checkpoints, complete["checkpoints"], "checkpoints")
    parts["checkpoints"] = schema.defaults(checkpoints) | complete["checkpoints"]
    return parts


def _part(section: str, content: dict[str, Any], mistakes: list[str]) -> Part | None:
    """One section checked against the signature of the class that its kind names."""
    settings = dict(content)
    kind = settings.pop("kind", None)
    try:
        target = kinds.find(section, kind)
    except LabError as error:
        mistakes += error.lines
        return None
    supplied = SUPPLIED[section.partition(".")[0]]
    mistakes += schema.check(target, settings, section, supplied)
    return Part(section, kind, schema.defaults(target, supplied) | settings)
