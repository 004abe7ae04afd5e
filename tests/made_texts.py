"""Texts that are told apart by a few words."""

from pathlib import Path

import numpy as np
import pandas as pd

GOOD, BAD = ("lovely", "bright", "wonderful"), ("dreadful", "dull", "horrid")
OTHERS = ("the", "film", "was", "and", "story", "actors", "were", "music", "long", "with", "ending", "scenes")


def reviews(count: int, seed: int = 0) -> pd.DataFrame:
    """Texts of 3 to 20 words with their label, good or bad, and their number of stars."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        words = list(random.choice(OTHERS, random.integers(2, 20)))
        good = random.random() < 0.5
        words.insert(int(random.integers(len(words) + 1)), str(random.choice(GOOD if good else BAD)))
        text = f"{' '.join(words).capitalize()}{random.choice(['.', '!', ', really.'])}"
        rows.append((text, "good" if good else "bad", round(4.5 * good + random.random(), 2)))
    return pd.DataFrame(rows, columns=["review", "label", "stars"])


def write_folders(rows: pd.DataFrame, folder: Path) -> None:
    """A folder of .txt files for each label."""
    for number, (text, label) in enumerate(zip(rows["review"], rows["label"], strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        (folder / label / f"{number}.txt").write_text(text, encoding="utf-8")
