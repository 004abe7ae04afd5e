"""aeon's MiniRocket (Dempster et al. 2021) and Hydra (Dempster et al. 2023) at their defaults, for sequences."""

from typing import Any

import numpy as np
from benchmarks.quality.baselines.supervised import FOREST, LINEAR, TABLE_METHODS, Make

MINIROCKET, HYDRA = "MiniRocket", "Hydra"


def _minirocket(classes: bool, seed: int) -> Any:
    from aeon.classification.convolution_based import MiniRocketClassifier

    return MiniRocketClassifier(random_state=seed)


def _hydra(classes: bool, seed: int) -> Any:
    from aeon.classification.convolution_based import HydraClassifier

    return HydraClassifier(random_state=seed)


METHODS: dict[str, Make] = {MINIROCKET: _minirocket, HYDRA: _hydra}
FLAT_METHODS: dict[str, Make] = {name: TABLE_METHODS[name] for name in (LINEAR, FOREST)}


def continued(x: np.ndarray) -> np.ndarray:
    """Sequences (N, C, L) of which the shorter ones go on with their last value."""
    last = np.maximum.accumulate(np.where(np.isnan(x), 0, np.arange(x.shape[2])), axis=2)
    return np.take_along_axis(x, last, axis=2).astype(np.float32)
