"""Experiments: run one, list them, show one in full, test a run again."""

import argparse
import functools

from lab.commands import arguments
from lab.commands.arguments import Commands, add

OWN_CODE = "# it runs no code but the lab's own"


def register(commands: Commands) -> None:
    """Add new, run, list, show, resume, reproduce and test."""
    new = add(commands, "new", _new, "look at your data and write an experiment that trains as it is")
    new.add_argument("name", help="what to call it: experiments/NAME.yaml")
    new.add_argument(
        "--data", required=True, help="CSV or Parquet, NPZ or NPY, or a folder with one of images per class"
    )
    new.add_argument("--target", help="the column to predict (a series: one or several, a,b); of NPY, the file of y")
    new.add_argument("--model", help="the architecture, where another than the usual one is wanted")
    new.add_argument("--kind", help="table, series, arrays or images, where the guess is wrong")
    new.add_argument("--yes", action="store_true", help="replace experiments/NAME.yaml without asking")
    arguments.overrides(new, "data.text_encoding=cp1252 trainer.max_epochs=5")
    recorded = "the run is recorded as KILLED, with its checkpoints"
    arguments.experiment(add(commands, "run", _run, "train, track and test one experiment", recorded))
    add(commands, "list", _list, "show all experiments in experiments/")
    arguments.experiment(add(commands, "show", _show, "print an experiment with every setting"))
    resume = add(commands, "resume", _resume, "go on with a run that was killed, failed or stopped", recorded)
    arguments.run(resume)
    resume.add_argument("overrides", nargs="*", metavar="trainer.max_epochs=80", help="train a finished run longer")
    reproduce = add(commands, "reproduce", _reproduce, "train a run again from its own record, and compare", recorded)
    arguments.run(reproduce)
    arguments.run(add(commands, "test", _test, "test a run again, from its own record"))


def _new(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab.scaffold import report, writing

    made = writing.new(
        options.name, options.data, options.target, options.model, options.kind, options.yes, options.overrides
    )
    Console().print(report.scaffold(made), highlight=False, soft_wrap=True)
    return 0


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import experiment, reaping, report, training
    from lab.progress import ProgressBar

    loaded = experiment.load(options.name, options.overrides)
    reaping.start_in_background()
    console = Console()
    console.print(f"[bold]{loaded.name}[/bold]  {report.question_of(loaded)}", highlight=False)
    result = training.run(loaded, shown=[ProgressBar(console)])
    console.print(report.outcome(result), highlight=False, soft_wrap=True)
    return 0


def _resume(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import report, resuming
    from lab.progress import ProgressBar

    console = Console()
    say = functools.partial(console.print, highlight=False, soft_wrap=True, markup=False)
    result = resuming.resume(options.run, options.overrides, [ProgressBar(console)], say)
    console.print(report.outcome(result), highlight=False, soft_wrap=True)
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import report, reproducing
    from lab.progress import ProgressBar

    console = Console()
    say = functools.partial(console.print, highlight=False, soft_wrap=True, markup=False)
    reproduction = reproducing.reproduce(options.run, [ProgressBar(console)], say)
    console.print(report.outcome(reproduction.result), highlight=False, soft_wrap=True)
    say("\n" + "\n".join(reproducing.as_lines(reproduction)))
    return 1 if reproduction.verdict == "DIFFERS" else 0


def _list(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import overview, report

    Console().print(report.experiments(overview.rows()), highlight=False)
    return 0


def _show(options: argparse.Namespace) -> int:
    from lab import experiment

    loaded = experiment.load(options.name, options.overrides)
    print(loaded.to_yaml(), end="")
    code = loaded.foreign_code()
    print("\n".join(f"# {section}.kind runs code of {whose}" for section, whose in code.items()) or OWN_CODE)
    return 0


def _test(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import report, testing

    again, logged = testing.test_again(options.run)
    Console().print(report.comparison(again, logged), highlight=False)
    return 0 if again == logged else 1
