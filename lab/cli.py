"""The `lab` command: parse, call, print. Heavy imports stand inside the commands that need them."""

import argparse
import sys
from collections.abc import Callable, Sequence

from lab import __version__
from lab.errors import LabError, Stopped, TrainingFailed


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, 1 (failed), 2 (a mistake to mend) or 128 + signal (stopped)."""
    options = _parsed(arguments)
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
        print(f"lab: stopped; {options.when_stopped}", file=sys.stderr)
        code = 128 + stop.signal_number
    except (KeyboardInterrupt, BrokenPipeError):
        code = 130
    sys.exit(code)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; argparse by itself takes no `setting=value` behind an option."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    late = [argument for argument in rest if "=" in argument and not argument.startswith("-")]
    if rest != late or (late and "overrides" not in options):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if late:
        options.overrides = [*options.overrides, *late]
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Find out whether an idea for a neural network works.")
    parser.add_argument("--version", action="version", version=f"lab {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run = _add(commands, "run", _run, "train, track and test one experiment")
    _experiment_arguments(run)
    study = _add(commands, "study", _study, "tune an experiment over its search space, and prove the winner")
    _study_arguments(study)
    study.set_defaults(when_stopped="the same command goes on where the study stopped")
    compare = _add(commands, "compare", _compare, "is A really better than B? a verdict with evidence")
    compare.add_argument("name", help="a file in experiments/comparisons/, without .yaml; or run ids, two or more")
    compare.add_argument("overrides", nargs="*", metavar="setting=value", help="settings to change in all arms")
    compare.add_argument("--metric", default="val/accuracy", help="of runs: the metric at their best epoch")
    compare.add_argument("--margin", type=float, default=0.0, help="of runs: a difference that does not matter")
    compare.add_argument("--unpaired", action="store_true", help="of runs: do not pair them by seed (Welch)")
    compare.add_argument("--seeds", help="the least and the most seeds, such as 5..30")
    compare.add_argument("--workers", type=int, default=1, help="trainings at once, on Ray where above 1")
    compare.set_defaults(when_stopped="the same command goes on where the comparison stopped")
    _add(commands, "list", _list, "show all experiments in experiments/")
    show = _add(commands, "show", _show, "print an experiment with every setting")
    _experiment_arguments(show)
    test = _add(commands, "test", _test, "test a run again, from its own record")
    test.add_argument("run", help="the run's id, or its first letters")
    _add(commands, "sync", _sync, "send the records that wait for the tracking store")
    mlflow = _add(commands, "mlflow", _mlflow, "open MLflow's own pages on 127.0.0.1")
    mlflow.add_argument("--port", type=int, default=5000)
    dashboard = _add(commands, "dashboard", _dashboard, "open the dashboard on 127.0.0.1")
    dashboard.add_argument("--port", type=int, default=8501)
    _add(commands, "doctor", _doctor, "show versions, device, threads and the store")
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(command=command, when_stopped="the run is recorded as KILLED, with its checkpoints")
    return parser


def _experiment_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="a file in experiments/, without .yaml")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="setting=value",
        help="settings to change, such as optimizer.lr=0.01 seed=3",
    )


def _study_arguments(parser: argparse.ArgumentParser) -> None:
    _experiment_arguments(parser)
    parser.add_argument("--trials", type=int, default=30, help="trials in all, earlier ones of the study included (30)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no new trial after that time")
    parser.add_argument("--workers", type=int, default=1, help="trials at once, on Ray where above 1")
    parser.add_argument("--sampler", choices=("tpe", "gp", "random", "cmaes"), default="tpe")
    parser.add_argument("--pruner", choices=("hyperband", "median", "none"), default="hyperband")
    parser.add_argument("--metric", help="the validation metric to search by (val/accuracy or val/rmse)")
    parser.add_argument("--top", type=int, default=3, help="trials that are trained again on fresh seeds (3)")
    parser.add_argument("--seeds", type=int, default=5, help="fresh seeds for each (5)")
    parser.add_argument("--yes", action="store_true", help="replace experiments/NAME-best.yaml without asking")


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


def _study(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import experiment
    from lab.studies import report, study
    from lab.studies.progress import Line

    names = ("trials", "minutes", "workers", "sampler", "pruner", "metric", "top", "seeds")
    chosen = study.Options(**{name: getattr(options, name) for name in names})
    console = Console()
    with Line(console, chosen) as line:
        result = study.run(experiment.load(options.name, options.overrides), chosen, line)
    console.print(report.outcome(result), highlight=False, soft_wrap=True)
    console.print(report.keep_winner(result, options.yes), highlight=False, soft_wrap=True)
    return 0


def _compare(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab.comparisons import comparison, existing, report, run

    run_ids = [options.name, *(argument for argument in options.overrides if "=" not in argument)]
    if len(run_ids) > 1:
        findings = existing.compare(run_ids, options.metric, options.margin, options.unpaired)
        Console().print(report.of_runs(findings, options.unpaired), highlight=False, soft_wrap=True)
        return 0
    loaded = comparison.load(options.name, options.overrides, options.seeds)
    console = Console()
    console.print(f"[bold]{loaded.name}[/bold]  {loaded.question}", highlight=False)
    with report.LiveTable(console) as table:
        result = run.run(loaded, options.workers, table.show)
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


def _dashboard(options: argparse.Namespace) -> int:
    from lab import dashboard_server

    dashboard_server.serve(options.port)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from lab import doctor

    for name, value in doctor.findings().items():
        print(f"{name:14} {value}")
    return 0
