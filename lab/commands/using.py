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
    predict.add_argument("data", nargs="+", help="a table, an array, a series, or images, as the model was trained on")
    predict.add_argument("-o", "--output", help="a .csv, .parquet or .npz file; without it, CSV is printed")
    predict.add_argument("--yes", action="store_true", help="replace the output without asking")
    _register_models(commands)


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
    raw = inputs.read(options.data, loaded.encoding)
    predictions = loaded.predict(raw)
    if isinstance(raw, list):
        predictions.insert(0, "file", [str(path) for path in raw])
    if output is None:
        results.show(predictions)
        return 0
    results.write(predictions, output)
    print(f"{output}: {len(predictions):,} predictions of run {loaded.run.id[:8]} ({loaded.run.name})")
    return 0


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lab.use import export, model

    export.check_packages(options.to)
    output = Path(options.output) if options.output else None
    loaded = model.load(options.run, options.by)
    path, difference = export.export(loaded, options.to, output, options.yes)
    print(f"{path}: run {loaded.run.id[:8]} ({loaded.run.name}); largest difference to its outputs {difference:.2g}")
    return 0


def _promote(options: argparse.Namespace) -> int:
    from lab.tracking import reader, registry, store

    version = registry.promote(reader.find(options.run, options.by), options.name, options.alias)
    before = f" (before: version {version.before})" if version.before else ""
    print(f"{version.uri} is version {version.number} of {version.name}{before}")
    print(f"\nexport MLFLOW_TRACKING_URI={store.without_password(store.tracking_uri())}")
    print(f"python -c 'import mlflow; print(mlflow.pyfunc.load_model(\"{version.uri}\"))'")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from lab.tracking import reader, scoring

    scoring.serve(reader.find(options.run, options.by), options.port)
    return 0
