"""Commands for studies and comparisons: study, compare."""

import argparse

from lab.cli import arguments
from lab.cli.arguments import Commands, add, listed, one_of
from lab.errors import LabError
from lab.studies.samplers import PRUNERS, SAMPLERS


def register(commands: Commands) -> None:
    """Add study and compare."""
    _register_study(commands)
    _register_compare(commands)


def _register_study(commands: Commands) -> None:
    text = "search the best settings of an experiment and confirm them on fresh seeds"
    study = add(commands, "study", _study, text, "the same command continues the study")
    arguments.experiment(study)
    study.add_argument("--trials", type=int, default=30, help="total number of trials, earlier ones included (30)")
    study.add_argument("--minutes", type=float, default=float("inf"), help="the whole study within this time")
    study.add_argument("--workers", type=int, help=f"trials in parallel, {arguments.WORKERS}")
    study.add_argument("--sampler", type=one_of(*SAMPLERS), default="tpe", help=f"{listed(SAMPLERS)} (tpe)")
    study.add_argument("--pruner", type=one_of(*PRUNERS), default="hyperband", help=f"{listed(PRUNERS)} (hyperband)")
    study.add_argument("--metric", help="validation metric to optimize (val/accuracy or val/rmse)")
    study.add_argument("--top", type=int, default=3, help="trials to train again on fresh seeds (3)")
    study.add_argument("--seeds", type=int, default=5, help="fresh seeds for each (5)")
    study.add_argument("--yes", action="store_true", help="replace experiments/NAME-best.yaml without asking")


def _study(options: argparse.Namespace) -> int:
    from lab.parallel import template

    with template.started_early(options.workers):
        return _search(options)


def _search(options: argparse.Namespace) -> int:
    from lab.cli import maintenance
    from lab.config import experiment
    from lab.display.output import SafeConsole
    from lab.studies import report, study
    from lab.studies.report import ProgressLine

    names = ("trials", "minutes", "workers", "sampler", "pruner", "metric", "top", "seeds")
    chosen = study.Options(**{name: getattr(options, name) for name in names})
    loaded = experiment.load(options.name, options.overrides)
    maintenance.start_in_background()
    console = SafeConsole()
    with ProgressLine(console, chosen) as line:
        result = study.run(loaded, chosen, line)
    console.tell(report.summary(result))
    console.tell(report.write_winner(result, options.yes))
    return 0


def _register_compare(commands: Commands) -> None:
    text = "is A really better than B? a verdict with evidence"
    compare = add(commands, "compare", _compare, text, "the same command continues the comparison")
    compare.add_argument("name", help="a file in experiments/comparisons/, without .yaml; or two or more run ids")
    compare.add_argument("overrides", nargs="*", metavar="setting=value", help="settings to change in all arms")
    compare.add_argument("--metric", help="of runs: metric at the best epoch (val/accuracy)")
    compare.add_argument("--margin", type=float, help="of runs: differences that do not matter (0)")
    compare.add_argument("--unpaired", action="store_true", help="of runs: do not pair by seed (Welch)")
    compare.add_argument("--reduce", type=one_of("best", "last"), help="of runs of other tools: the best or last value")
    direction = compare.add_mutually_exclusive_group()
    direction.add_argument("--higher-is-better", action="store_true", help="of runs: where neither run nor name says")
    direction.add_argument("--lower-is-better", action="store_true", help="of runs: where neither run nor name says")
    compare.add_argument("--seeds", help="minimum and maximum number of seeds, such as 5..30")
    compare.add_argument("--minutes", type=float, help="a verdict within this time: begin no seed that does not fit")
    compare.add_argument("--workers", type=int, help=f"trainings in parallel, {arguments.WORKERS}")


OF_RUNS = ("metric", "margin", "unpaired", "reduce", "higher_is_better", "lower_is_better")
OF_FILES = ("seeds", "minutes", "workers")


def _refuse(options: argparse.Namespace, names: tuple[str, ...], why: str) -> None:
    """Raise LabError for options that were given although they would be ignored."""
    given = [name for name in names if getattr(options, name) is not None and getattr(options, name) is not False]
    if given:
        raise LabError(*[f"--{name.replace('_', '-')}: {why}" for name in given])


def _compare(options: argparse.Namespace) -> int:
    run_ids = [options.name, *(argument for argument in options.overrides if "=" not in argument)]
    if len(run_ids) > 1:
        return _compare_runs(options, run_ids)
    _refuse(options, OF_RUNS, f"is for runs; {options.name} is a comparison file, which says it itself")
    from lab.parallel import template

    with template.started_early(options.workers):
        return _compare_arms(options)


def _compare_runs(options: argparse.Namespace, run_ids: list[str]) -> int:
    """Compare runs as they are."""
    _refuse(options, OF_FILES, "is for comparison files; these are runs, which are not trained again")
    if settings := [argument for argument in options.overrides if "=" in argument]:
        raise LabError(f"{settings[0]}: runs are compared as they are; settings are for comparison files")
    from lab.comparisons import existing, report
    from lab.display.output import SafeConsole

    higher = True if options.higher_is_better else False if options.lower_is_better else None
    metric = options.metric or existing.How.metric
    how = existing.How(metric, options.margin or 0.0, options.unpaired, options.reduce, higher)
    findings = existing.compare(run_ids, how)
    SafeConsole().tell(report.of_runs(findings, options.unpaired))
    return 0


def _compare_arms(options: argparse.Namespace) -> int:
    """Train the arms of a comparison file."""
    from rich.markup import escape

    from lab.cli import maintenance
    from lab.comparisons import comparison, report, run
    from lab.display.output import SafeConsole

    loaded = comparison.load(options.name, options.overrides, options.seeds, options.minutes)
    maintenance.start_in_background()
    console = SafeConsole()
    console.print(f"[bold]{loaded.name}[/bold]  {escape(loaded.question)}", highlight=False)
    with report.LiveTable(console) as table:
        result = run.run(loaded, options.workers, table.show)
    console.tell(report.summary(result))
    return 0
