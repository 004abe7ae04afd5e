"""An experiment with a small search space."""

from pathlib import Path

import pytest

SEARCH = (
    "search:\n"
    "  optimizer.kind: [sgd, adamw]\n"
    "  optimizer.lr: {low: 1e-3, high: 1e-1, log: true}\n"
    "  optimizer.momentum: {low: 0.0, high: 0.9, when: {optimizer.kind: sgd}}\n"
)


@pytest.fixture
def searched(tiny: str, workplace: Path) -> str:
    with (workplace / "experiments" / "tiny.yaml").open("a") as file:
        file.write(SEARCH)
    return tiny
