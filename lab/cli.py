"""The `lab` command: parse, call, print. Heavy imports stand inside the commands that need them."""

import argparse
import sys
from collections.abc import Callable, Sequence

from lab import __version__
from lab.errors import LabError, Stopped, TrainingFailed


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 1 (failed), 2 (a mistake to mend) or 128 + signal (stopped)."""
    options = _parser().parse_args(arguments)
    try:
        code = options.command(options)
    except LabError as error:
        for line in error.lines:
            print(f"lab: {line}", file=sys.stderr)
        code = 2
    except TrainingFailed as error:
        print(f"lab: {error}", file=sys.stderr)
        code = 1
    except Stopped as stop:
        print("lab: stopped; the run is recorded as KILLED, with its checkpoints", file=sys.stderr)
        code = 128 + stop.signal_number
    except (KeyboardInterrupt, BrokenPipeError):
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Find out whether an idea for a neural network works.")
    parser.add_argument("--version", action="version", version=f"lab {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run = _add(commands, "run", _run, "train, track and test one experiment")
    _experiment_arguments(run)
    _add(commands, "list", _list, "show all experiments in experiments/")
    show = _add(commands, "show", _show, "print an experiment with every setting")
    _experiment_arguments(show)
    test = _add(commands, "test", _test, "test a run again, from its own record")
    test.add_argument("run", help="the run's id, or its first letters")
    _add(commands, "sync", _sync, "send the records that wait for the tracking store")
    mlflow = _add(commands, "mlflow", _mlflow, "open MLflow's own pages on 127.0.0.1")
    mlflow.add_argument("--port", type=int, default=5000)
    _add(commands, "doctor", _doctor, "show versions, device, threads and the store")
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _experiment_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a file in experiments/, without .yaml")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="setting=value",
        help="settings to change, such as optimizer.lr=0.01 seed=3",
    )


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


def _sync(options: argparse.Namespace) -> int:
    from lab.tracking import waiting

    lines, complete = waiting.send_all()
    print("\n".join(lines))
    return 0 if complete else 1


def _mlflow(options: argparse.Namespace) -> int:
    from lab.tracking import server

    server.serve(options.port)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from lab import doctor

    for name, value in doctor.findings().items():
        print(f"{name:14} {value}")
    return 0
