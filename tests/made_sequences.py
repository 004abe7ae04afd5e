"""Sequences of unequal length in every form that the lab reads."""

import numpy as np

RANDOM = np.random.default_rng(0)
COUNT, CHANNELS, STORED = 60, 2, 25
LENGTHS = RANDOM.integers(3, 20, COUNT)
X = RANDOM.normal(size=(COUNT, CHANNELS, STORED))
Y = np.arange(COUNT) % 3
PARTS = [x[:, :length] for x, length in zip(X, LENGTHS, strict=True)]
NAN = np.where(np.arange(STORED) < LENGTHS[:, None, None], X, np.nan)
IN_A_ROW = np.concatenate([part.T for part in PARTS])
