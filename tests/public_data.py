"""Public data sets as somebody would bring them: files."""

from pathlib import Path

import numpy as np
from statsmodels.datasets import co2, fair

JOBS = ["student", "farming", "white-collar", "teacher or nurse", "managerial", "professional"]
FAITH = ["not", "mildly", "fairly", "strongly"]


def affairs(path: Path) -> None:
    """Extramarital affairs (Fair 1978): 6,366 women, numbers and names, 5 % of the cells empty."""
    rows = fair.load_pandas().data
    rows["affairs"] = np.where(rows["affairs"] > 0, "yes", "no")
    for column, names in (("occupation", JOBS), ("occupation_husb", JOBS), ("religious", FAITH)):
        rows[column] = rows[column].map(lambda code, names=names: names[int(code) - 1])
    random = np.random.default_rng(0)
    for column in rows.columns.drop("affairs"):
        rows[column] = rows[column].mask(random.random(len(rows)) < 0.05)
    rows.insert(0, "respondent_id", random.permutation(len(rows)) + 10_000)
    rows.to_csv(path, index=False)


def carbon_dioxide(path: Path) -> None:
    """Atmospheric CO2 at Mauna Loa (Keeling & Whorf): 526 monthly means from 1958, with trend and season."""
    monthly = co2.load_pandas().data["co2"].resample("MS").mean().interpolate()
    monthly.rename_axis("month").to_csv(path)
