"""What the headers of images say, and the size, channels and range of values that follow for all of them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path

import numpy as np
from PIL import Image

from lab.data.encodings.image import BITS, DAMAGED, SIDEWAYS, ImageEncoding, Values, open_image, orientation, values_of
from lab.errors import LabError

GREY_MODES = ("1", "L", "LA", "La", "F")  # besides I, I;16 and so on
MAX_SIDE = 128  # pixels; images of one size up to this are not resized
SIDE = 64  # others are resized to about 64 · 64 pixels
LEAST_SIDE = 8  # pixels; the smallest that is chosen
BOTH_WAYS = 0.1  # share of upright and of wide images from which the size is square
DEEP = re.compile(";16[BLN]")  # in PIL's names of raw modes
STRETCHED = 1.25  # from which a change of shape is pointed out
REMARKS = {
    "turned": "{} turned upright by the EXIF orientation",
    "transparent": "transparent parts of {} taken as white",
    "frames": "of {} with several frames or pages the first is taken",
    "deep colour": "{} of 16 bits a colour read with 8",
}


@dataclass(frozen=True)
class Header:
    """What is known of an image before it is decoded; `size` is the (width, height) of the upright image."""

    path: Path
    size: tuple[int, int]
    grey: bool
    values: Values
    remarks: tuple[str, ...] = ()  # keys of REMARKS

    @property
    def shape(self) -> float:
        """The logarithm of width / height."""
        return log(self.size[0] / self.size[1])


def read(path: Path) -> Header:
    """The header of an image; raises LabError."""
    with open_image(path) as image:
        turn = orientation(image)
        size = image.size[::-1] if turn in SIDEWAYS else image.size
        grey = image.mode in GREY_MODES or image.mode.startswith("I")
        return Header(path, size, grey, values_of(image), tuple(_remarks(image, turn)))


def _remarks(image: Image.Image, turn: int) -> Iterator[str]:
    if turn != 1:
        yield "turned"
    if values_of(image) == "uint8" and image.has_transparency_data:
        yield "transparent"
    try:
        if getattr(image, "is_animated", False):
            yield "frames"
    except DAMAGED:  # a later frame, which is not used
        pass
    if values_of(image) == "uint8" and any(DEEP.search(str(tile.args)) for tile in getattr(image, "tile", ())):
        yield "deep colour"


def fit(
    headers: Sequence[Header], size: Sequence[int] | None, grey: bool | None
) -> tuple[ImageEncoding, list[tuple[str, str]]]:
    """The encoding for images with these headers, and notes that give the reasons.

    `size` (height, width) and `grey` override what the headers imply. Raises LabError for values without a common
    range.
    """
    chosen, reason = _size(headers, size)
    values, scaled = _values(headers)
    grey = all(header.grey for header in headers) if grey is None else grey
    taken = f"{len(headers):,} in {'grey' if grey else 'colour'}, {BITS[values]}{scaled}"
    notes = [
        ("images", "; ".join([taken, *_counted(headers)])),
        ("size", "; ".join([reason, *_stretched(headers, chosen)])),
    ]
    return ImageEncoding(*chosen, 1 if grey else 3, values), notes


def _size(headers: Sequence[Header], chosen: Sequence[int] | None) -> tuple[tuple[int, int], str]:
    """(height, width) and why."""
    widths, heights = np.array([header.size for header in headers]).T
    one_size = len({header.size for header in headers}) == 1
    own = f"{heights[0]}×{widths[0]}"
    if chosen is not None:
        return (chosen[0], chosen[1]), f"{_shown(chosen)}, set by data.size"
    if one_size and max(widths[0], heights[0]) <= MAX_SIDE:
        return (int(heights[0]), int(widths[0])), f"{own} (height×width), as they are"
    square, why = _shape(headers)
    side = min(SIDE, sqrt(float(np.median(widths * heights.astype(np.int64)))))
    size = _rounded(side / square), _rounded(side * square)
    if one_size:
        reason = f"resized from {own}, since images above {MAX_SIDE} pixels train slowly"
        return size, f"{reason}, to {_shown(size)} (height×width); data.size sets it"
    smallest, largest = (header.size for header in _extremes(headers))
    sizes = f"their sizes differ, from {smallest[1]}×{smallest[0]} to {largest[1]}×{largest[0]} (height×width)"
    return size, f"{sizes}: resized to {_shown(size)}, {why}; data.size sets it"


def _shape(headers: Sequence[Header]) -> tuple[float, str]:
    """The square root of width / height for all images, and why."""
    shapes = np.array([header.shape for header in headers])
    if min((shapes > 0).mean(), (shapes < 0).mean()) > BOTH_WAYS:
        return 1.0, "square because some are upright and some are wide"
    return exp(float(np.median(shapes)) / 2), "in their median shape"


def _rounded(side: float) -> int:
    return max(round(side), LEAST_SIDE)


def _extremes(headers: Sequence[Header]) -> tuple[Header, Header]:
    """The images of the fewest and of the most pixels."""
    by_area = sorted(headers, key=lambda header: header.size[0] * header.size[1])
    return by_area[0], by_area[-1]


def _shown(size: Sequence[int]) -> str:
    return f"{size[0]}×{size[1]}"


def _values(headers: Sequence[Header]) -> tuple[Values, str]:
    """The widest range, and how many images are scaled to it; raises LabError where 8-bit and other values mix."""
    counts = Counter(header.values for header in headers)
    if counts["float32"] and counts["uint8"]:
        first = next(header.path for header in headers if header.values == "uint8")
        other = next(header.path for header in headers if header.values == "float32")
        raise LabError(
            f"{first}: has {BITS['uint8']}, {other} {BITS['float32']}, without a common scale; save all in one format"
        )
    if counts["float32"]:
        return "float32", ", as in the files"
    if counts["uint16"]:
        return "uint16", f" ({counts['uint8']:,} of 8 bits scaled to them)" if counts["uint8"] else ""
    return "uint8", ""


def _stretched(headers: Sequence[Header], size: tuple[int, int]) -> Iterator[str]:
    """How many images get another shape."""
    shape = log(size[1] / size[0])
    ratios = [exp(abs(header.shape - shape)) for header in headers]
    count = sum(ratio > STRETCHED for ratio in ratios)
    if count:
        yield f"{count:,} of another shape are squeezed, by up to {max(ratios):.2g}"


def _counted(headers: Sequence[Header]) -> Iterator[str]:
    counts = Counter(remark for header in headers for remark in header.remarks)
    return (REMARKS[remark].format(f"{count:,}") for remark, count in counts.items())
