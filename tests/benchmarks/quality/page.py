"""docs/quality.md, from the stored scores: a table of the sets and one of the methods for each kind, and the goals."""

import dataclasses
import datetime
import math
import statistics
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench import LINE, by_hand, promises
from benchmarks.measuring import Table, Target, machine
from benchmarks.quality.kinds import KINDS
from benchmarks.quality.ranks import Interval, bootstrap, ranks, win_rate
from benchmarks.quality.scores import LAB, Mean, Means, Score, means

Stored = Mapping[str, Any]  # when and where a kind was measured, and its scores as rows
BY_HAND = "## Where the lab loses"
INTRODUCTION = (
    "Each set is written to a file, `lab new` writes an experiment for it, and that is trained unedited. The others "
    "are trained at their defaults on the same rows. A seed is one of five folds: the lab divides the other four into "
    "training and validation rows, the others learn from both, and all are scored on that one, so that five seeds test "
    "each row once; each kind says how many seeds it has. Series are split by time, the same for all seeds. A cell is "
    "the mean over seeds ± its standard error; the best of a row is bold. Ranks are those of the means: 1 is best. "
    "Whether a goal is kept is said of the mean, whose interval stands below. Intervals are at 95 %: of win rates "
    "Wilson's, of ranks and differences by the bootstrap over data sets."
)


def written(content: Mapping[str, Stored], path: Path) -> str:
    """The page: goals, tables, and what people wrote below them."""
    scores = {kind: _in_order(kind, content[kind]) for kind in KINDS if kind in content}
    goals = [target for kind, each in scores.items() for target in targets(kind, each)]
    parts = [f"# How good is what `lab new` writes\n\n{_filled(INTRODUCTION)}\n\n", _markdown(_goals(goals))]
    for kind, each in scores.items():
        measured_with = f"{_seeds(each)} {content[kind]['measured']}"
        parts.append(f"## {kind.capitalize()}\n\n{_filled(measured_with)}\n\n")
        parts += [_markdown(table, level=3) for table in tables(kind, each)]
    return "".join(parts) + by_hand(path, BY_HAND)


def measured() -> str:
    """When and on what scores are measured."""
    return f"Measured by `make quality`, {datetime.date.today()}: {machine()}."


def _in_order(kind: str, stored: Stored) -> list[Score]:
    """The stored scores of the sets that there are, set by set."""
    order = list(KINDS[kind].sets)
    found = [Score(*row) for row in stored["scores"] if row[0] in order]
    return sorted(found, key=lambda score: (order.index(score.set), score.seed))


def _seeds(scores: Sequence[Score]) -> str:
    """The number of seeds of each set."""
    counts = Counter(score.set for score in scores if score.method == LAB)
    fewest, most = min(counts.values()), max(counts.values())
    return f"{fewest if fewest == most else f'{fewest} to {most}'} seed{'s' * (most > 1)}."


def tables(kind: str, scores: Sequence[Score]) -> list[Table]:
    """The scores of each set, and how the methods compare over them."""
    found = means(scores)
    return [_sets(kind, found), _methods(kind, found)]


def targets(kind: str, scores: Sequence[Score]) -> Iterator[Target]:
    """The goals of a kind, as far as what they compare with was measured."""
    found = means(scores)
    values = _values(kind, found)
    lab = values[LAB]
    if kind == "tables" and (theirs := values.get("HistGradientBoosting")):
        rate = 100 * win_rate(lab, theirs, True).share
        yield Target("tables: win rate against HistGradientBoosting", rate, 50, at_least=True, unit=" %")
    if kind == "tables" and "random forest" in values:
        ranked = {method: statistics.fmean(each) for method, each in ranks(values, True).items()}
        behind = ranked[LAB] - ranked["random forest"]
        yield Target("tables: mean rank, less that of the random forest", behind, 0)
    if kind == "series" and (theirs := values.get("seasonal naive")):
        worst = 100 * (max(a / b for a, b in zip(lab, theirs, strict=True)) - 1)
        yield Target("series: error above that of seasonal naive, in the worst case", worst, 2, unit=" %")
    if kind == "sequences" and (theirs := values.get("MiniRocket")):
        points = 100 * (statistics.fmean(lab) - statistics.fmean(theirs))
        yield Target("sequences: mean accuracy, less MiniRocket's, in points", points, -1, at_least=True)


def _goals(found: list[Target]) -> Table:
    return dataclasses.replace(promises(found), title="Goals", header=("what", "measured", "goal", "kept"))


def _sets(kind: str, found: Means) -> Table:
    """A row for each set: its size, and the score of each method."""
    methods, sets = (LAB, *KINDS[kind].methods), KINDS[kind].sets
    best = max if KINDS[kind].higher_is_better else min
    rows = []
    for name, scores in found.items():
        top = best(round(mean.value, 3) for mean in scores.values())
        cells = [_cell(scores.get(method), top) for method in methods]
        rows.append((name, sets[name].about, *KINDS[kind].described(sets[name]), *cells, f"{scores[LAB].seconds:.0f}"))
    missing = [method for method in methods if not any(method in scores for scores in found.values())]
    note = f"{KINDS[kind].note} "
    note += f"Not installed, and so not measured: {', '.join(missing)}. " if missing else ""
    return Table(
        "Sets", ("set", "from", "size", "score", *methods, "s"), rows, f"{note}s: seconds per training of the lab."
    )


def _cell(mean: Mean | None, top: float) -> str:
    if mean is None:
        return "–"
    value = f"**{mean.value:.3f}**" if round(mean.value, 3) == top else f"{mean.value:.3f}"
    return value if math.isnan(mean.error) else f"{value} ± {mean.error:.3f}"


def _values(kind: str, found: Means) -> dict[str, list[float]]:
    """The mean scores of each method that was measured on all sets, set by set."""
    methods = [method for method in (LAB, *KINDS[kind].methods) if all(method in each for each in found.values())]
    return {method: [each[method].value for each in found.values()] for method in methods}


def _methods(kind: str, found: Means) -> Table:
    """A row for each method: its mean rank, and what the lab does against it."""
    higher = KINDS[kind].higher_is_better
    values = _values(kind, found)
    rows = []
    for method, ranked in ranks(values, higher).items():
        seconds = f"{statistics.fmean(each[method].seconds for each in found.values()):.1f}"
        cells = ("", "", "") if method == LAB else _against(values[LAB], values[method], higher)
        rows.append((method, f"{statistics.fmean(ranked):.2f} {_interval(bootstrap(ranked))}", *cells, seconds))
    note = f"Over {len(found)} sets. The difference is the mean of the lab's score less that of the method."
    header = ("method", "mean rank", "the lab's win rate", "won, tied, lost", "difference", "s")
    return Table("Methods", header, rows, note)


def _against(lab: Sequence[float], theirs: Sequence[float], higher: bool) -> tuple[str, str, str]:
    rate = win_rate(lab, theirs, higher)
    low, high = (100 * end for end in rate.interval)
    gains = [a - b for a, b in zip(lab, theirs, strict=True)]
    return (
        f"{100 * rate.share:.0f} % [{low:.0f}, {high:.0f}]",
        f"{rate.wins}, {rate.ties}, {rate.losses}",
        f"{statistics.fmean(gains):+.3f} {_interval(bootstrap(gains), '+.3f')}",
    )


def _interval(ends: Interval, digits: str = ".2f") -> str:
    return f"[{', '.join(format(end, digits) for end in ends)}]"


def _markdown(table: Table, level: int = 2) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (table.header, ("---",) * len(table.header), *table.rows)]
    note = [_filled(table.note), ""] if table.note else []
    return "\n".join([f"{'#' * level} {table.title}", "", *lines, "", *note, ""])


def _filled(text: str) -> str:
    return textwrap.fill(text, LINE)
