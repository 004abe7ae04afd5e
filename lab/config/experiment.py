"""An experiment: a YAML file plus overrides, checked as a whole and frozen."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lab.config import kinds, schema, yaml_files
from lab.config.overrides import with_overrides
from lab.config.sections import DECIDED_BY_MODULE, GROUPS, Part, checked_sections, top_level
from lab.config.types import Fold, Threshold, ThresholdMetric
from lab.errors import LabError, did_you_mean

FOLDER = Path("experiments")
# Settings that later versions added, with the value that says what earlier ones did.
ADDED: dict[str, Any] = {
    "checkpoints.monitor": "val/loss",
    "loss.class_weights": None,
    **{f"data.{name}": None for name in ("classes", "per_class", "weight", "order", "labels", "label_separator")},
    "data.augment": [],
    "data.mix": None,
    "data.mix_alpha": 1.0,
    "trainer.average": None,
    "trainer.average_decay": 0.99,
    "trainer.average_from": None,
    "trainer.histograms": False,
    "trainer.members": 1,
    "combine_with_naive": False,
}
NO_SETTINGS = ("resources", "search")  # sections
UNKNOWN = object()
Source = Literal["split", "init", "order", "dropout"]  # of chance
SOURCES: tuple[Source, ...] = get_args(Source)


@dataclass(frozen=True)
class Experiment:
    """One training set-up: data, model, optimizer, trainer and seed, every default filled in."""

    name: str
    question: str
    data: Part
    model: Part | None
    module: Part | None
    optimizer: Part | None
    scheduler: Part | None
    loss: Part | None
    metrics: Mapping[str, Part]
    trainer: Mapping[str, Any]
    early_stopping: Mapping[str, Any] | None
    checkpoints: Mapping[str, Any]
    seed: int
    seeds: Mapping[str, int | None]
    fold: str | None  # such as 2/5
    threshold: Threshold | None
    threads: int | Literal["auto"]
    channels_last: bool
    conformal: float | None  # the share of new values that intervals hold
    combine_with_naive: bool
    start_from: str | None = None
    freeze: Sequence[str] | None = None  # patterns of names
    unfreeze_at: int | None = None  # an epoch, from 1
    resources: Mapping[str, float] = field(default_factory=dict)  # of each of many trainings at once
    search: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)  # without defaults

    def part(self, section: Literal["model", "optimizer", "scheduler", "loss"]) -> Part:
        """A section that an experiment has unless it has a module of one's own, or a default loss not yet decided."""
        part = {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler, "loss": self.loss}[
            section
        ]
        assert part is not None
        return part

    @property
    def network(self) -> str:
        """What is trained: the kind of the module of one's own, of the network inside it, or of the network alone."""
        kind = " of ".join(part.kind for part in (self.module, self.model) if part is not None)
        members = self.trainer["members"]
        return kind if members == 1 else f"{members} × {kind}"

    @property
    def after_training(self) -> dict[str, Any]:
        """As the function of that name, of this experiment."""
        return after_training(self.settings())

    def seed_of(self, source: Source) -> int:
        """The seed of one source of chance."""
        seed = self.seeds.get(source)
        return self.seed if seed is None else seed

    def of_fold(self, fold: Fold) -> "Experiment":
        """The experiment that is tested on one fold, as the override `fold=2/5` makes it."""
        overrides = tuple(each for each in self.overrides if not each.startswith("fold="))
        return from_sections(self.name, self.question, self.written, (*overrides, f"fold={fold}"))

    def varied(self, changes: Mapping[str, Any]) -> "Experiment":
        """The experiment with other values (JSON types) for dotted names; raises LabError."""
        overrides = tuple(f"{name}={json.dumps(value)}" for name, value in changes.items())
        return from_sections(self.name, self.question, self.written, overrides)

    def sections(self) -> dict[str, Any]:
        """The sections of the experiment as in a YAML file, every default included."""
        return {
            "data": self.data.as_mapping(),
            "model": _mapping(self.model),
            "module": _mapping(self.module),
            "optimizer": _mapping(self.optimizer),
            "scheduler": _mapping(self.scheduler),
            "loss": _mapping(self.loss),
            "metrics": {name: metric.as_mapping() for name, metric in self.metrics.items()},
            "trainer": dict(self.trainer),
            "early_stopping": dict(self.early_stopping) if self.early_stopping is not None else None,
            "checkpoints": dict(self.checkpoints),
            "seed": self.seed,
            "seeds": {source: seed for source, seed in self.seeds.items() if seed is not None},
            "fold": self.fold,
            "threshold": self.threshold,
            "threads": self.threads,
            "channels_last": self.channels_last,
            "conformal": self.conformal,
            "combine_with_naive": self.combine_with_naive,
            "start_from": self.start_from,
            "freeze": None if self.freeze is None else list(self.freeze),
            "unfreeze_at": self.unfreeze_at,
            "resources": dict(self.resources),
            "search": dict(self.search),
        }

    def settings(self) -> dict[str, Any]:
        """Dotted name to value of every setting; the search space and the resources change no result."""
        flat: dict[str, Any] = {}
        for section, content in self.sections().items():
            if section in NO_SETTINGS:
                continue
            if isinstance(content, dict):
                flat.update({f"{section}.{name}": value for name, value in content.items()})
            elif content is not None:
                flat[section] = content
        for pattern, options in flat.pop(f"optimizer.{GROUPS}", {}).items():
            flat.update({f"optimizer.{GROUPS}.{pattern}.{name}": value for name, value in options.items()})
        return flat

    def identity(self) -> dict[str, Any]:
        """What studies and comparisons are recognized by: the settings that earlier versions had, without the seed."""
        settings = self.settings().items()
        return {name: value for name, value in settings if name != "seed" and ADDED.get(name, UNKNOWN) != value}

    def foreign_code(self) -> dict[str, str]:
        """Section to the module and file of the code that it runs, if that is not the lab's."""
        parts = (self.data, self.model, self.module, self.optimizer, self.scheduler, self.loss)
        sources = {part.section: kinds.code_of(part.section, part.kind) for part in parts if part is not None}
        for each in self.data.of_batches["augment"]:
            sources[f"data.augment, {each['kind']}"] = kinds.code_of("data.augment", each["kind"])
        return {section: code for section, code in sources.items() if code}

    def to_yaml(self) -> str:
        """The experiment as YAML text; `parse` restores the same experiment from it."""
        written = {name: content for name, content in self.sections().items() if content not in (None, {})}
        return f"# {self.question}\n{yaml_files.write(written)}"


def after_training(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that act once the network is trained: its test shows them, and none of its epochs.

    `settings` are those of an experiment, or their texts, which a run stores.
    """
    threshold = settings.get("threshold")
    return {
        "threshold": threshold if threshold in get_args(ThresholdMetric) else None,
        "conformal": settings.get("conformal"),
        "combine_with_naive": str(settings.get("combine_with_naive")).lower() == "true",
    }


def load(name: str, overrides: Iterable[str] = ()) -> Experiment:
    """Load the experiment of that name and apply overrides (`optimizer.lr=0.01`); raises LabError."""
    known = names()
    if not known:
        raise LabError(f"no experiment '{name}': there is no {FOLDER}/ with experiments in {Path.cwd()}; change folder")
    if name not in known:
        meant = Path(name).stem if Path(name).suffix in (".yaml", ".yml") else name
        raise LabError(f"no experiment '{name}' in {FOLDER}/; {did_you_mean(meant, known)}")
    return read(FOLDER / f"{name}.yaml", overrides)


def read(path: Path, overrides: Iterable[str] = ()) -> Experiment:
    """The experiment in a YAML file, named like it, with overrides; raises LabError."""
    sections, question = yaml_files.read(path)
    return from_sections(path.stem, question, sections, tuple(overrides), source=str(path))


def parse(name: str, text: str) -> Experiment:
    """An experiment from YAML text, such as the stored config.yaml of a run; raises LabError."""
    source = f"config of {name}"
    return from_sections(name, yaml_files.first_comment(text), yaml_files.mapping(text, source), source=source)


def names() -> list[str]:
    """The names of all experiments in the working directory, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def from_sections(
    name: str, question: str, sections: Any, overrides: tuple[str, ...] = (), source: str = ""
) -> Experiment:
    """Check sections and overrides as a whole; raises LabError with one line per error."""
    errors: list[str] = []
    sections = with_overrides(sections, overrides, errors)
    complete = schema.defaults(top_level) | sections
    invalid = schema.check(top_level, sections, "")
    errors += invalid
    errors += _of_model_and_module(sections)
    if not any(line.split(":")[0] in schema.names(top_level) for line in invalid):
        checked = checked_sections(complete, errors)
    if errors:
        raise LabError(*[_with_source(line, overrides, source) for line in errors])
    return Experiment(name=name, question=question, overrides=overrides, written=sections, **(complete | checked))


def _mapping(part: Part | None) -> dict[str, Any] | None:
    return part.as_mapping() if part else None


def _of_model_and_module(sections: Mapping[str, Any]) -> list[str]:
    """Errors where neither section is given, or one that a module of one's own would not use."""
    if sections.get("module") is None:
        return [] if sections.get("model") is not None else ["model: is required (or module: a LightningModule)"]
    return [
        f"{name}: would not be used, since module: has its own (training_step, configure_optimizers); remove it"
        for name in (*DECIDED_BY_MODULE, "threshold", "combine_with_naive")
        if sections.get(name) not in (None, {}) and sections.get(name) is not False
    ]


def _with_source(line: str, overrides: tuple[str, ...], source: str) -> str:
    """An error with the file that it is in, unless it comes from the command line."""
    from_override = any(line.startswith(override.partition("=")[0]) for override in overrides)
    return line if from_override or not source else f"{source}: {line}"
