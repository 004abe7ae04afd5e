"""Commands for experiments: new, check, run, list, show, resume, reproduce, test."""

import argparse
import functools

from lab.cli import arguments
from lab.cli.arguments import Commands, add
from lab.errors import LabError

OWN_CODE = "# runs only code of the lab"


def register(commands: Commands) -> None:
    """Add new, check, run, list, show, resume, reproduce and test."""
    _register_new(commands)
    checked = add(commands, "check", _check, "try an experiment on one batch, and record nothing; without a name, all")
    checked.add_argument("name", nargs="?", help="a file in experiments/, without .yaml")
    arguments.overrides(checked, "optimizer.lr=0.01 seed=3")
    killed = "the run is recorded as KILLED, with its checkpoints"
    run = add(commands, "run", _run, "train, track and test an experiment", killed)
    arguments.experiment(run)
    run.add_argument("--folds", type=int, help="cross-validate: train it so many times, and test every sample once")
    run.add_argument("--workers", type=int, help=f"of --folds: in parallel, {arguments.WORKERS}")
    add(commands, "list", _list, "list all experiments in experiments/")
    arguments.experiment(add(commands, "show", _show, "print an experiment with every setting"))
    resume = add(commands, "resume", _resume, "resume a run that was killed, failed or stopped", killed)
    arguments.run(resume)
    resume.add_argument("overrides", nargs="*", metavar="trainer.max_epochs=80", help="train a finished run longer")
    reproduce = add(commands, "reproduce", _reproduce, "repeat a run from its record and compare the results", killed)
    arguments.run(reproduce)
    arguments.run(add(commands, "test", _test, "repeat the test of a run and compare the results"))


def _register_new(commands: Commands) -> None:
    new = add(commands, "new", _new, "inspect your data and write an experiment that trains without changes")
    new.add_argument("name", help="the name of the experiment: experiments/NAME.yaml")
    data = "a CSV or Parquet file (of rows, texts or names of images), an NPZ, NPY or text file, or a folder per class"
    new.add_argument("--data", required=True, help=data)
    new.add_argument("--target", help="column to predict (of a series one or several: a,b); for NPY, the file of y")
    new.add_argument("--model", help="architecture, instead of the recommended one")
    new.add_argument("--kind", help="table, series, arrays, images, text or characters, if the guess is wrong")
    new.add_argument("--yes", action="store_true", help="replace experiments/NAME.yaml without asking")
    arguments.overrides(new, "data.text_encoding=cp1252 trainer.max_epochs=5")


def _new(options: argparse.Namespace) -> int:
    from lab.cli import tables
    from lab.display.output import SafeConsole
    from lab.scaffold import writing

    made = writing.new(
        options.name, options.data, options.target, options.model, options.kind, options.yes, options.overrides
    )
    SafeConsole().tell(tables.scaffold(made))
    return 0


def _check(options: argparse.Namespace) -> int:
    from lab.cli import check_report
    from lab.config import experiment
    from lab.display.output import SafeConsole
    from lab.training.rehearsal import check

    if options.name is None:
        return _check_all()
    found = check.check(experiment.load(options.name, options.overrides))
    SafeConsole().tell(check_report.findings(found))
    return 0


def _check_all() -> int:
    """Check all experiments, a line each."""
    from lab.config import experiment
    from lab.display.output import SafeConsole
    from lab.training.rehearsal import check

    code = 0
    for name in experiment.names():
        try:
            _, rehearsal = check.rehearsed(experiment.load(name))
            notes = [f"{subject}: {text}" for subject, text in rehearsal.notes]
            line = "; ".join([f"first loss {rehearsal.loss:.4g}", *notes])
        except LabError as error:
            line, code = f"lab: {error.lines[0]}", 2
        SafeConsole().print(f"{name:20}  {line}", highlight=False, soft_wrap=True, markup=False)
    return code


def _run(options: argparse.Namespace) -> int:
    if options.folds is not None:
        from lab.parallel import template

        with template.started_early(options.workers):
            return _run_folds(options)
    if options.workers is not None:
        raise LabError("--workers: is for --folds; a single training is not divided among workers")
    from lab.cli import maintenance, tables
    from lab.config import experiment
    from lab.display.output import SafeConsole
    from lab.training import run as training
    from lab.training.results import report
    from lab.training.results.progress import ProgressBar

    loaded = experiment.load(options.name, options.overrides)
    maintenance.start_in_background()
    console = SafeConsole()
    console.print(f"[bold]{loaded.name}[/bold]  {tables.question_of(loaded)}", highlight=False)
    result = training.run(loaded, [ProgressBar(console)])
    console.tell(report.summary(result))
    return 0


def _run_folds(options: argparse.Namespace) -> int:
    """Train an experiment on every fold; 1 where a fold failed, since not every sample is tested then."""
    from lab.cli import maintenance, tables
    from lab.config import experiment
    from lab.cross_validation import report, run
    from lab.display.output import SafeConsole

    options.when_stopped = "the same command continues with the folds that are left"
    loaded = experiment.load(options.name, options.overrides)
    maintenance.start_in_background()
    console = SafeConsole()
    console.print(f"[bold]{loaded.name}[/bold]  {tables.question_of(loaded)}", highlight=False)
    with report.LiveTable(console) as table:
        result = run.run(loaded, options.folds, options.workers, table.show)
    console.tell(report.summary(result))
    return 1 if result.scores.failed else 0


def _resume(options: argparse.Namespace) -> int:
    from lab.display.output import SafeConsole
    from lab.training import resume
    from lab.training.results import report
    from lab.training.results.progress import ProgressBar

    console = SafeConsole()
    say = functools.partial(console.print, highlight=False, soft_wrap=True, markup=False)
    result = resume.resume(options.run, options.overrides, [ProgressBar(console)], say)
    console.tell(report.summary(result))
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from lab.display.output import SafeConsole
    from lab.training import reproduce
    from lab.training.results import report
    from lab.training.results.progress import ProgressBar

    console = SafeConsole()
    say = functools.partial(console.print, highlight=False, soft_wrap=True, markup=False)
    reproduction = reproduce.reproduce(options.run, [ProgressBar(console)], say)
    console.tell(report.summary(reproduction.result))
    say("\n" + "\n".join(reproduce.as_lines(reproduction)))
    return 1 if reproduction.verdict == "DIFFERS" else 0


def _list(options: argparse.Namespace) -> int:
    from lab.cli import tables
    from lab.display.output import SafeConsole

    SafeConsole().print(tables.experiment_list(overview()), highlight=False)
    return 0


def _show(options: argparse.Namespace) -> int:
    from lab.config import experiment

    loaded = experiment.load(options.name, options.overrides)
    print(loaded.to_yaml(), end="")
    code = loaded.foreign_code()
    print("\n".join(f"# {section}.kind runs code of {source}" for section, source in code.items()) or OWN_CODE)
    return 0


def _test(options: argparse.Namespace) -> int:
    from lab.cli import tables
    from lab.display.output import SafeConsole
    from lab.training import reproduce

    again, logged = reproduce.test_again(options.run)
    SafeConsole().print(tables.retest(again, logged), highlight=False)
    return 0 if again == logged else 1


def overview() -> list[tuple[str, str, str]]:
    """Name, parts (data, model, size) and question of each experiment; why it cannot be run in place of the parts."""
    from lab.config import experiment

    return [_overview_row(name) for name in experiment.names()]


def _overview_row(name: str) -> tuple[str, str, str]:
    from lab.config import experiment
    from lab.training import building

    question = "(cannot be read)"
    try:
        loaded = experiment.load(name)
        question = loaded.question
        parameters = sum(p.numel() for p in building.build(loaded).module.parameters())
    except LabError as error:
        return name, f"cannot be run: {'; '.join(error.lines)}", question
    return name, f"{loaded.data.kind}, {loaded.network}, {parameters:,} parameters", loaded.question
