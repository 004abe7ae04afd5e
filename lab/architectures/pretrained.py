"""Image networks of torchvision and timm, fitted to the data: head, first layer, and weights with their scaling."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lab.architectures.libraries import LIBRARIES, Library, library_of
from lab.errors import LabError, described
from lab.weights import files, loading
from lab.weights.files import Weights
from lab.weights.loading import Loaded

NONE = (None, "none")
CHANNELS = 3  # red, green and blue, of which pretrained weights are


@dataclass(frozen=True)
class Pretrained:
    """What was loaded from which weights, with their hash; and the mean and deviation that they expect of pixels.

    `loaded` is None where a checkpoint has the weights.
    """

    loaded: Loaded | None
    weights: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


class InCheckpoint(str):
    """A setting `weights` of a network whose checkpoint is loaded next: they are not read, and may be gone by now."""


class Normalised(nn.Module):
    """Gives standardised images the mean and deviation that pretrained weights expect.

    `mean` and `std` are those of the data (C, 1, 1); a raw value is at most `largest`. Shapes: (N, C, H, W) to the
    output of `architecture`.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, architecture: nn.Module, mean: Tensor, std: Tensor, largest: float, expected: Pretrained):
        super().__init__()
        wanted_mean, wanted_std = (_of_channels(each, len(mean)) for each in (expected.mean, expected.std))
        self.register_buffer("factor", std / largest / wanted_std, persistent=False)
        self.register_buffer("offset", (mean / largest - wanted_mean) / wanted_std, persistent=False)
        self.architecture = architecture

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to logits or values (N, out_features)."""
        return self.architecture(x * self.factor + self.offset)


def _of_channels(values: tuple[float, ...], channels: int) -> Tensor:
    """A value for each channel (C, 1, 1): of one that is not red, green or blue the mean of the three."""
    each = values if len(values) == channels else [sum(values) / len(values)] * channels
    return torch.tensor(each)[:, None, None]


@cache
def network_of(module_name: str, name: str) -> Callable[..., nn.Module]:
    """The function that builds a network of a library; raises LabError for an unknown name or a missing library."""
    library = LIBRARIES[module_name]
    library.check(name)

    def network(
        in_channels: int,
        out_features: int,
        weights: str | None = None,
        normalise: Literal["weights", "data"] = "weights",
        **settings: Any,
    ) -> nn.Module:
        """Images (N, C, H, W) to (N, out_features).

        `weights` is a file of weights, or a name that the library downloads, such as DEFAULT; none by default. What
        fits is loaded: the head stays new where it has other classes. With other than three channels, the filters of
        the first convolution are summed for one, else repeated and scaled so that their sum stays (as timm does).
        With weights, pixels are scaled as the weights expect; `normalise: data` keeps the scaling of the data.
        """
        if settings.pop("num_classes", out_features) != out_features:
            raise LabError(f"model.num_classes: the data has {out_features} outputs; remove the setting")
        made = library.build(name, in_channels, out_features, settings)
        _adapt_first_layer(made, in_channels)
        if weights not in NONE:
            assert weights is not None, "one of NONE"
            made.pretrained = _loaded(library, name, made, weights, normalise)  # type: ignore[assignment]
        return made

    network.input_shape = ("N", "C", "H", "W")  # type: ignore[attr-defined]
    network.__name__ = f"{library.short}_{name}"
    return network


def _loaded(library: Library, name: str, network: nn.Module, weights: str, normalise: str) -> Pretrained:
    mean, std = library.statistics(name) if normalise == "weights" else ((), ())
    if isinstance(weights, InCheckpoint):
        return Pretrained(None, str(weights), mean, std)
    state, pinned = _read(library, name, weights)
    first = _first_convolution(network)
    if first is not None:
        state = _with_channels(state, f"{first[0]}.weight", first[1].in_channels // first[1].groups)
    with _naming_the_setting():
        loaded = loading.load(network, state, files.unpinned(pinned)[0])
    return Pretrained(loaded, pinned, mean, std)


def pinned_weights(kind: str, settings: Mapping[str, Any]) -> str:
    """The setting `weights` of a library's network with the hash of the weights; "" for other networks, or none."""
    found = library_of(kind)
    weights = settings.get("weights")
    return _read(LIBRARIES[found[0]], found[1], weights)[1] if found and weights not in NONE else ""


def _read(library: Library, name: str, weights: str) -> tuple[Weights, str]:
    """The weights, and the setting with their hash; raises LabError."""
    source, expected = files.unpinned(weights)
    with _naming_the_setting():
        state = files.read(source) if files.is_file(source) else _downloaded(library, name, source)
        return state, files.pinned(source, state, expected)


@contextmanager
def _naming_the_setting() -> Iterator[None]:
    """Name the setting in front of errors."""
    try:
        yield
    except LabError as error:
        raise type(error)(*(f"model.weights: {line}" for line in error.lines)) from None


def _downloaded(library: Library, name: str, weights: str) -> Weights:
    """The weights of that name from the library's cache, or from the network."""
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)  # it announces each of its attempts
    try:
        return library.download(name, weights)
    except LabError:
        raise
    except Exception as error:  # of urllib, requests and huggingface_hub, for every way to have no network
        raise LabError(
            f"{weights} of {library.short}:{name} is not in the cache and cannot be downloaded; name a file "
            f"({', '.join(files.SUFFIXES)}): {described(error)[:150]}"
        ) from None


def _first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d] | None:
    return next(((name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)), None)


@torch.no_grad()
def _adapt_first_layer(network: nn.Module, channels: int) -> None:
    """Replace the first convolution by one for the channels of the data, unless it takes them."""
    found = _first_convolution(network)
    if found is None or found[1].in_channels == channels or found[1].in_channels != CHANNELS:
        return
    name, old = found
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
    )
    new.weight.copy_(for_channels(old.weight, channels))
    if new.bias is not None and old.bias is not None:
        new.bias.copy_(old.bias)
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, new)


def _with_channels(weights: Weights, name: str, channels: int) -> Weights:
    """Weights whose first convolution, if it is of three channels, is one of the channels given."""
    filters = weights.get(name)
    if filters is None or filters.ndim != 4 or filters.shape[1] != CHANNELS or channels == CHANNELS:
        return weights
    return {**weights, name: for_channels(filters, channels)}


def for_channels(filters: Tensor, channels: int) -> Tensor:
    """Filters (O, 3, H, W) for other channels: their sum for one, else repeated and scaled by 3 / C.

    An image whose channels are equal then gives the same output as before, as far as C is a multiple of 3 or 1.
    """
    if channels == 1:
        return filters.sum(1, keepdim=True)
    repeated = filters.repeat(1, ceil(channels / CHANNELS), 1, 1)[:, :channels]
    return repeated * (CHANNELS / channels)
