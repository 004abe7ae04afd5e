"""`make faults`: breaks what can break, prints what held, and writes the figures into docs/reliability.md.

`make faults ARGS="PART ..."`; parts: outages, damage, crowd, malice, kills, and on a Ray cluster
worker, node, driver, postgresql, mlflow. With QUICK=1 outages, kills and losses are fewer, and nothing is written.
"""

import argparse
import contextlib
import logging
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import crowd
import damage
import kills
import losses
import malice
import outages
import workplace
from rich.console import Console
from rich.table import Table
from rows import Row

QUICK = bool(os.environ.get("QUICK"))
KILLS, OUTAGES, EPOCHS = (24, 2, 10) if QUICK else (100, 10, 30)  # outages of each kind; epochs of their trainings
LOSSES = 1 if QUICK else 10  # of each kind in a study, and as many in a comparison
DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
MARKS = ("<!-- figures -->", "<!-- end of figures -->")
WHAT = {
    "outages": "outages of the tracking server",
    "damage": "damaged files",
    "crowd": "processes logging to one SQLite store at once",
    "malice": "malicious checkpoints, configs, names and paths; secrets",
    "kills": "kills, resumed",
    **{name: f"{fault}, in studies and comparisons on a cluster" for name, fault in losses.FAULTS.items()},
}


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def each(cases: Mapping[str, Callable[[], None]], check: Callable[[], object]) -> Row:
    """Every case in a workplace that is as it was."""
    failed = []
    with tempfile.TemporaryDirectory() as folder, working_in(Path(folder)):
        workplace.make()
        logging.disable(logging.WARNING)  # what is said about each is checked
        for name, case in cases.items():
            try:
                with workplace.kept():
                    case()
                    assert check()
            except Exception:
                traceback.print_exc()
                failed.append(name)
        logging.disable(logging.NOTSET)
    return Row("", len(cases), len(cases) - len(failed), "failed: " + "; ".join(failed) if failed else "")


def part(name: str) -> Row:
    if name == "damage":
        return each(damage.CASES, lambda: True)
    if name == "malice":
        return each(malice.CASES, lambda: not malice.PWNED.exists())
    with tempfile.TemporaryDirectory() as folder, working_in(Path(folder)) as place:
        if name == "outages":
            return outages.run(place, OUTAGES, EPOCHS)
        if name in losses.FAULTS:
            return losses.run(place, name, LOSSES)
        return crowd.run(place) if name == "crowd" else kills.run(place, KILLS)


def main(names: list[str]) -> int:
    """Run the parts; each is written down as it ends, so that an interrupted suite keeps what it measured."""
    rows: list[tuple[str, Row, float]] = []
    for name in names:
        began = time.monotonic()
        print(f"{WHAT[name]} ...", flush=True)
        rows.append((name, part(name), time.monotonic() - began))
        if not QUICK:
            write(rows[-1:])
    Console().print(table(rows))
    return 0 if all(row.held == row.tried for _, row, _ in rows) else 1


def table(rows: list[tuple[str, Row, float]]) -> Table:
    shown = Table(box=None, header_style="bold")
    for header in ("fault", "tried", "held", "", "seconds"):
        shown.add_column(header, justify="right" if header in ("tried", "held", "seconds") else "left")
    for name, row, seconds in rows:
        style = "" if row.held == row.tried else "bold red"
        fault = row.fault or WHAT[name]
        shown.add_row(fault, str(row.tried), str(row.held), row.detail, f"{seconds:.0f}", style=style)
    return shown


def write(rows: list[tuple[str, Row, float]]) -> None:
    """Put the figures in their place; those of parts that were not run stay."""
    text = DOCUMENT.read_text(encoding="utf-8")
    start, end = (text.index(mark) for mark in MARKS)
    old = [line for line in text[start:end].splitlines() if line.startswith("|") and line.endswith("-->")]
    fresh_parts = {name for name, _, _ in rows}
    lines = [line for line in old if not any(line.endswith(f"<!-- {name} -->") for name in fresh_parts)]
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {date.today()}"
    for name, row, seconds in rows:
        cells = (row.fault or WHAT[name], row.tried, row.held, row.detail, f"{seconds:.0f}", machine)
        lines.append(f"| {' | '.join(map(str, cells))} | <!-- {name} -->")
    order = list(WHAT)
    lines.sort(key=lambda line: order.index(line.rpartition("<!-- ")[2].partition(" ")[0]))
    header = "| fault | tried | held | | seconds | machine |\n|---|---|---|---|---|---|"
    figures = "\n".join([MARKS[0], header, *lines, ""])
    DOCUMENT.write_text(text[:start] + figures + text[end:], encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make faults", description="parts, by default all, as ARGS=...")
    parser.add_argument("part", nargs="*", help=", ".join(WHAT))
    parts = parser.parse_args().part
    if unknown := set(parts) - WHAT.keys():
        parser.error(f"no part '{unknown.pop()}'; there are {', '.join(WHAT)}")
    sys.exit(main(parts or list(WHAT)))
