"""The libraries of image networks that are named as `torchvision.models:resnet18` and `timm:resnet18`."""

import importlib
from abc import ABC, abstractmethod
from typing import Any

from torch import nn

from lab.errors import LabError, Unavailable, described, did_you_mean, install
from lab.weights.files import Weights

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation of each channel
DEFAULT = "DEFAULT"


class Library(ABC):
    """Networks by name; `short` is how the library is called."""

    short: str
    module_name: str

    @property
    def module(self) -> Any:
        """The library, imported late; raises LabError where it cannot be."""
        try:
            return importlib.import_module(self.module_name)
        except ModuleNotFoundError:
            raise Unavailable(f"model.kind: {self.short} is not installed: {install('vision')}") from None
        except Exception as error:  # a build for another torch fails in many ways
            raise Unavailable(
                f"model.kind: {self.short} cannot be imported beside this torch ({described(error)}); install the "
                "build of torchvision that belongs to it"
            ) from None

    @abstractmethod
    def names(self) -> list[str]:
        """The names of all networks."""

    @abstractmethod
    def build(self, name: str, channels: int, outputs: int, settings: dict[str, Any]) -> nn.Module:
        """A network with new weights."""

    @abstractmethod
    def download(self, name: str, weights: str) -> Weights:
        """Weights of that name; raises LabError for an unknown one, anything where there is no network."""

    @abstractmethod
    def statistics(self, name: str) -> Statistics:
        """What the pretrained weights of a network expect of pixels in 0..1."""

    def check(self, name: str) -> None:
        """Raise LabError, with similar names, for a network that the library does not have."""
        known = self.names()
        if name.partition(".")[0] not in known:
            near = did_you_mean(name, known)
            hint = near if near.startswith("did you mean") else f"it has {len(known)}, such as resnet18"
            raise LabError(f"model.kind: {self.short} has no network '{name}'; {hint}")


class Torchvision(Library):
    """torchvision.models: its classification networks."""

    short, module_name = "torchvision", "torchvision.models"

    def names(self) -> list[str]:
        """Classification networks only: those of the submodules do other tasks."""
        return list(self.module.list_models(module=self.module))

    def build(self, name: str, channels: int, outputs: int, settings: dict[str, Any]) -> nn.Module:
        """With three channels: it knows no others."""
        return self.module.get_model(name, weights=None, num_classes=outputs, **settings)

    def download(self, name: str, weights: str) -> Weights:
        """From torch hub's cache, or the network."""
        known = self.module.get_model_weights(name)
        if weights not in known.__members__:
            raise LabError(
                f"no file, and no weights of that name: {weights}; {did_you_mean(weights, known.__members__)}"
            )
        return known[weights].get_state_dict(progress=False, check_hash=True)

    def statistics(self, name: str) -> Statistics:
        """Those of the default weights."""
        transforms = self.module.get_model_weights(name).DEFAULT.transforms()
        return tuple(transforms.mean), tuple(transforms.std)


class Timm(Library):
    """timm: networks by name, with the tag of the weights after a dot (resnet18.a1_in1k)."""

    short, module_name = "timm", "timm"

    def names(self) -> list[str]:
        """Without tags."""
        return list(self.module.list_models())

    def build(self, name: str, channels: int, outputs: int, settings: dict[str, Any]) -> nn.Module:
        """As timm builds it."""
        return self.module.create_model(name, num_classes=outputs, in_chans=channels, **settings)

    def download(self, name: str, weights: str) -> Weights:
        """From Hugging Face's cache, or the network; `weights` is a tag, or DEFAULT for that of the name."""
        tags = [each.partition(".")[2] for each in self.module.list_pretrained(f"{name.partition('.')[0]}.*")]
        if weights not in (DEFAULT, *tags):
            raise LabError(
                f"no file, and no weights of that name: {weights}; {did_you_mean(weights, [DEFAULT, *tags])}"
            )
        full = name if weights == DEFAULT else f"{name.partition('.')[0]}.{weights}"
        return self.module.create_model(full, pretrained=True).state_dict()

    def statistics(self, name: str) -> Statistics:
        """Those of the default weights of the name."""
        config = self.module.get_pretrained_cfg(name)
        return tuple(config.mean), tuple(config.std)


LIBRARIES: dict[str, Library] = {each.module_name: each for each in (Torchvision(), Timm())}


def library_of(kind: str) -> tuple[str, str] | None:
    """The library's module and the network's name in `torchvision.models:resnet18` or `timm:resnet18`."""
    module_name, _, name = kind.partition(":") if ":" in kind else kind.rpartition(".")
    return (module_name, name) if module_name in LIBRARIES else None
