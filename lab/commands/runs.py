"""The runs that there are, and those whose process is gone."""

import argparse

from lab.commands.arguments import Commands, add


def register(commands: Commands) -> None:
    """Add runs."""
    runs = add(commands, "runs", _runs, "list runs with their state; close those whose process is gone")
    runs.add_argument("experiment", nargs="?", default="", help="only runs of this experiment")
    runs.add_argument("--state", default="", help="only running, finished, failed, stopped, stale, ...")
    runs.add_argument("--where", default="", metavar="FILTER", help="MLflow's filters: \"params.seed = '1'\"")
    runs.add_argument("--all", action="store_true", help="also trials, fresh seeds and replicates")
    runs.add_argument("--limit", type=int, default=20, help="the most rows (20)")
    runs.add_argument("--reap", action="store_true", help="first send what dead processes left, and close their runs")
    runs.add_argument("--host", metavar="NAME", help="with --reap: close the silent runs of that machine too")


def _runs(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import runs_table
    from lab.errors import LabError
    from lab.tracking.tables import open_tables

    if options.limit < 1:
        raise LabError(f"--limit: must be at least 1, not {options.limit}")
    if options.host and not options.reap:
        raise LabError("--host: goes with --reap")
    console, complete = Console(), True
    if options.reap:
        from lab import reaping

        lines, complete = reaping.close_dead(options.host)
        console.print("\n".join(lines) or "no dead runs", highlight=False, markup=False, soft_wrap=True)
    table = open_tables().runs()
    ids = runs_table.chosen(table, options.experiment, options.state, options.where, options.all)
    shown = runs_table.render(table, ids[: options.limit], len(ids) - options.limit, console.width)
    console.print(shown, highlight=False)
    if not options.reap and (silent := runs_table.chosen(table, state="stale", parts=True)):
        many = f"{len(silent)} run{'s' if len(silent) > 1 else ''}"
        console.print(f"{many} stopped reporting: `lab runs --reap` closes those whose process is gone")
    return 0 if complete else 1
