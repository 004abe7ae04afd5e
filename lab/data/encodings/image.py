"""Encoding of images: one size, one or three channels."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.errors import LabError


@dataclass(frozen=True)
class ImageEncoding:
    """Images resized to `height` × `width`, with 1 channel (grey) or 3 (red, green, blue), values 0 to 255."""

    height: int
    width: int
    channels: int
    kind: ClassVar[str] = "image"

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """Paths or PIL images to (N, channels, height, width); an array of that shape is returned as float32.

        Raises LabError if an image cannot be read.
        """
        if isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf":
            expected = (self.channels, self.height, self.width)
            if raw.shape[1:] != expected:
                raise LabError(f"images (N, {', '.join(map(str, expected))}) are expected, not {raw.shape}")
            return raw.astype(np.float32, copy=False)
        return self.pixels(raw).astype(np.float32)

    def pixels(self, images: Iterable[Any]) -> NDArray[np.uint8]:
        """Paths or PIL images to (N, channels, height, width); raises LabError if an image cannot be read."""
        return np.stack([self._pixels(image) for image in images])

    def _pixels(self, source: Any) -> NDArray[np.uint8]:
        if not isinstance(source, Image.Image):
            return self._pixels(open_image(source))
        try:
            image = _in_eight_bits(source).convert("L" if self.channels == 1 else "RGB")
            if image.size != (self.width, self.height):
                image = image.resize((self.width, self.height), Image.Resampling.BILINEAR)
        except (OSError, ValueError, SyntaxError) as error:
            raise LabError(f"{getattr(source, 'filename', 'an image')}: {unreadable(error)}") from None
        values = np.asarray(image)
        return values[None] if self.channels == 1 else values.transpose(2, 0, 1)

    def as_json(self) -> dict[str, Any]:
        """Size and channels, as JSON types."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ImageEncoding":
        """The encoding that `as_json` described."""
        return cls(content["height"], content["width"], content["channels"])


def open_image(path: str | Path) -> Image.Image:
    """Open an image without decoding its pixels; raises LabError."""
    try:
        return Image.open(path)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise LabError(f"{path}: {unreadable(error)}") from None


def unreadable(error: Exception) -> str:
    """The reason why an image cannot be read."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"cannot be read as an image ({str(error).splitlines()[0][:80] if str(error) else 'damaged'})"


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey values scaled to 8 bits; PIL's own conversion would clip them."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image
