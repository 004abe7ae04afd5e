"""Sequences (N, C, L) with classes, made by recipes of the literature and others; NaN after the end of shorter ones."""

import numpy as np
from benchmarks.quality.sets.samples import Made, Samples, in_turn

Random = np.random.Generator


def _random(seed: int) -> Random:
    return np.random.default_rng(seed)


def _cylinder_bell_funnel(count: int = 450, length: int = 128) -> Made:
    """Saito (1994): a plateau, a rise or a fall between two random steps; here with noise of deviation 2."""
    random, y = _random(0), in_turn(count, "cbf")
    t = np.arange(length)
    x = random.normal(0, 2, (count, 1, length))
    for sample, name in zip(x, y, strict=True):
        first = random.integers(16, 33)
        last = first + random.integers(32, 97)
        inside = (t >= first) & (t <= last)
        form = {"c": np.ones(length), "b": (t - first) / (last - first), "f": (last - t) / (last - first)}[name]
        sample[0] += (6 + random.normal()) * form * inside
    return x, y


def _control_charts(count: int = 600, length: int = 60) -> Made:
    """Alcock & Manolopoulos (1999): steady, cyclic, rising, falling, shifted up, shifted down; weak against noise."""
    random, y = _random(1), in_turn(count, "scrfud")
    t = np.arange(length)
    x = random.normal(0, 4, (count, 1, length))
    for sample, name in zip(x, y, strict=True):
        slope, shift = random.uniform(0.15, 0.35), random.uniform(5, 12) * (t >= random.integers(20, 41))
        cycle = random.uniform(4, 8) * np.sin(2 * np.pi * t / random.uniform(10, 15))
        sample[0] += {"s": 0 * t, "c": cycle, "r": slope * t, "f": -slope * t, "u": shift, "d": -shift}[name]
    return x, y


def _two_patterns(count: int = 600, length: int = 128) -> Made:
    """Geurts (2001): a step up or down, and later another one; the class is which two; noise of deviation 1.5."""
    random, y = _random(2), in_turn(count, "abcd")
    x = random.normal(0, 1.5, (count, 1, length))
    for sample, name in zip(x, y, strict=True):
        code = "abcd".index(name)
        for half, up in enumerate((code & 1, code & 2)):
            size = random.integers(12, 25)
            first = half * length // 2 + random.integers(0, length // 2 - 2 * size)
            sign = 1 if up else -1
            sample[0, first : first + size] = -5 * sign
            sample[0, first + size : first + 2 * size] = 5 * sign
    return x + random.normal(0, 1.5, x.shape), y


def _waveforms(count: int = 900) -> Made:
    """Breiman et al. (1984): mixtures of two of three triangles of 21 steps, and noise; at best 86 % are right."""
    random, y = _random(3), in_turn(count, "abc")
    t = np.arange(1, 22)
    triangles = [np.maximum(6 - np.abs(t - peak), 0) for peak in (11, 15, 7)]
    pairs = {"a": (0, 1), "b": (0, 2), "c": (1, 2)}
    x = random.normal(0, 1, (count, 1, len(t)))
    for sample, name in zip(x, y, strict=True):
        (first, second), share = pairs[name], random.random()
        sample[0] += share * triangles[first] + (1 - share) * triangles[second]
    return x, y


def _shapelets(count: int = 500, length: int = 200) -> Made:
    """A short form anywhere in a random walk's noise: two humps, a hump and a dip, or a dip and a hump."""
    random, y = _random(4), in_turn(count, "abc")
    hump = np.hanning(12)
    forms = {"a": np.concatenate([hump, hump]), "b": np.concatenate([hump, -hump]), "c": np.concatenate([-hump, hump])}
    x = random.normal(0, 0.7, (count, 1, length)) + random.normal(0, 0.15, (count, 1, length)).cumsum(axis=2)
    for sample, name in zip(x, y, strict=True):
        first = random.integers(0, length - 24)
        sample[0, first : first + 24] += 2.5 * forms[name]
    return x, y


def _lags(count: int = 500, length: int = 100) -> Made:
    """Three channels with one smooth signal each later than the one before; the class is which leads, and by what."""
    random, y = _random(5), in_turn(count, "abcd")
    lags = {"a": (0, 4, 8), "b": (8, 4, 0), "c": (0, 8, 4), "d": (4, 0, 8)}
    smooth = np.hanning(9) / np.hanning(9).sum()
    x = np.empty((count, 3, length))
    for sample, name in zip(x, y, strict=True):
        signal = np.convolve(random.normal(0, 2, length + 20), smooth, mode="same")
        for channel, lag in enumerate(lags[name]):
            sample[channel] = signal[10 - lag : 10 - lag + length]
    return x + random.normal(0, 0.8, x.shape), y


def _chirps(count: int = 500, most: int = 120) -> Made:
    """Of 40 to 120 steps: a frequency that stays low, stays high, rises or falls, at any phase and strength."""
    random, y = _random(6), in_turn(count, "lhrf")
    ends = {"l": (0.06, 0.06), "h": (0.12, 0.12), "r": (0.06, 0.12), "f": (0.12, 0.06)}
    x = np.full((count, 1, most), np.nan)
    for sample, name in zip(x, y, strict=True):
        length = random.integers(40, most + 1)
        frequency = np.linspace(*ends[name], length) * random.uniform(0.85, 1.15)
        wave = np.sin(2 * np.pi * (frequency.cumsum() + random.random()))
        sample[0, :length] = random.uniform(0.7, 1.5) * wave + random.normal(0, 0.8, length)
    return x, y


def _processes(count: int = 400, length: int = 150) -> Made:
    """Autoregressive noise x = a x(t-1) + b x(t-2) + e, whose spectrum alone is the class."""
    random, y = _random(7), in_turn(count, "abcd")
    weights = {"a": (0.5, 0.0), "b": (0.5, -0.3), "c": (0.5, 0.3), "d": (0.2, 0.0)}
    x = random.normal(size=(count, 1, length))
    for sample, name in zip(x, y, strict=True):
        near, far = weights[name]
        for t in range(2, length):
            sample[0, t] += near * sample[0, t - 1] + far * sample[0, t - 2]
    return x / x.std(axis=2, keepdims=True), y


def _before_or_after(count: int = 400, length: int = 150) -> Made:
    """A slow hump and a quick burst, far from each other; the class is which comes first."""
    random, y = _random(8), in_turn(count, "ab")
    x = random.normal(0, 0.8, (count, 1, length))
    hump, burst = 2 * np.hanning(20), 2 * np.sin(np.arange(20) * 1.6) * np.hanning(20)
    for sample, name in zip(x, y, strict=True):
        early, late = random.integers(0, 40), random.integers(90, 130)
        first, second = (hump, burst) if name == "a" else (burst, hump)
        sample[0, early : early + 20] += first
        sample[0, late : late + 20] += second
    return x, y


def _mnist1d(count: int = 1_500) -> Made:
    """Digits as 40 steps (Greydanus & Kobak 2024), from the package mnist1d."""
    from mnist1d.data import get_dataset_args, make_dataset

    settings = get_dataset_args()
    settings.num_samples, settings.train_split = count, 1.0
    made = make_dataset(settings)
    return np.asarray(made["x"])[:, None], np.array(list("0123456789"))[np.asarray(made["y"], dtype=int)]


SEQUENCES: dict[str, Samples] = {
    "cylinder_bell_funnel": Samples(_cylinder_bell_funnel, "Saito (1994), noise 2"),
    "control_charts": Samples(_control_charts, "Alcock & Manolopoulos (1999), weak against noise"),
    "two_patterns": Samples(_two_patterns, "Geurts (2001), noise 1.5"),
    "waveforms": Samples(_waveforms, "Breiman et al. (1984); at best 86 %"),
    "shapelets": Samples(_shapelets, "a short form anywhere in a random walk"),
    "lags": Samples(_lags, "which of three channels leads"),
    "chirps": Samples(_chirps, "of 40 to 120 steps, by how the frequency changes"),
    "processes": Samples(_processes, "autoregressive noise by its spectrum"),
    "order": Samples(_before_or_after, "which of two events comes first, 100 steps apart"),
    "mnist1d": Samples(_mnist1d, "Greydanus & Kobak (2024), 1,500 samples"),
}
