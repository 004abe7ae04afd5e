"""`trainer.members`: several networks as one run, and what cannot be trained so."""

from collections.abc import Callable

import lightning as L
import numpy as np
import torch
from torch import nn

from lab.architectures.members import Mean, Members, mean_of_classes, mean_of_values, mean_of_yes, networks_of
from lab.config.experiment import Experiment
from lab.data.base import DataModule
from lab.display.numbers import counted
from lab.errors import LabError
from lab.modules.tasks.task import TaskModule
from lab.training.rehearsal.memory import bounded_parameters

LABELS = ("multilabel", "ordinal")  # of which each output is the logit of a probability of its own


def seeds_of(experiment: Experiment) -> list[int]:
    """`seeds.init` of the runs whose networks the members are: the run's own, then numbers derived from it."""
    first = experiment.seed_of("init")
    derived = (np.random.SeedSequence((first, number)) for number in range(1, experiment.trainer["members"]))
    return [first, *(int(each.generate_state(1)[0]) for each in derived)]


def network(experiment: Experiment, data: DataModule, make: Callable[[], nn.Module]) -> nn.Module:
    """One network, or as many as `trainer.members` says; the generators are seeded for the first of them."""
    with bounded_parameters(experiment.network):
        made = [make()]
        for seed in seeds_of(experiment)[1:]:
            L.seed_everything(seed, workers=True, verbose=False)
            made.append(make())
    return Members(made, _mean_of(data)) if len(made) > 1 else made[0]


def _mean_of(data: DataModule) -> Mean:
    """How the raw outputs of several networks are averaged, so that their predictions are."""
    if data.task in LABELS or data.sizes.classes == 2:
        return mean_of_yes
    return mean_of_values if data.target_scale is not None else mean_of_classes


def check(experiment: Experiment, module: TaskModule) -> None:
    """Raise LabError where the members would learn from each other, or all learn the same."""
    networks = networks_of(module.architecture)
    if len(networks) == 1:
        return
    if next(module.loss.parameters(), None) is not None:
        raise LabError(
            f"trainer.members: {type(module.loss).__name__} has parameters, which {len(networks)} members would share; "
            "use 1, or a loss without any"
        )
    first, second = (list(each.parameters()) for each in networks[:2])
    if all(torch.equal(*pair) for pair in zip(first, second, strict=True)):
        raise LabError(
            f"trainer.members: {len(networks)} members would all learn the same: {experiment.part('model').kind} draws "
            "no initial weights; use 1"
        )


def notes(experiment: Experiment) -> list[tuple[str, str]]:
    """A line for the user on where each member is a run of its own."""
    seeds = seeds_of(experiment)
    if len(seeds) == 1:
        return []
    named = ", ".join(str(seed) for seed in seeds)
    return [("members", f"{counted(len(seeds), 'network')}, averaged; each starts as with seeds.init = {named}")]
