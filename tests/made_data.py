"""Synthetic data for tests: customers, monthly sales, images."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

RANDOM = np.random.default_rng(0)


def shop_rows(rows: int) -> pd.DataFrame:
    """Customers: age, city and income, without a target."""
    return pd.DataFrame(
        {
            "age": RANDOM.integers(18, 90, rows),
            "city": RANDOM.choice(["Oslo", "Rome", "Bern"], rows),
            "income": pd.Series(RANDOM.normal(50, 10, rows).round(2)).mask(RANDOM.random(rows) < 0.1),
        }
    )


def sales_rows(months: int = 120) -> pd.DataFrame:
    """Two monthly series from January 2010 on."""
    month = np.arange(months)
    times = pd.date_range("2010-01-01", periods=months, freq="MS").strftime("%Y-%m")
    return pd.DataFrame({"month": times, "sales": 100.0 + month + 10 * np.sin(month), "visits": 5.0 + month % 12})


def draw(folder: Path, count: int) -> None:
    """Write dark images to `dark` and light ones to `light`."""
    for shade, name in enumerate(("dark", "light")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            values = RANDOM.integers(100 * shade, 100 * shade + 50, (10, 12)).astype(np.uint8)
            Image.fromarray(values).save(folder / name / f"{number:02}.png")
