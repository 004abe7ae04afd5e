"""Optuna's samplers, which choose the settings of trials, and pruners, which end hopeless trials, by name."""

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

Sampler = Literal["tpe", "gp", "random", "cmaes"]
Pruner = Literal["hyperband", "median", "none"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
PRUNERS: tuple[Pruner, ...] = get_args(Pruner)


def make_sampler(kind: Sampler, trials: int, seed: int) -> "BaseSampler":
    """Optuna's sampler of that name, for a study of `trials` trials."""
    from optuna import samplers

    if kind == "gp":
        return samplers.GPSampler(seed=seed, independent_sampler=samplers.RandomSampler(seed=seed))
    if kind == "random":
        return samplers.RandomSampler(seed=seed)
    if kind == "cmaes":
        return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    startup = min(10, max(4, trials // 3))
    return samplers.TPESampler(seed=seed, n_startup_trials=startup, multivariate=True, group=True, constant_liar=True)


def make_pruner(kind: Pruner, max_epochs: int) -> "BasePruner":
    """Optuna's pruner of that name, for trials of `max_epochs` epochs."""
    from optuna import pruners

    if kind == "none":
        return pruners.NopPruner()
    if kind == "median":
        return pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, max_epochs // 10))
    return pruners.HyperbandPruner(min_resource=max(1, max_epochs // 9), max_resource=max_epochs, reduction_factor=3)
