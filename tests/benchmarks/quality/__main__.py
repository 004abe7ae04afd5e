"""Measure what `lab new` writes against others and write docs/quality.md: `make quality`, `make quality QUICK=1`.

Names of kinds or sets measure those alone. The scores are stored in scores.json, a kind at a time as soon as all its
sets are measured, and the page is written from them; QUICK measures few sets with one seed and writes nothing.
"""

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.bench import shown
from benchmarks.quality import page
from benchmarks.quality.kinds import KINDS
from benchmarks.quality.scores import Score, stored
from benchmarks.quality.trainings import FOLDS, measure
from rich.console import Console
from shipped import PROJECT

from lab.files import atomic_write

SCORES = Path(__file__).with_name("scores.json")
PAGE = PROJECT / "docs" / "quality.md"
QUICK_SETS = 2  # of each kind


def main() -> None:
    """Measure all kinds, or those named; write down those of which all sets were measured."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="kinds or sets (all)")
    parser.add_argument("--seeds", type=int, default=1 if quick else FOLDS)
    parser.add_argument("--workers", type=int, default=2, help="trainings at once, on one thread each (2)")
    parser.add_argument(
        "--page", action="store_true", help="write the page anew from the stored scores, measure nothing"
    )
    options = parser.parse_args()
    console = Console(width=200)
    for kind in [] if options.page else KINDS:
        names = chosen(kind, options.names)[: QUICK_SETS if quick else None]
        if not names:
            continue
        began = time.monotonic()
        scores = measured(kind, names, options.seeds, options.workers)
        for table in page.tables(kind, scores):
            console.print(shown(table), f"[dim]{table.note}[/dim]\n", highlight=False)
        if not quick and len(names) == len(KINDS[kind].sets):
            keep(kind, scores, time.monotonic() - began)
    if SCORES.exists() and not quick:
        PAGE.write_text(page.written(json.loads(SCORES.read_text(encoding="utf-8")), PAGE), encoding="utf-8")
        console.print(f"written to {PAGE}")


def chosen(kind: str, names: list[str]) -> list[str]:
    """The sets of a kind that are named, or whose kind is; all of them where nothing is named."""
    return [name for name in KINDS[kind].sets if not names or kind in names or name in names]


def measured(kind: str, names: list[str], seeds: int, workers: int) -> list[Score]:
    """The scores of all sets and seeds, in order; each line says what is done."""
    jobs = [(kind, name, seed) for name in names for seed in range(seeds)]
    found: list[Score] = []
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for (_, name, seed), scores in zip(jobs, pool.map(measure, *zip(*jobs, strict=True)), strict=True):
            cells = [f"{score.method} {score.value:.3f}" for score in scores if score.value is not None]
            print(f"{name}, seed {seed}: {', '.join(cells)}; {scores[0].seconds:.0f} s", flush=True)
            found += scores
    return found


def keep(kind: str, scores: list[Score], seconds: float) -> None:
    """Replace the stored scores of a kind."""
    content = json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {}
    content[kind] = {"measured": page.measured(scores, seconds), "scores": stored(scores)}
    with atomic_write(SCORES) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":")).replace("],[", "],\n[") + "\n")


if __name__ == "__main__":
    main()
