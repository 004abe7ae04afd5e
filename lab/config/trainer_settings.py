"""The section `trainer`: Lightning's Trainer, with the lab's own defaults, bounds and settings."""

from collections.abc import Callable
from typing import Any, Literal

from lab.config import kinds, schema
from lab.config.types import Count, Fraction, NonNegativeFloat, PositiveInt, Share

# Arguments of Trainer that the lab passes itself: they are never settings.
SUPPLIED = (
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
)
# Arguments of Trainer that cannot be honoured, and why.
REFUSED = {
    "overfit_batches": "not with the lab's loaders; limit_train_batches=1 trains on one batch of each epoch",
    "reload_dataloaders_every_n_epochs": "the data of a run stays the same",
    "sync_batchnorm": "batch norm takes the samples on its own device; raise data.batch_size, or use one device",
}
STRATEGIES = ("auto", "ddp")  # which are the same: `ddp` where there are several devices


def _bounds(
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


def _types(
    max_steps: PositiveInt | Literal[-1] = -1,
    min_epochs: PositiveInt | None = None,
    min_steps: PositiveInt | None = None,
    max_time: str | dict[Literal["weeks", "days", "hours", "minutes", "seconds"], Count] | None = None,
    limit_train_batches: PositiveInt | Share | None = None,
    limit_val_batches: PositiveInt | Share | None = None,
    limit_test_batches: PositiveInt | Share | None = None,
    val_check_interval: PositiveInt | Share | None = None,
    check_val_every_n_epoch: PositiveInt = 1,
) -> None:
    """The arguments of Trainer of which the lab takes fewer values: each split is used."""


def _averaging(
    average: Literal["ema", "swa"] | None = None,
    average_decay: Fraction = 0.99,
    average_from: PositiveInt | None = None,
) -> None:
    """The settings of the lab's own: averaged weights, which are validated, tested and exported.

    `ema` averages after every step, with the weight `average_decay` on the average before it; `swa` takes the mean of
    the weights at the end of each epoch. Both begin in epoch `average_from`; by default ema in the first, swa after
    three quarters of the epochs.
    """


def _ensemble(members: PositiveInt = 1) -> None:
    """The settings of the lab's own for networks that are trained side by side and evaluated as one.

    Each of the `members` has its own initial weights and its own loss; their probabilities, or values, are averaged.
    """


def _recording(histograms: bool = False) -> None:
    """The settings of the lab's own that say what is recorded."""


OWN = (_averaging, _ensemble, _recording)


def schemas() -> tuple[Callable[..., Any], ...]:
    """The functions by whose signatures the lab checks arguments of Trainer, and settings of its own."""
    return _bounds, _types, *OWN


def defaults() -> dict[str, Any]:
    """The settings for which the lab has its own default."""
    return {name: value for each in (_bounds, *OWN) for name, value in schema.defaults(each).items()}


def own() -> list[str]:
    """The settings of which Lightning's Trainer knows nothing."""
    return [name for each in OWN for name in schema.names(each)]


def errors_in(given: dict[str, Any], own_module: bool) -> list[str]:
    """One line per setting of Trainer that Lightning, or the lab, does not accept."""
    errors = [f"trainer.{name}: {why}" for name, why in REFUSED.items() if name in given]
    errors += _errors_of_devices(given)
    rest = {name: value for name, value in given.items() if name not in (*REFUSED, "strategy", "num_nodes")}
    for types in schemas():
        typed = {name: rest.pop(name) for name in schema.names(types) if name in rest}
        errors += schema.check(types, typed, "trainer")
    if not errors:
        errors += _averaging_errors(defaults() | given, own_module)
        errors += _members_errors(defaults() | given, own_module)
    return errors + schema.check(kinds.trainer(), rest, "trainer", (*SUPPLIED, *REFUSED), own())


def _errors_of_devices(given: dict[str, Any]) -> list[str]:
    """One line per setting that asks for several machines, or for a network that is divided among devices."""
    errors = []
    if (nodes := given.get("num_nodes", 1)) != 1 or isinstance(nodes, bool):
        errors.append(f"trainer.num_nodes: must be 1, not {nodes}: a run trains on the devices of one machine")
    if (strategy := given.get("strategy", "auto")) not in STRATEGIES:
        errors.append(
            f"trainer.strategy: must be {' or '.join(STRATEGIES)}, not '{strategy}': each device has the whole network "
            "and a share of each batch"
        )
    return errors


def _averaging_errors(settings: dict[str, Any], own_module: bool) -> list[str]:
    """One line where averages cannot be had as they are set."""
    if settings["average"] is None:
        return []
    if own_module:
        return [
            "trainer.average: is not for a module of your own, whose steps the lab does not take; use "
            "torch.optim.swa_utils.AveragedModel in it"
        ]
    if (settings["average_from"] or 1) > settings["max_epochs"]:
        return [
            f"trainer.average_from: {settings['average_from']} is more than trainer.max_epochs, "
            f"{settings['max_epochs']}: no weights are averaged"
        ]
    return []


def _members_errors(settings: dict[str, Any], own_module: bool) -> list[str]:
    """One line where several networks cannot be trained as one."""
    if settings["members"] == 1 or not own_module:
        return []
    return [
        "trainer.members: is not for a module of your own, whose loss the lab does not take; use 1, and average in it"
    ]
