"""Images with classes: scikit-learn's digits and photographs, and images drawn by a recipe; bytes (N, H, W[, 3])."""

import numpy as np
from benchmarks.quality.sets.samples import Made, Samples, in_turn
from PIL import Image, ImageDraw
from sklearn import datasets

PATCH = 16  # pixels a side


def _digits() -> Made:
    source = datasets.load_digits()
    return (source.images * 15).astype(np.uint8), source.target.astype(str)


def _moved_digits(count: int = 1_200, side: int = 20) -> Made:
    """Digits at any place among crossing lines, with noise."""
    random = np.random.default_rng(0)
    images, y = _digits()
    x = np.zeros((count, side, side), np.uint8)
    for number in range(count):
        canvas = Image.new("L", (side, side))
        for _ in range(3):
            ImageDraw.Draw(canvas).line([int(each) for each in random.integers(0, side, 4)], fill=90)
        values = np.array(canvas)
        top, left = random.integers(0, side - 8, 2)
        values[top : top + 8, left : left + 8] = np.maximum(values[top : top + 8, left : left + 8], images[number])
        x[number] = _noisy(values, random, 25)
    return x, y[:count]


def _shapes(count: int = 600, side: int = 28) -> Made:
    """Circle, square, triangle, cross or ring: any size, angle and place, lighter or darker than a noisy ground."""
    random, y = np.random.default_rng(1), in_turn(count, "cstxr")
    x = np.zeros((count, side, side, 3), np.uint8)
    for number, name in enumerate(y):
        ground = random.integers(70, 186, 3)
        colour = ground + random.choice([-70, 70]) + random.integers(0, 11, 3)
        canvas = Image.new("RGB", (side, side), tuple(int(each) for each in ground))
        _draw(ImageDraw.Draw(canvas), name, random, side, tuple(int(each) for each in colour))
        x[number] = _noisy(np.array(canvas), random, 30)
    return x, y


def _draw(pen: ImageDraw.ImageDraw, name: str, random: np.random.Generator, side: int, colour: tuple[int, ...]) -> None:
    radius, angle = random.uniform(5, 10), random.uniform(0, 2 * np.pi)
    middle = random.uniform(radius, side - radius, 2)
    if name in "cr":
        box = [*(middle - radius), *(middle + radius)]
        pen.ellipse(box, fill=colour if name == "c" else None, outline=colour, width=2)
    elif name == "x":
        for turn in (0, np.pi / 2):
            end = radius * np.array([np.cos(angle + turn), np.sin(angle + turn)])
            pen.line([*(middle - end), *(middle + end)], fill=colour, width=2)
    else:
        turns = angle + 2 * np.pi * np.arange(4 if name == "s" else 3) / (4 if name == "s" else 3)
        pen.polygon([(middle[0] + radius * np.cos(t), middle[1] + radius * np.sin(t)) for t in turns], fill=colour)


def _textures(count: int = 500, side: int = 24) -> Made:
    """Noise, smoothed along one of five directions; the contrast and the brightness say nothing."""
    random, y = np.random.default_rng(2), in_turn(count, "abcde")
    frequencies = np.stack(np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij"))
    x = np.zeros((count, side, side), np.uint8)
    for number, name in enumerate(y):
        angle = np.pi * "abcde".index(name) / 5 + random.normal(0, 0.1)
        along = np.cos(angle) * frequencies[0] + np.sin(angle) * frequencies[1]
        spectrum = np.fft.fft2(random.normal(size=(side, side))) * np.exp(-((along / 0.12) ** 2))
        values = np.fft.ifft2(spectrum).real
        values = values / values.std() + random.normal(0, 2.0, values.shape)
        x[number] = (random.uniform(90, 160) + random.uniform(15, 35) * values).clip(0, 255)
    return x, y


def _photographs(count: int = 300) -> Made:
    """Grey patches of two photographs; the class is which one they are cut from. No two of them overlap."""
    random, x, y = np.random.default_rng(3), [], []
    for name, photograph in zip(("china", "flower"), datasets.load_sample_images().images, strict=True):
        grey = np.array(Image.fromarray(photograph).convert("L"))
        rows, columns = (size // PATCH for size in grey.shape)
        patches = grey[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH).swapaxes(1, 2)
        chosen = random.choice(rows * columns, count, replace=False)
        x.append(patches.reshape(-1, PATCH, PATCH)[chosen])
        y += [name] * count
    return np.concatenate(x), np.array(y)


def _noisy(values: np.ndarray, random: np.random.Generator, deviation: float) -> np.ndarray:
    return (values + random.normal(0, deviation, values.shape)).clip(0, 255).astype(np.uint8)


IMAGES: dict[str, Samples] = {
    "digits": Samples(_digits, "scikit-learn"),
    "moved_digits": Samples(_moved_digits, "scikit-learn's, moved, with lines and noise"),
    "shapes": Samples(_shapes, "drawn: any size, angle and place, colours near the ground's"),
    "textures": Samples(_textures, "made: noise smoothed along a direction"),
    "photographs": Samples(_photographs, "scikit-learn's: from which a patch is"),
}
