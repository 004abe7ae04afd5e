"""Comparisons: is A really better than B?"""

import argparse

from lab.commands.arguments import Commands, add


def register(commands: Commands) -> None:
    """Add compare."""
    text = "is A really better than B? a verdict with evidence"
    compare = add(commands, "compare", _compare, text, "the same command goes on where the comparison stopped")
    compare.add_argument("name", help="a file in experiments/comparisons/, without .yaml; or run ids, two or more")
    compare.add_argument("overrides", nargs="*", metavar="setting=value", help="settings to change in all arms")
    compare.add_argument("--metric", default="val/accuracy", help="of runs: the metric at their best epoch")
    compare.add_argument("--margin", type=float, default=0.0, help="of runs: a difference that does not matter")
    compare.add_argument("--unpaired", action="store_true", help="of runs: do not pair them by seed (Welch)")
    compare.add_argument("--seeds", help="the least and the most seeds, such as 5..30")
    compare.add_argument("--workers", type=int, default=1, help="trainings at once, on Ray where above 1")


def _compare(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import reaping
    from lab.comparisons import comparison, existing, report, run

    run_ids = [options.name, *(argument for argument in options.overrides if "=" not in argument)]
    if len(run_ids) > 1:
        findings = existing.compare(run_ids, options.metric, options.margin, options.unpaired)
        Console().print(report.of_runs(findings, options.unpaired), highlight=False, soft_wrap=True)
        return 0
    loaded = comparison.load(options.name, options.overrides, options.seeds)
    reaping.start_in_background()
    console = Console()
    console.print(f"[bold]{loaded.name}[/bold]  {loaded.question}", highlight=False)
    with report.LiveTable(console) as table:
        result = run.run(loaded, options.workers, table.show)
    console.print(report.outcome(result), highlight=False, soft_wrap=True)
    return 0
