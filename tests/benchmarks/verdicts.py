"""How often verdicts err, and how many seeds they take: simulated, as tests/comparisons/test_statistics.py does."""

import numpy as np
from benchmarks.measuring import Size, Table, Target
from simulations import ALPHA, MOST, simulate


def measure(size: Size) -> Table:
    """Looking after every seed from 3 to 60, at an error rate of 0.05."""
    rng = np.random.default_rng(0)
    shape = (size.simulations, MOST)
    null = {
        "normal": rng.normal(size=shape),
        "skewed": rng.exponential(size=shape) - rng.exponential(size=shape) * 0.5 - 0.5,
        "heavy tails (t, 3 degrees)": rng.standard_t(3, size=shape),
    }
    rates = {name: float((simulate(draws) > 0).mean()) for name, draws in null.items()}
    rows = [(f"wrong decisions without a difference, {name}", f"{100 * rate:.1f} %") for name, rate in rates.items()]
    for effect in (0.95, 1.5, 2.0):
        decided = simulate(rng.normal(effect, 1, (size.simulations, 200)))
        median = np.median(np.where(decided > 0, decided, 10_000))
        rows.append((f"median seeds to a decision, difference of {effect} standard deviations", f"{median:.0f}"))
    return Table(
        "Verdicts",
        ("what", "measured"),
        rows,
        f"{size.simulations:,} simulated comparisons.",
        [Target("wrong verdicts, normal differences, looking after every seed", rates["normal"], ALPHA)],
    )
