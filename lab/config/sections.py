"""The sections of an experiment file: which there are, what stands for those left out, and how each is checked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lab.config import kinds, schema, yaml_files
from lab.config.types import Count, NonNegativeFloat, PositiveInt
from lab.errors import LabError

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import EarlyStopping


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


def top_level(
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
    changed = with_overrides(sections, overrides, mistakes)
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


def with_overrides(sections: Any, overrides: Iterable[str], mistakes: list[str]) -> dict[str, Any]:
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
            before = schema.defaults(top_level).get(section) or {}
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


def checked_sections(complete: dict[str, Any], mistakes: list[str]) -> dict[str, Any]:
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


def early_stopping(
    higher_is_better: bool,
    monitor: str = "val/loss",
    patience: PositiveInt = 10,
    min_delta: NonNegativeFloat = 0.0,
) -> "EarlyStopping":
    """Stop once `monitor` has not improved by more than `min_delta` for `patience` epochs."""
    from lightning.pytorch.callbacks import EarlyStopping

    mode = "max" if higher_is_better else "min"
    return EarlyStopping(monitor, min_delta=min_delta, patience=patience, mode=mode, check_finite=False)


def checkpoints(every_seconds: NonNegativeFloat = 30.0) -> float:
    """Keep the state of a run every so many seconds, beside that of each best epoch."""
    return every_seconds
