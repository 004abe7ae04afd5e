"""Experiments: run one, list them, show one in full, test a run again."""

import argparse

from lab.commands import arguments
from lab.commands.arguments import Commands, add


def register(commands: Commands) -> None:
    """Add new, run, list, show and test."""
    new = add(commands, "new", _new, "look at your data and write an experiment that trains as it is")
    new.add_argument("name", help="what to call it: experiments/NAME.yaml")
    new.add_argument(
        "--data", required=True, help="CSV or Parquet, NPZ or NPY, or a folder with one of images per class"
    )
    new.add_argument("--target", help="the column to predict (a series: one or several, a,b); of NPY, the file of y")
    new.add_argument("--model", help="the architecture, where another than the usual one is wanted")
    new.add_argument("--kind", help="table, series, arrays or images, where the guess is wrong")
    new.add_argument("--yes", action="store_true", help="replace experiments/NAME.yaml without asking")
    recorded = "the run is recorded as KILLED, with its checkpoints"
    arguments.experiment(add(commands, "run", _run, "train, track and test one experiment", recorded))
    add(commands, "list", _list, "show all experiments in experiments/")
    arguments.experiment(add(commands, "show", _show, "print an experiment with every setting"))
    arguments.run(add(commands, "test", _test, "test a run again, from its own record"))


def _new(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab.scaffold import report, writing

    made = writing.new(options.name, options.data, options.target, options.model, options.kind, options.yes)
    Console().print(report.scaffold(made), highlight=False, soft_wrap=True)
    return 0


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import experiment, report, training
    from lab.progress import ProgressBar

    loaded = experiment.load(options.name, options.overrides)
    console = Console()
    console.print(f"[bold]{loaded.name}[/bold]  {report.question_of(loaded)}", highlight=False)
    result = training.run(loaded, shown=[ProgressBar(console)])
    console.print(report.outcome(result), highlight=False, soft_wrap=True)
    return 0


def _list(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import overview, report

    Console().print(report.experiments(overview.rows()), highlight=False)
    return 0


def _show(options: argparse.Namespace) -> int:
    from lab import experiment

    print(experiment.load(options.name, options.overrides).to_yaml(), end="")
    return 0


def _test(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import report, testing

    again, logged = testing.test_again(options.run)
    Console().print(report.comparison(again, logged), highlight=False)
    return 0 if again == logged else 1
