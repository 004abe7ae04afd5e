"""Transforms of torchvision, which take images as they are stored: bytes, or floats from 0 to 1."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lab.config.sections import Part
from lab.data.loaders import batch_of
from lab.data.preparation import Scale
from lab.errors import LabError

LIBRARY = "torchvision."
ENUMS = ("interpolation", "fill_interpolation")  # settings that are text in YAML and an enumeration in torchvision
ROWS = 1_024  # read at a time


def is_of_torchvision(part: Part) -> bool:
    """Whether a transform is torchvision's."""
    return part.target.__module__.startswith(LIBRARY)


def build(part: Part) -> Any:
    """The transform; raises LabError where torchvision refuses its settings."""
    from torchvision.transforms import InterpolationMode

    settings = dict(part.settings)
    for name in ENUMS:
        if isinstance(settings.get(name), str):
            try:
                settings[name] = InterpolationMode(settings[name])
            except ValueError:
                known = ", ".join(mode.value for mode in InterpolationMode)
                raise LabError(f"data.augment.{name}: must be one of {known}, not {settings[name]!r}") from None
    return Part(part.section, part.kind, settings).build()


@dataclass(frozen=True)
class PixelRange:
    """How standardised images (C, H, W) are turned into those that torchvision takes, and back.

    Images of 8 bits are bytes; of all others the lowest value of the training images is 0 and the highest 1.
    """

    scale: Scale
    low: float
    high: float
    bytes: bool

    def apply(self, transform: Any, image: Tensor) -> Tensor:
        """A standardised image, changed by a transform; raises TypeError where that changes the type of the pixels."""
        raw = (self.scale.invert(image) - self.low) / (self.high - self.low)
        given = (raw * 255).round().to(torch.uint8) if self.bytes else raw
        changed = transform(given)
        if not isinstance(changed, Tensor) or changed.dtype != given.dtype:
            kind = changed.dtype if isinstance(changed, Tensor) else type(changed).__name__
            raise TypeError(f"makes {given.dtype} pixels {kind}")
        values = changed / 255 if self.bytes else changed
        return self.scale.apply(values * (self.high - self.low) + self.low)


def range_of(dataset: Any, scale: Scale, values: str | None) -> PixelRange:
    """The range of the training images; `values` is that of image files."""
    if values == "uint8":
        return PixelRange(scale, 0.0, 255.0, bytes=True)
    lows, highs = [], []
    for indices in torch.arange(len(dataset)).split(ROWS):
        raw = scale.invert(batch_of(dataset, indices)[0])
        lows.append(float(raw.min()))
        highs.append(float(raw.max()))
    low, high = min(lows), max(highs)
    return PixelRange(scale, low, high if high > low else low + 1, bytes=False)
