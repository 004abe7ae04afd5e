"""Twenty ideas, each from its file to a verdict within minutes: `make ideas`; their truth: `make ideas ARGS=--truth`.

Eleven are the article's comparisons in experiments/comparisons/, nine stand in tests/benchmarks/ideas/. Names of ideas
run those alone.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import truths
from benchmarks.bench import shown
from benchmarks.measuring import Table, machine, workplace
from rich.console import Console
from shipped import PROJECT

from lab.comparisons import comparison, run
from lab.comparisons.comparison import Comparison
from lab.comparisons.findings import FIXED_DESIGN, Findings
from lab.config import yaml_files
from lab.display.numbers import number, signed
from lab.errors import LabError

# From the cheapest training to the dearest.
OWN = (
    "schedule",
    "own_layer",
    "own_loss",
    "label_smoothing",
    "table",
    "few_augmented",
    "few_mixed",
    "wider_or_deeper",
    "weight_decay",
)
ARTICLE = (
    "zero_grad",
    "outliers",
    "dying_relu",
    "batch_norm",
    "dropout",
    "optimizers",
    "activations",
    "precision_time",
    "precision",
    "layer_norm",
    "architectures",
)
HEADER = ("idea", "seconds", "seeds", "arm", "verdict", "difference", "truth (seeds)", "is", "29 seeds, s")


@dataclass(frozen=True)
class Outcome:
    """One idea's rows of the table, and what is counted: whether it ended in time, and how many verdicts are what."""

    rows: list[tuple[str, ...]]
    in_time: bool
    judgements: list[truths.Judgement]


def main() -> None:
    """Run all ideas, or those named; or establish their truth."""
    parser = argparse.ArgumentParser(prog="make ideas", description="ideas, by default all, and options, as ARGS=...")
    parser.add_argument("names", nargs="*", default=[*OWN, *ARTICLE])
    parser.add_argument("--minutes", type=float, default=5.0, help="for each (5)")
    parser.add_argument("--workers", type=int, help="trainings at once (as many as `lab compare` has by default)")
    parser.add_argument("--truth", action="store_true", help="train on further seeds, and add them to truth.json")
    parser.add_argument("--seeds", type=int, default=truths.SEEDS, help=f"of the truth ({truths.SEEDS})")
    options = parser.parse_args()
    if options.truth:
        for name in options.names:
            began = time.monotonic()
            truths.establish(idea(name), options.seeds)
            print(f"{name}: {options.seeds} seeds, {time.monotonic() - began:.0f} s", flush=True)
        return
    outcomes = [_tried(name, options.minutes, options.workers) for name in options.names]
    Console(width=200).print(shown(table(outcomes, options.minutes)), machine(), highlight=False)


def idea(name: str, minutes: float | None = None) -> Comparison:
    """The comparison of that name, shipped or of the bench."""
    folder = comparison.FOLDER if name in ARTICLE else Path(PROJECT) / "tests" / "benchmarks" / "ideas"
    content, question = yaml_files.read(folder / f"{name}.yaml")
    return comparison.parse(name, question, content, path=folder / f"{name}.yaml", minutes=minutes)


def table(outcomes: list[Outcome], minutes: float) -> Table:
    """All ideas, and how many of them ended in time and are right."""
    found = [judgement for outcome in outcomes for judgement in outcome.judgements]
    counts = ", ".join(f"{found.count(kind)} {kind}" for kind in ("right", "wrong", "open"))
    in_time = sum(outcome.in_time for outcome in outcomes)
    title = (
        f"{in_time} of {len(outcomes)} ideas have a verdict within {minutes:g} minutes; of {len(found)} arms {counts}"
    )
    return Table(title, HEADER, [row for outcome in outcomes for row in outcome.rows], "")


def _tried(name: str, minutes: float, workers: int | None) -> Outcome:
    """Run an idea from its file to its verdict; print its lines at once, since all of them take long."""
    with workplace():
        try:
            result = run.run(idea(name, minutes), workers, lambda findings: None)
        except LabError as error:
            print(f"{name}: {error}", flush=True)
            return Outcome([(name, *[""] * 3, "none", *[""] * 4)], False, [])
    outcome = _outcome(name, result.findings, result.seconds, minutes)
    for row in outcome.rows:
        print(" | ".join(row), flush=True)
    return outcome


def _outcome(name: str, findings: Findings, seconds: float, minutes: float) -> Outcome:
    rule = findings.design.rule
    rises = rule.higher_is_better
    known = truths.truths(name, rises, truths.stored())
    extras = findings.scores.extras.values()
    each = statistics.fmean(extra["seconds"] for arm in extras for extra in arm.values())
    rows, judgements = [], []
    for arm, verdict in findings.verdicts.items():
        truth = known.get(arm)
        judgement = truths.judged(verdict, truth, rule.margin, rises)
        judgements.append(judgement)
        state = verdict.state if verdict.decided else f"no difference above {number(verdict.excluded)}"
        rows.append(
            (
                *((name, f"{seconds:.0f}") if not rows else ("", "")),
                str(verdict.n),
                arm,
                state,
                f"{signed(verdict.mean)} [{signed(verdict.low)}, {signed(verdict.high)}]",
                f"{signed(truth.mean)} [{signed(truth.low)}, {signed(truth.high)}] ({truth.seeds})"
                if truth
                else "none",
                judgement,
                "" if rows else f"{FIXED_DESIGN * len(findings.design.arms) * each:.0f}",
            )
        )
    return Outcome(rows, seconds <= 60 * minutes, judgements)


if __name__ == "__main__":
    main()
