"""Runs: list them, find the best, predict, export, promote, serve."""

import argparse

from lab.cli import arguments
from lab.cli.arguments import Commands, add


def register(commands: Commands) -> None:
    """Add runs, best, predict, export, promote and serve."""
    _register_runs(commands)
    _register_using(commands)
    _register_models(commands)


def _register_runs(commands: Commands) -> None:
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

    from lab.cli import tables
    from lab.errors import LabError
    from lab.tracking.reading.tables import open_tables

    if options.limit < 1:
        raise LabError(f"--limit: must be at least 1, not {options.limit}")
    if options.host and not options.reap:
        raise LabError("--host: goes with --reap")
    console, complete = Console(), True
    if options.reap:
        from lab.cli import maintenance

        lines, complete = maintenance.close_dead(options.host)
        console.print("\n".join(lines) or "no dead runs", highlight=False, markup=False, soft_wrap=True)
    table = open_tables().runs()
    ids = tables.chosen_runs(table, options.experiment, options.state, options.where, options.all)
    shown = tables.runs_table(table, ids[: options.limit], len(ids) - options.limit, console.width)
    console.print(shown, highlight=False)
    if not options.reap and (silent := tables.chosen_runs(table, state="stale", parts=True)):
        many = f"{len(silent)} run{'s' if len(silent) > 1 else ''}"
        console.print(f"{many} stopped reporting: `lab runs --reap` closes those whose process is gone")
    return 0 if complete else 1


def _register_using(commands: Commands) -> None:
    """Add best, predict, export, promote and serve."""
    best = add(commands, "best", _best, "show the best runs of an experiment")
    best.add_argument("name", help="an experiment that has runs")
    best.add_argument("--top", type=int, default=5, help="how many (5)")
    arguments.by(best)
    predict = add(commands, "predict", _predict, "predict for new data with the model of a run")
    arguments.run(predict)
    arguments.by(predict)
    predict.add_argument("data", nargs="+", help="a table, an array, a series, or images, as the model was trained on")
    predict.add_argument("-o", "--output", help="a .csv, .parquet or .npz file; without it, CSV is printed")
    predict.add_argument("--yes", action="store_true", help="replace the output without asking")


def _register_models(commands: Commands) -> None:
    export = add(commands, "export", _export, "write the model of a run in a format that others read")
    arguments.run(export)
    arguments.by(export)
    export.add_argument("--to", choices=("onnx", "torch", "safetensors"), required=True)
    export.add_argument("-o", "--output", help="the file; without it, one in exports/")
    export.add_argument("--yes", action="store_true", help="replace the file without asking")
    promote = add(commands, "promote", _promote, "give the model of a run a name in MLflow's registry")
    arguments.run(promote)
    arguments.by(promote)
    promote.add_argument("--as", dest="name", metavar="NAME", required=True, help="the registered model's name")
    promote.add_argument("--alias", default="champion", help="what the version is called (champion)")
    serve = add(commands, "serve", _serve, "answer HTTP requests on 127.0.0.1 with the model of a run")
    arguments.run(serve)
    arguments.by(serve)
    serve.add_argument("--port", type=int, default=5001)


def _best(options: argparse.Namespace) -> int:
    from rich.console import Console

    from lab.cli import tables
    from lab.tracking.reading import stored_runs

    runs = stored_runs.best(options.name, options.by, options.top)
    Console().print(tables.best_runs(runs, options.by), highlight=False, soft_wrap=True)
    return 0


def _predict(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lab.inference import files, model

    output = Path(options.output) if options.output else None
    if output:
        files.check_output(output, options.yes)
    loaded = model.load(options.run, options.by)
    raw = files.read(options.data, loaded.encoding)
    predictions = loaded.predict(raw)
    if isinstance(raw, list):
        predictions.insert(0, "file", [str(path) for path in raw])
    if output is None:
        files.print_predictions(predictions)
        return 0
    files.write_predictions(predictions, output)
    print(f"{output}: {len(predictions):,} predictions of run {loaded.run.id[:8]} ({loaded.run.name})")
    return 0


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lab.inference import export, model

    export.check_packages(options.to)
    output = Path(options.output) if options.output else None
    loaded = model.load(options.run, options.by)
    path, difference = export.export(loaded, options.to, output, options.yes)
    print(f"{path}: run {loaded.run.id[:8]} ({loaded.run.name}); largest difference to its outputs {difference:.2g}")
    return 0


def _promote(options: argparse.Namespace) -> int:
    from lab.tracking import models, store
    from lab.tracking.reading import stored_runs

    version = models.promote(stored_runs.find(options.run, options.by), options.name, options.alias)
    before = f" (before: version {version.previous})" if version.previous else ""
    print(f"{version.uri} is version {version.number} of {version.name}{before}")
    print(f"\nexport MLFLOW_TRACKING_URI={store.without_password(store.tracking_uri())}")
    print(f"python -c 'import mlflow; print(mlflow.pyfunc.load_model(\"{version.uri}\"))'")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from lab.cli import servers
    from lab.tracking.reading import stored_runs

    servers.serve_model(stored_runs.find(options.run, options.by), options.port)
    return 0
