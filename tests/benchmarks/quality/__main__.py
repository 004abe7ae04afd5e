"""Measure what `lab new` writes against others and write docs/quality.md: `make quality`, `make quality QUICK=1`.

Names of kinds or sets measure those alone. Every score is stored in scores.json at once, and the page is written from
all of them, so that `--first 3 --seeds 2` adds two seeds to three. QUICK measures few sets with one seed, and writes
nothing.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.bench import shown
from benchmarks.quality import page
from benchmarks.quality.kinds import KINDS
from benchmarks.quality.scores import Score, as_row
from benchmarks.quality.trainings import FOLDS, measure
from rich.console import Console
from shipped import PROJECT

from lab.files import atomic_write

SCORES = Path(__file__).with_name("scores.json")
PAGE = PROJECT / "docs" / "quality.md"
QUICK_SETS = 2  # of each kind
Job = tuple[str, str, int]  # kind, set and seed


def main() -> None:
    """Measure all sets, or those named, and write the page."""
    quick = bool(os.environ.get("QUICK"))
    parser = argparse.ArgumentParser(prog="make quality", description="kinds or sets, and options, as ARGS=...")
    parser.add_argument("names", nargs="*", help="kinds or sets (all)")
    parser.add_argument("--seeds", type=int, default=1 if quick else FOLDS, help="how many; 0: write the page anew")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--workers", type=int, default=2, help="trainings at once, on one thread each (2)")
    options = parser.parse_args()
    names = [(kind, name) for kind in KINDS for name in chosen(kind, options.names)[: QUICK_SETS if quick else None]]
    jobs = [(*each, seed) for seed in range(options.first, options.first + options.seeds) for each in names]
    found: dict[str, list[Score]] = {}
    for kind, scores in measured(jobs, options.workers):
        found.setdefault(kind, []).extend(scores)
        if not quick:
            keep(kind, scores)
    for kind, scores in found.items():
        for table in page.tables(kind, scores):
            Console(width=200).print(shown(table), f"[dim]{table.note}[/dim]\n", highlight=False)
    if not quick:
        PAGE.write_text(page.written(content(), PAGE), encoding="utf-8")
        print(f"written to {PAGE}")


def chosen(kind: str, names: list[str]) -> list[str]:
    """The sets of a kind that are named, or whose kind is; all of them where nothing is named."""
    return [name for name in KINDS[kind].sets if not names or kind in names or name in names]


def measured(jobs: list[Job], workers: int) -> Iterator[tuple[str, list[Score]]]:
    """The kind and the scores of each job, in order; each line says what is done."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        for (kind, name, seed), scores in zip(jobs, pool.map(measure, *zip(*jobs, strict=True)), strict=True):
            cells = [f"{score.method} {score.value:.3f}" for score in scores if score.value is not None]
            print(f"{name}, seed {seed}: {', '.join(cells)}; {scores[0].seconds:.0f} s", flush=True)
            yield kind, scores


def content() -> dict[str, page.Stored]:
    """What is stored of each kind."""
    return json.loads(SCORES.read_text(encoding="utf-8")) if SCORES.exists() else {}


def keep(kind: str, scores: list[Score]) -> None:
    """Store scores in the place of those of the same set and seed."""
    stored = content()
    others = [row for row in stored.get(kind, {"scores": []})["scores"] if [row[0], row[2]] != _key(scores[0])]
    stored[kind] = {"measured": page.measured(), "scores": [*others, *map(as_row, scores)]}
    with atomic_write(SCORES) as temporary:
        temporary.write_text(json.dumps(stored, separators=(",", ":")).replace("],[", "],\n[") + "\n")


def _key(score: Score) -> list[str | int]:
    return [score.set, score.seed]


if __name__ == "__main__":
    main()
