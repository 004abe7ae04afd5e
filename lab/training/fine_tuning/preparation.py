"""What an experiment asks of a network before it is trained: weights loaded into it, and parts of it frozen."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from lab.architectures.libraries import library_of
from lab.architectures.pretrained import Normalised, Pretrained
from lab.config.experiment import Experiment
from lab.data.base import DataModule
from lab.modules.tasks.task import TaskModule
from lab.training.fine_tuning import start
from lab.training.fine_tuning.freezing import Freezing, freezing_of
from lab.weights.loading import shown

TAG = "lab.weights."  # of a run: what was loaded, by setting
SMALL = "a larger data.size, or a network with fewer strides, suits them better"


@dataclass(frozen=True)
class FineTuning:
    """The freezing, if any; notes for the user as (subject, sentence); and tags of the run."""

    freezing: Freezing | None = None
    notes: Sequence[tuple[str, str]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


NOTHING = FineTuning()


def normalised(network: nn.Module, data: DataModule) -> nn.Module:
    """A network behind the scaling that its pretrained weights expect, where it has such and pixels have a range."""
    pretrained, largest = _pretrained_of(network), getattr(getattr(data, "encoding", None), "largest", None)
    if pretrained is None or not pretrained.mean or largest is None:
        return network
    scale = data.input_scale
    return Normalised(network, scale.mean, scale.std, largest, pretrained)


def prepare(experiment: Experiment, data: DataModule, module: nn.Module) -> tuple[Experiment, FineTuning]:
    """Load and freeze as the experiment says; returns it with the hashes of the weights. Raises LabError."""
    notes: list[tuple[str, str]] = []
    tags: dict[str, str] = {}
    taken: set[str] = set()
    if isinstance(module, TaskModule) and library_of(experiment.part("model").kind):
        notes += _of_size(module.architecture, data)
    if (pretrained := _pretrained_of(module)) is not None:
        experiment = _with_weights(experiment, pretrained.weights)
        if pretrained.loaded is not None:
            notes.append(("weights", str(pretrained.loaded)))
            tags[f"{TAG}model"] = str(pretrained.loaded)
            taken |= set(pretrained.loaded.loaded)
        notes += _of_scaling(module, pretrained)
    if experiment.start_from is not None:
        loaded, exact = start.load(module, experiment.start_from)
        experiment = dataclasses.replace(experiment, start_from=exact)
        notes += [("start_from", line) for line in (str(loaded), *start.other_names(exact, data))]
        taken |= set(loaded.loaded)
        tags[f"{TAG}start_from"] = str(loaded)
    epochs = experiment.trainer["max_epochs"]
    freezing = freezing_of(experiment.freeze, experiment.unfreeze_at, epochs, module)
    if freezing is not None:
        notes.append(("freeze", freezing.note(module)))
        if taken and (new := freezing.new(module, taken)):
            notes.append(("freeze", f"frozen with random weights, since none were loaded: {shown(new)}"))
    return experiment, FineTuning(freezing, notes, tags)


def _pretrained_of(module: nn.Module) -> Pretrained | None:
    found = (getattr(layer, "pretrained", None) for layer in module.modules())
    return next((each for each in found if isinstance(each, Pretrained)), None)


def _with_weights(experiment: Experiment, weights: str) -> Experiment:
    assert experiment.model is not None, "the weights are a setting of it"
    return dataclasses.replace(experiment, model=experiment.model.with_settings({"weights": weights}))


def _of_scaling(module: nn.Module, pretrained: Pretrained) -> list[tuple[str, str]]:
    if not pretrained.mean or any(isinstance(layer, Normalised) for layer in module.modules()):
        return []
    return [("weights", "the range of the data is not known: inputs keep its mean and deviation, not the weights'")]


@torch.no_grad()
def _of_size(network: nn.Module, data: DataModule) -> list[tuple[str, str]]:
    """A note where convolutions of 3×3 or more see a single pixel, since strides have used up the image."""
    blind: list[bool] = []

    def see(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        blind.append(tuple(inputs[0].shape[2:]) == (1, 1))

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1]
    hooks = [layer.register_forward_pre_hook(see) for layer in layers]
    training = network.training
    try:
        network.eval()(data.first_samples(2))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    if not any(blind):
        return []
    size = "×".join(map(str, data.sizes.input_shape[1:]))
    return [("model", f"{sum(blind)} of {len(blind)} convolutions see a single pixel of these {size} images: {SMALL}")]
