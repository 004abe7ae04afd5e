"""Measure what the lab costs, print it, and write docs/performance.md: `make bench`, `make bench QUICK=1`."""

import argparse
import datetime
import importlib
import os
import textwrap
import time
from pathlib import Path

from benchmarks.measuring import FULL, QUICK, Size, Table, Target, machine
from rich.console import Console
from rich.table import Table as Shown
from shipped import PROJECT

LINE = 120  # characters of a line of text
BY_HAND = "## What was tried"
TABLES = ("epochs", "startup", "studies", "reading", "records", "memory", "growth", "verdicts")


def main() -> None:
    """Run all tables, or those named as arguments; only all of them, at full size, are written down."""
    parser = argparse.ArgumentParser(prog="make bench", description="tables, by default all, as ARGS=...")
    parser.add_argument("table", nargs="*", default=TABLES, help=", ".join(TABLES))
    names = parser.parse_args().table
    if unknown := set(names) - set(TABLES):
        parser.error(f"no table '{unknown.pop()}'; there are {', '.join(TABLES)}")
    size = QUICK if os.environ.get("QUICK") else FULL
    console = Console()
    began = time.monotonic()
    tables = []
    for name in names:
        console.print(f"[dim]{name} ...[/dim]")
        tables.append(importlib.import_module(f"benchmarks.{name}").measure(size))
        console.print(shown(tables[-1]), f"[dim]{tables[-1].note}[/dim]\n", highlight=False)
    summary = promises([target for table in tables for target in table.targets])
    console.print(shown(summary), f"{time.monotonic() - began:.0f} s", highlight=False)
    if size is FULL and len(tables) == len(TABLES):
        path = PROJECT / "docs" / "performance.md"
        written = page([summary, *tables], size, time.monotonic() - began)
        path.write_text(f"{written}\n{by_hand(path)}", encoding="utf-8")
        console.print(f"written to {path}")


def by_hand(path: Path, heading: str = BY_HAND) -> str:
    """The part of the page that people write, from its heading on: it outlives the tables."""
    _, found, text = path.read_text(encoding="utf-8").partition(heading) if path.exists() else ("", "", "")
    return found + text


def promises(targets: list[Target]) -> Table:
    """Every promise beside what was measured."""
    rows = [
        (
            target.what,
            f"{target.measured:.3g}{target.unit}",
            f"at {'least' if target.at_least else 'most'} {target.limit:g}{target.unit}",
            "yes" if target.met else "no",
        )
        for target in targets
    ]
    return Table("Promises", ("what", "measured", "promised", "kept"), rows, "")


def shown(table: Table) -> Shown:
    """A table for the terminal."""
    made = Shown(title=table.title, title_justify="left", box=None, header_style="bold")
    for number, column in enumerate(table.header):
        made.add_column(column, justify="right" if number else "left")
    for row in table.rows:
        made.add_row(*row)
    return made


def page(tables: list[Table], size: Size, seconds: float) -> str:
    """All tables as Markdown."""
    measured = f"Measured by `make bench` in {seconds / 60:.0f} minutes, {datetime.date.today()}: {machine()}."
    how = (
        f"Everything that is compared was measured in turn in the same minutes; ratios are medians of {size.pairs} "
        "pairs. Absolute times are this machine's; ratios are what carries over."
    )
    parts = [f"# What the lab costs\n\n{textwrap.fill(measured, LINE)}\n\n{textwrap.fill(how, LINE)}\n"]
    for table in tables:
        lines = [f"| {' | '.join(row)} |" for row in (table.header, ("---",) * len(table.header), *table.rows)]
        note = ["", textwrap.fill(table.note, LINE)] if table.note else []
        parts.append("\n".join([f"## {table.title}", "", *lines, *note, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    main()
