"""Encoding of images: upright, of one size, with one or three channels, in the range of the training images."""

import struct
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lab.errors import LabError

Values = Literal["uint8", "uint16", "float32"]
BITS = {"uint8": "8-bit values", "uint16": "16-bit values", "float32": "values of any range"}
UINT16_STEP = 257  # 255 · 257 = 65535
ORIENTATION = 0x0112  # the EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
DAMAGED = (  # what PIL raises for damaged files
    *(OSError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, RuntimeError, SyntaxError),
    *(struct.error, Image.DecompressionBombError),
)

warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # of damaged tags; the pixels are read


@dataclass(frozen=True)
class ImageEncoding:
    """Images turned upright and resized to `height` × `width`, with 1 channel (grey) or 3 (red, green, blue).

    `values` is their range: `uint8` 0 to 255, `uint16` 0 to 65535, `float32` as in the files. Without it images are
    taken as version 0.1 took them: 8 bits, wider values cut off, orientation and transparency ignored.
    """

    height: int
    width: int
    channels: int
    values: Values | None = None
    kind: ClassVar[str] = "image"

    @property
    def largest(self) -> float | None:
        """The largest value that a pixel can have; None where it can have any."""
        return None if self.values == "float32" else float(np.iinfo(self.dtype).max)

    def encode(self, raw: Any) -> NDArray[np.float32]:
        """Paths or PIL images to (N, channels, height, width); an array of that shape is returned as float32.

        Raises LabError if an image cannot be read.
        """
        if isinstance(raw, np.ndarray) and raw.dtype.kind in "biuf":
            expected = (self.channels, self.height, self.width)
            if raw.shape[1:] != expected:
                raise LabError(f"images (N, {', '.join(map(str, expected))}) are expected, not {raw.shape}")
            return raw.astype(np.float32, copy=False)
        return self.pixels(raw).astype(np.float32, copy=False)

    def pixels(self, images: Iterable[Any]) -> NDArray[Any]:
        """Paths or PIL images to (N, channels, height, width) of type `values`; raises LabError for unreadable ones."""
        return np.stack([self._pixels(image) for image in images])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the pixels."""
        return np.dtype(self.values or "uint8")

    def _pixels(self, source: Any) -> NDArray[Any]:
        image = source if isinstance(source, Image.Image) else open_image(source)
        name = getattr(image, "filename", "") or "an image"
        try:
            if self.values is None:
                return self._channels_first(_in_eight_bits(image))
            own = values_of(image)
            image = _upright(image)
            planes = self._channels_first(_on_white(image)) if own == "uint8" else self._one_wide_channel(image)
        except DAMAGED as error:
            raise LabError(f"{name}: {unreadable(error)}") from None
        if own != self.values:
            planes = _in_range(planes, own, self.values, name)
        return planes.astype(self.values, copy=False)

    def _channels_first(self, image: Image.Image) -> NDArray[np.uint8]:
        values = np.asarray(self._resized(image.convert("L" if self.channels == 1 else "RGB")))
        return values[None] if self.channels == 1 else values.transpose(2, 0, 1)

    def _one_wide_channel(self, image: Image.Image) -> NDArray[np.float32]:
        """The values as they are, resized in single precision, in each of the channels."""
        values = np.asarray(image).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"{np.count_nonzero(~np.isfinite(values)):,} pixels are not finite")
        resized = np.asarray(self._resized(Image.fromarray(values)))
        return np.repeat(resized[None], self.channels, axis=0)

    def _resized(self, image: Image.Image) -> Image.Image:
        size = (self.width, self.height)
        return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)

    def as_json(self) -> dict[str, Any]:
        """Size, channels and range, as JSON types."""
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "ImageEncoding":
        """The encoding that `as_json` described."""
        return cls(content["height"], content["width"], content["channels"], content.get("values"))


def open_image(path: str | Path) -> Image.Image:
    """Open an image without decoding its pixels; raises LabError."""
    try:
        return Image.open(path)
    except DAMAGED as error:
        raise LabError(f"{path}: {unreadable(error)}") from None


def unreadable(error: Exception) -> str:
    """The reason why an image cannot be read."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, UnidentifiedImageError):
        return "cannot be read as an image (damaged, or of a format that PIL does not know)"
    return f"cannot be read as an image ({str(error).splitlines()[0][:80] if str(error) else 'damaged'})"


def values_of(image: Image.Image) -> Values:
    """The range of an image's values by its mode; PIL scales PGM files of more than 8 bits to 16."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG")):
        return "uint16"
    return "float32" if image.mode in ("I", "F") else "uint8"


def orientation(image: Image.Image) -> int:
    """The EXIF orientation that PIL has not applied yet, 1 (upright) if there is none or EXIF is damaged.

    PIL itself turns TIFF files, and says their upright size.
    """
    try:
        return 1 if image.format == "TIFF" else int(image.getexif().get(ORIENTATION, 1))
    except DAMAGED:
        return 1


def _upright(image: Image.Image) -> Image.Image:
    if image.format == "TIFF" and hasattr(image, "filename"):
        image.filename = ""  # PIL 13 maps a named file into memory, wrongly where the orientation is sideways
    return image if orientation(image) == 1 else ImageOps.exif_transpose(image)


def _on_white(image: Image.Image) -> Image.Image:
    """An image whose transparent parts show white; what PIL would show there is arbitrary."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _in_range(planes: NDArray[Any], own: Values, wanted: Values, name: str) -> NDArray[Any]:
    """Values of one range in another; raises LabError where there is no common scale."""
    if (own, wanted) == ("uint8", "uint16"):
        return planes.astype(np.uint16) * UINT16_STEP
    if (own, wanted) == ("uint16", "uint8"):
        return np.rint(planes / UINT16_STEP)
    if (own, wanted) == ("uint16", "float32"):
        return planes
    raise LabError(f"{name}: has {BITS[own]}, where {BITS[wanted]} are expected; save all images in one format")


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """As version 0.1 did: 16-bit grey values shifted to 8 bits."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return image
