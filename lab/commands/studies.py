"""Studies: tune an experiment."""

import argparse

from lab.commands import arguments
from lab.commands.arguments import Commands, add


def register(commands: Commands) -> None:
    """Add study."""
    text = "tune an experiment over its search space, and prove the winner"
    study = add(commands, "study", _study, text, "the same command goes on where the study stopped")
    arguments.experiment(study)
    study.add_argument("--trials", type=int, default=30, help="trials in all, earlier ones of the study included (30)")
    study.add_argument("--minutes", type=float, default=float("inf"), help="no new trial after that time")
    study.add_argument("--workers", type=int, default=1, help="trials at once, on Ray where above 1")
    study.add_argument("--sampler", choices=("tpe", "gp", "random", "cmaes"), default="tpe")
    study.add_argument("--pruner", choices=("hyperband", "median", "none"), default="hyperband")
    study.add_argument("--metric", help="the validation metric to search by (val/accuracy or val/rmse)")
    study.add_argument("--top", type=int, default=3, help="trials that are trained again on fresh seeds (3)")
    study.add_argument("--seeds", type=int, default=5, help="fresh seeds for each (5)")
    study.add_argument("--yes", action="store_true", help="replace experiments/NAME-best.yaml without asking")


def _study(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab import experiment, reaping
    from lab.studies import report, study
    from lab.studies.progress import Line

    names = ("trials", "minutes", "workers", "sampler", "pruner", "metric", "top", "seeds")
    chosen = study.Options(**{name: getattr(options, name) for name in names})
    loaded = experiment.load(options.name, options.overrides)
    reaping.start_in_background()
    console = Console()
    with Line(console, chosen) as line:
        result = study.run(loaded, chosen, line)
    console.print(report.outcome(result), highlight=False, soft_wrap=True)
    console.print(report.keep_winner(result, options.yes), highlight=False, soft_wrap=True)
    return 0
