"""The sections of an experiment file: their schemas, their defaults, and how they are checked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lab.config import kinds, schema, yaml_files
from lab.config.types import Count, FoldText, NonNegativeFloat, PositiveInt, Share
from lab.errors import LabError, abbreviated, described, place_of

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import EarlyStopping


SIZES = ("in_features", "in_channels", "length", "padded", "image_size", "out_features", "classes")
# Sections that a module of one's own leaves no use for: it has its own loss, optimizers, schedules and metrics.
DECIDED_BY_MODULE = ("optimizer", "scheduler", "loss", "metrics")
# Constructor arguments that the lab passes itself: they are never settings.
SUPPLIED: dict[str, tuple[str, ...]] = {
    "data": ("seed",),
    "model": SIZES,
    "module": ("model", *SIZES),
    "optimizer": ("params",),
    "scheduler": ("optimizer", "total_steps", "last_epoch"),
    "loss": ("class_counts",),
    "metrics": ("num_classes", "classes"),
    "early_stopping": ("higher_is_better",),
    "trainer": (
        "logger",
        "callbacks",
        "plugins",
        "default_root_dir",
        "enable_checkpointing",
        "enable_progress_bar",
        "enable_model_summary",
        "enable_autolog_hparams",
        "model_registry",
        "barebones",
        "fast_dev_run",
        "num_sanity_val_steps",
        "use_distributed_sampler",
        "limit_predict_batches",
    ),
}
# Arguments of Trainer that cannot be honoured, and why.
REFUSED = {
    "overfit_batches": "not with the lab's loaders; limit_train_batches=1 trains on one batch of each epoch",
    "reload_dataloaders_every_n_epochs": "the data of a run stays the same",
    "sync_batchnorm": "a run trains on one device",
}


@dataclass(frozen=True)
class Part:
    """A section that names a class or function by `kind`, and its settings."""

    section: str
    kind: str
    settings: Mapping[str, Any]

    @property
    def target(self) -> Callable[..., Any]:
        """The class or function that the kind names."""
        return kinds.find(self.section, self.kind)

    def build(self, **supplied: Any) -> Any:
        """Call the target with its settings and those supplied values that it has parameters for; raises LabError."""
        target = self.target
        accepted = {name: value for name, value in supplied.items() if schema.accepts(target, name)}
        try:
            return target(**accepted, **self.settings)
        except LabError:
            raise
        except (Exception, SystemExit) as error:  # whatever a person's own constructor raises
            message = described(error)
            if isinstance(error, ValueError | TypeError):
                message = message.removeprefix(f"{type(error).__name__}: ")
            raise LabError(f"{self.section}: {self.kind} cannot be built: {message}{place_of(error)}") from error

    def as_mapping(self) -> dict[str, Any]:
        """The section as in a YAML file."""
        return {"kind": self.kind, **self.settings}


def top_level(
    data: dict[str, Any],
    model: dict[str, Any] | None = None,
    module: dict[str, Any] | None = None,
    optimizer: dict[str, Any] = {"kind": "adamw"},  # noqa: B006 (never called)
    scheduler: dict[str, Any] = {"kind": "constant"},  # noqa: B006
    loss: dict[str, Any] | None = None,
    metrics: dict[str, dict[str, Any]] = {},  # noqa: B006
    trainer: dict[str, Any] = {},  # noqa: B006
    early_stopping: dict[str, Any] | None = None,
    checkpoints: dict[str, Any] = {},  # noqa: B006
    seed: Count = 0,
    seeds: dict[str, Any] = {},  # noqa: B006
    fold: FoldText | None = None,
    threads: PositiveInt | Literal["auto"] = 1,
    channels_last: bool = False,
    search: dict[str, Any] = {},  # noqa: B006
) -> None:
    """The schema of an experiment file: its sections and their defaults.

    With `fold`, such as 2/5, the samples are dealt to 5 parts, the same for every seed; the second is the test split.
    """


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
    """The arguments of Trainer for which the lab has its own default."""


def _trainer_types(
    max_steps: PositiveInt | Literal[-1] = -1,
    min_epochs: PositiveInt | None = None,
    min_steps: PositiveInt | None = None,
    max_time: str | dict[Literal["weeks", "days", "hours", "minutes", "seconds"], Count] | None = None,
    limit_train_batches: PositiveInt | Share | None = None,
    limit_val_batches: PositiveInt | Share | None = None,
    limit_test_batches: PositiveInt | Share | None = None,
    val_check_interval: PositiveInt | Share | None = None,
    check_val_every_n_epoch: PositiveInt = 1,
    num_nodes: Literal[1] = 1,
    strategy: Literal["auto"] = "auto",
) -> None:
    """The arguments of Trainer of which the lab takes fewer values: each split is used, on one device."""


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


def checkpoints(every_seconds: NonNegativeFloat = 30.0, monitor: str | None = "val/loss") -> None:
    """The seconds between checkpoints of a run, which are written in addition to those of the best epochs.

    `monitor` is the metric of the best epoch; null: the last epoch is kept.
    """


def seeds(
    split: Count | None = None, init: Count | None = None, order: Count | None = None, dropout: Count | None = None
) -> None:
    """Seeds of single sources of chance; each that is not given is `seed`.

    `split` draws the validation split, `init` the initial weights, `order` that of the batches, `dropout` dropout and
    whatever else is random in training.
    """


def checked_sections(complete: dict[str, Any], errors: list[str]) -> dict[str, Any]:
    """The sections with every default included, as parts where they have a kind; errors are added to `errors`."""
    unused = DECIDED_BY_MODULE if complete["module"] is not None else ()
    parts: dict[str, Any] = {
        section: _part(section, complete[section], errors)
        for section in kinds.SHIPPED
        if complete[section] is not None and section not in unused
    }
    parts |= {section: None for section in unused if section != "metrics"}
    errors += _unused_model(parts)
    parts["metrics"] = {
        name: _part(f"metrics.{name}", content, errors) for name, content in complete["metrics"].items()
    }
    parts["trainer"] = schema.defaults(_trainer_bounds) | complete["trainer"]
    errors += _trainer_errors(complete["trainer"])
    if complete["early_stopping"] is not None:
        supplied = SUPPLIED["early_stopping"]
        errors += schema.check(early_stopping, complete["early_stopping"], "early_stopping", supplied)
        parts["early_stopping"] = schema.defaults(early_stopping, supplied) | complete["early_stopping"]
    errors += schema.check(seeds, complete["seeds"], "seeds")
    errors += schema.check(checkpoints, complete["checkpoints"], "checkpoints")
    parts["checkpoints"] = schema.defaults(checkpoints) | complete["checkpoints"]
    return parts


def _unused_model(parts: Mapping[str, Any]) -> list[str]:
    """An error where a module of one's own does not take the network of `model:`, or takes one that is not given."""
    module, model = parts.get("module"), parts.get("model")
    if module is None:
        return []
    if model is not None and not schema.accepts(module.target, "model"):
        return [f"model: would not be used: {module.kind} has no argument `model`; remove the section"]
    if model is None and schema.requires(module.target, "model"):
        return [f"model: is required: {module.kind} takes a network as its argument `model`"]
    return []


def _trainer_errors(given: dict[str, Any]) -> list[str]:
    """One line per setting of Trainer that Lightning, or the lab, does not accept."""
    errors = [f"trainer.{name}: {why}" for name, why in REFUSED.items() if name in given]
    rest = {name: value for name, value in given.items() if name not in REFUSED}
    for types in (_trainer_bounds, _trainer_types):
        typed = {name: rest.pop(name) for name in schema.names(types) if name in rest}
        errors += schema.check(types, typed, "trainer")
    return errors + schema.check(kinds.trainer(), rest, "trainer", (*SUPPLIED["trainer"], *REFUSED))


def part(section: str, content: dict[str, Any]) -> Part:
    """One section, checked and with its defaults; raises LabError with one line per error."""
    errors: list[str] = []
    found = _part(section, content, errors)
    if found is None or errors:
        raise LabError(*errors)
    return found


def _part(section: str, content: dict[str, Any], errors: list[str]) -> Part | None:
    """One section checked against the signature of its kind; None if there is no such kind."""
    settings = dict(content)
    kind = settings.pop("kind", None)
    try:
        target = kinds.find(section, kind)
    except LabError as error:
        errors += error.lines
        return None
    supplied = SUPPLIED[section.partition(".")[0]]
    errors += schema.check(target, settings, section, supplied)
    return Part(section, kind, schema.defaults(target, supplied) | settings)


def overridden(sections: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of the sections with each `name=value` applied; raises LabError with one line per error."""
    errors: list[str] = []
    changed = with_overrides(sections, overrides, errors)
    if errors:
        raise LabError(*errors)
    return changed


def with_overrides(sections: Any, overrides: Iterable[str], errors: list[str]) -> dict[str, Any]:
    """A copy of the sections with each `name=value` applied; invalid ones are added to `errors`."""
    changed = {name: dict(part) if isinstance(part, dict) else part for name, part in sections.items()}
    overridden_names: set[str] = set()
    for override in overrides:
        name, equals, text = override.partition("=")
        section, _, setting = name.strip().partition(".")
        if not equals or not section or not name.isprintable():
            errors.append(f"{abbreviated(override)}: write a setting and its value, such as optimizer.lr=0.01")
            continue
        value = yaml_files.parse(text, abbreviated(override))
        content = changed.get(section)
        if content is None:
            content = schema.defaults(top_level).get(section) or {}
        if not setting:
            changed[section] = value
        elif isinstance(content, dict):
            changed[section] = content | {setting: value}
            overridden_names.add(name.strip())
        else:
            errors.append(f"{name}: no such setting; {section} is a single value")
    for section in kinds.SHIPPED:
        if f"{section}.kind" in overridden_names and isinstance(sections.get(section), dict):
            changed[section] = _without_old_settings(
                section, sections[section].get("kind"), changed[section], overridden_names
            )
    return changed


def _without_old_settings(
    section: str, old_kind: Any, content: dict[str, Any], overridden_names: set[str]
) -> dict[str, Any]:
    """A section whose kind was overridden, without the settings in the file that only the old kind has."""
    try:
        old, new = kinds.find(section, old_kind), kinds.find(section, content["kind"])
    except LabError:  # reported when the section is checked
        return content
    return {
        name: value
        for name, value in content.items()
        if name == "kind"
        or f"{section}.{name}" in overridden_names
        or schema.accepts(new, name)
        or not schema.accepts(old, name)
    }
