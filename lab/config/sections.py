"""The sections of an experiment file: their schemas, their defaults, and how they are checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lab.config import kinds, schema, trainer_settings
from lab.config.types import Count, FoldText, Fraction, NonNegativeFloat, PositiveFloat, PositiveInt, Threshold
from lab.errors import LabError, abbreviated, described, place_of

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import EarlyStopping


SIZES = (
    *("in_features", "in_channels", "length", "padded", "image_size", "out_features", "classes", "vocabulary"),
    "number_columns",
)
# Sections that a module of one's own leaves no use for: it has its own loss, optimizers, schedules and metrics.
DECIDED_BY_MODULE = ("optimizer", "scheduler", "loss", "metrics")
GROUPS = "groups"  # of an optimizer's parameters
# Constructor arguments that the lab passes itself: they are never settings.
SUPPLIED: dict[str, tuple[str, ...]] = {
    "data": ("seed",),
    "model": SIZES,
    "module": ("model", *SIZES),
    "optimizer": ("params",),
    "scheduler": ("optimizer", "total_steps", "last_epoch"),
    "loss": ("class_counts", "class_names"),
    "metrics": ("num_classes", "classes", "num_labels"),
    "early_stopping": ("higher_is_better",),
}


@dataclass(frozen=True)
class Part:
    """A section that names a class or function by `kind`, and its settings.

    `groups`, of an optimizer alone, has other settings for the parameters whose names match a pattern.
    """

    section: str
    kind: str
    settings: Mapping[str, Any]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def target(self) -> Callable[..., Any]:
        """The class or function that the kind names."""
        return kinds.find(self.section, self.kind)

    @property
    def is_foreign(self) -> bool:
        """Whether the code is not the lab's."""
        return self.kind not in kinds.SHIPPED.get(self.section, {})

    def with_settings(self, changes: Mapping[str, Any]) -> "Part":
        """The part with other values of some settings, and without groups."""
        return Part(self.section, self.kind, {**self.settings, **changes})

    def build(self, **supplied: Any) -> Any:
        """Call the target with its settings and those supplied values that it has parameters for; raises LabError."""
        target = self.target
        accepted = {name: value for name, value in supplied.items() if schema.accepts(target, name)}
        common = _names_of_batches(target) if self.section == "data" else []
        settings = {name: value for name, value in self.settings.items() if name not in common}
        try:
            return target(**accepted, **settings)
        except LabError:
            raise
        except (Exception, SystemExit) as error:  # whatever a person's own constructor raises
            message = described(error)
            if isinstance(error, ValueError | TypeError):
                message = message.removeprefix(f"{type(error).__name__}: ")
            raise LabError(f"{self.section}: {self.kind} cannot be built: {message}{place_of(error)}") from error

    @property
    def of_batches(self) -> dict[str, Any]:
        """The settings of `training_batches` in a section `data`; a class with one of that name honours it itself."""
        if self.section != "data":
            return {}
        names = _names_of_batches(self.target)
        return schema.defaults(training_batches) | {
            name: self.settings[name] for name in names if name in self.settings
        }

    def as_mapping(self) -> dict[str, Any]:
        """The section as in a YAML file."""
        groups = {"groups": {pattern: dict(options) for pattern, options in self.groups.items()}} if self.groups else {}
        return {"kind": self.kind, **self.settings, **groups}


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
    threshold: Threshold | None = None,
    threads: PositiveInt | Literal["auto"] = 1,
    channels_last: bool = False,
    conformal: Fraction | None = None,
    combine_with_naive: bool = False,
    start_from: str | None = None,
    freeze: list[str] | None = None,
    unfreeze_at: PositiveInt | None = None,
    resources: dict[str, Any] = {},  # noqa: B006
    search: dict[str, Any] = {},  # noqa: B006
) -> None:
    """The schema of an experiment file: its sections and their defaults.

    With `conformal`, such as 0.9, each predicted value gets an interval that holds that share of new values.
    With `combine_with_naive`, a forecast is the weighted mean of the network's, the last value and the last season.
    With `fold`, such as 2/5, the samples are dealt to 5 parts, the same for every seed; the second is the test split.
    `start_from` is a run, as commands name it, or a file of weights that the network takes over as far as they fit.
    Parameters whose names match a pattern of `freeze` are not trained before epoch `unfreeze_at`, if that is given.
    `threshold` is the probability above which the second of two classes, or a label, is said: 0.5, or another, or that
    which is best by a metric on the validation split.
    """


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


def resources(cpus: PositiveFloat = 1.0, gpus: NonNegativeFloat = 0.0) -> None:
    """What each of many trainings at once takes of a machine; `gpus: 0.25` trains four on one GPU."""


def seeds(
    split: Count | None = None, init: Count | None = None, order: Count | None = None, dropout: Count | None = None
) -> None:
    """Seeds of single sources of chance; each that is not given is `seed`.

    `split` draws the validation split, `init` the initial weights, `order` that of the batches, `dropout` dropout and
    whatever else is random in training.
    """


def training_batches(
    augment: list[dict[str, Any]] = [],  # noqa: B006 (never called)
    mix: Literal["mixup", "cutmix"] | None = None,
    mix_alpha: PositiveFloat = 1.0,
) -> None:
    """Settings of `data:` that every kind has: how the samples of training batches, and only those, are changed.

    `augment` lists random transforms by kind, with their settings. `mix` mixes the samples of a batch in pairs; the
    share of the other one is drawn from Beta(`mix_alpha`, `mix_alpha`).
    """


def checked_sections(complete: dict[str, Any], errors: list[str]) -> dict[str, Any]:
    """The sections with every default included, as parts where they have a kind; errors are added to `errors`."""
    unused = DECIDED_BY_MODULE if complete["module"] is not None else ()
    parts: dict[str, Any] = {
        section: _part(section, complete[section], errors)
        for section in kinds.SHIPPED
        if complete.get(section) is not None and section not in unused
    }
    parts |= {section: None for section in unused if section != "metrics"}
    errors += _unused_model(parts)
    if complete["module"] is not None and parts["data"] and parts["data"].of_batches["mix"]:
        errors.append("data.mix: a module of your own has to mix in its training step; experiments/mixup.py shows how")
    parts["metrics"] = {
        name: _part(f"metrics.{name}", content, errors) for name, content in complete["metrics"].items()
    }
    parts["trainer"] = trainer_settings.defaults() | complete["trainer"]
    errors += trainer_settings.errors_in(complete["trainer"], own_module=complete["module"] is not None)
    if complete["early_stopping"] is not None:
        supplied = SUPPLIED["early_stopping"]
        errors += schema.check(early_stopping, complete["early_stopping"], "early_stopping", supplied)
        parts["early_stopping"] = schema.defaults(early_stopping, supplied) | complete["early_stopping"]
    errors += schema.check(resources, complete["resources"], "resources")
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
    groups = settings.pop(GROUPS, None) or {} if section == "optimizer" else {}
    try:
        target = kinds.find(section, kind)
    except LabError as error:
        errors += error.lines
        return None
    supplied = SUPPLIED[section.partition(".")[0]]
    common = _names_of_batches(target) if section == "data" else []
    of_batches = {name: settings.pop(name) for name in common if name in settings}
    errors += schema.check(target, settings, section, supplied, also=common)
    errors += _batch_errors(of_batches)
    errors += _group_errors(target, settings, groups)
    defaults = {name: value for name, value in schema.defaults(training_batches).items() if name in common}
    return Part(section, kind, schema.defaults(target, supplied) | settings | defaults | of_batches, groups)


def _names_of_batches(target: Callable[..., Any]) -> list[str]:
    """The settings of `training_batches`, without those that a kind of data has a parameter for."""
    return [name for name in schema.names(training_batches) if not schema.accepts(target, name)]


def _batch_errors(given: dict[str, Any]) -> list[str]:
    """One line per invalid setting of `training_batches`."""
    errors = schema.check(training_batches, given, "data")
    if not errors:
        for each in given.get("augment", []):
            _part("data.augment", each, errors)
    return errors


def _group_errors(target: Callable[..., Any], settings: dict[str, Any], groups: Any) -> list[str]:
    """One line per setting of a group of parameters that the optimizer does not accept."""
    path = f"optimizer.{GROUPS}"
    example = '{"head.*": {lr: 0.01}}'
    if not isinstance(groups, dict) or not all(isinstance(options, dict) and options for options in groups.values()):
        return [f"{path}: must map patterns of names to settings, such as {example}, not {abbreviated(str(groups))}"]
    supplied = SUPPLIED["optimizer"]
    of_all = schema.check(target, settings, path, supplied)  # reported for the section
    return [
        line
        for pattern, options in groups.items()
        for line in schema.check(target, settings | options, f"{path}.{pattern}", supplied)
        if line.replace(f"{path}.{pattern}", path, 1) not in of_all
    ]
