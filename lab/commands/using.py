"""Using a run: find the best, predict, export, promote, serve."""

import argparse

from lab.commands import arguments
from lab.commands.arguments import Commands, add


def register(commands: Commands) -> None:
    """Add best, predict, export, promote and serve."""
    best = add(commands, "best", _best, "show the best runs of an experiment")
    best.add_argument("name", help="an experiment that has runs")
    best.add_argument("--top", type=int, default=5, help="how many (5)")
    arguments.by(best)
    predict = add(commands, "predict", _predict, "predict for new data with the model of a run")
    arguments.run(predict)
    arguments.by(predict)
    predict.add_argument("data", help="CSV, Parquet, NPY or NPZ, as the model was trained on")
    predict.add_argument("-o", "--output", help="a .csv, .parquet or .npz file; without it, CSV is printed")
    predict.add_argument("--yes", action="store_true", help="replace the output without asking")


def _best(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab.tracking import reader
    from lab.use import report

    runs = reader.best(options.name, options.by, options.top)
    Console().print(report.best_runs(runs, options.by), highlight=False, soft_wrap=True)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lab.use import inputs, model, results

    output = Path(options.output) if options.output else None
    if output:
        results.check(output, options.yes)
    loaded = model.load(options.run, options.by)
    predictions = loaded.predict(inputs.read(options.data, loaded.encoding))
    if output is None:
        results.show(predictions)
        return 0
    results.write(predictions, output)
    print(f"{output}: {len(predictions):,} predictions of run {loaded.run.id[:8]} ({loaded.run.name})")
    return 0
