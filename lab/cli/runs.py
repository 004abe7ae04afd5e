"""Commands for runs and their models: runs, best, explain, predict, export, promote, serve."""

import argparse
import sys
from typing import TYPE_CHECKING

from lab.cli import arguments
from lab.cli.arguments import Commands, add, listed, one_of
from lab.errors import LabError, printable, see, without_password

if TYPE_CHECKING:
    from lab.inference.model import Model

FORMATS = ("onnx", "torch", "safetensors")
WRITING = ("length", "temperature", "seed")  # options of `lab predict` for a model that writes text


def register(commands: Commands) -> None:
    """Add runs, best, explain, predict, export, promote and serve."""
    _register_runs(commands)
    _register_best(commands)
    _register_explain(commands)
    _register_predict(commands)
    _register_export(commands)
    _register_promote(commands)
    _register_serve(commands)


def _register_runs(commands: Commands) -> None:
    runs = add(commands, "runs", _runs, "list runs and their states; with --reap, close dead ones")
    runs.add_argument("experiment", nargs="?", default="", help="only runs of this experiment")
    runs.add_argument("--state", default="", help="only running, finished, failed, stopped, stale, ...")
    runs.add_argument("--where", default="", metavar="FILTER", help="MLflow filter, such as \"params.seed = '1'\"")
    runs.add_argument("--all", action="store_true", help="include trials, fresh seeds, replicates and folds")
    runs.add_argument("--limit", type=int, default=20, help="maximum number of rows (20)")
    runs.add_argument("--reap", action="store_true", help="first send the records of dead processes, close their runs")
    runs.add_argument("--host", metavar="NAME", help="with --reap: also close silent runs of that machine")


def _runs(options: argparse.Namespace) -> int:
    from lab.cli import tables
    from lab.display.output import SafeConsole
    from lab.tracking.reading import run_table, summaries
    from lab.tracking.reading.tables import open_tables

    if options.limit < 1:
        raise LabError(f"--limit: must be at least 1, not {options.limit}")
    if options.host and not options.reap:
        raise LabError("--host: only valid with --reap")
    console, complete = SafeConsole(), True
    if options.reap:
        from lab.cli import maintenance

        lines, complete = maintenance.close_dead_runs(options.host)
        console.print("\n".join(lines) or "no dead runs", highlight=False, markup=False, soft_wrap=True)
    stored = open_tables()
    table = stored.runs()
    ids = run_table.select(table, options.experiment, options.state, options.where, options.all)
    first = ids[: options.limit]
    best = summaries.best_of_runs(stored, table, first)
    console.print(tables.runs_table(table, first, best, len(ids) - options.limit, console.width), highlight=False)
    if not options.reap and (stale := run_table.select(table, state="stale", parts=True)):
        count = f"{len(stale)} run{'s' if len(stale) > 1 else ''}"
        line = f"{count} stopped reporting: `lab runs --reap` closes those whose process is dead"
        console.tell(f"{line}{see('interrupted-runs')}")
    return 0 if complete else 1


def _register_best(commands: Commands) -> None:
    best = add(commands, "best", _best, "list the best runs of an experiment")
    best.add_argument("name", help="an experiment that has runs")
    best.add_argument("--top", type=int, default=5, help="number of runs (5)")
    arguments.by(best)


def _best(options: argparse.Namespace) -> int:
    from lab.cli import tables
    from lab.display.output import SafeConsole
    from lab.tracking.reading import stored_runs

    ranking = stored_runs.ranking(options.name, options.by, options.top)
    SafeConsole().tell(tables.best_runs(ranking))
    return 0


def _register_explain(commands: Commands) -> None:
    text = "what a run pays attention to, and what it gets wrong: importance, saliency, the worst samples"
    explain = add(commands, "explain", _explain, text)
    arguments.run(explain)
    arguments.by(explain)
    explain.add_argument(
        "--split", type=one_of("val", "test"), default="val", help="samples to explain: val or test (val)"
    )
    explain.add_argument("--seed", type=int, default=0, help="seed of the shuffles (0)")


def _explain(options: argparse.Namespace) -> int:
    from lab.display.output import SafeConsole
    from lab.explanations import report
    from lab.explanations.explain import explain

    found = explain(options.run, options.split, options.seed, options.by)
    SafeConsole().tell(report.outcome(found))
    return 0


def _register_predict(commands: Commands) -> None:
    predict = add(commands, "predict", _predict, "predict for new data with the model of a run")
    arguments.run(predict)
    arguments.by(predict)
    data = predict.add_argument(
        "data", nargs="+", help="a table, array, series, images or texts, like the training data"
    )
    data.required = False  # with --prompt; nargs="*" would take nothing where an option stands before the file
    predict.add_argument("--prompt", help="of a model of text: how the text begins that it writes")
    predict.add_argument("--length", type=_count, help="characters that it writes (200)")
    predict.add_argument("--temperature", type=_temperature, help="below 1 more usual text, 0 the most probable (1)")
    predict.add_argument("--seed", type=_count, help="of the drawn characters (0)")
    predict.add_argument("-o", "--output", help="a .csv, .parquet or .npz file; without it, CSV is printed")
    predict.add_argument("--yes", action="store_true", help="replace the output without asking")


def _predict(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lab.inference import files, model

    output = Path(options.output) if options.output else None
    if output:
        files.check_output(output, options.yes)
    loaded = model.load(options.run, options.by)
    if options.prompt is not None:
        return _write(options, loaded)
    if given := [name for name in WRITING if getattr(options, name) is not None]:
        raise LabError(f"--{given[0]}: is for text that a model writes; add --prompt")
    if loaded.output.task == "language":
        raise LabError(f"run {loaded.run.id[:8]} writes text; give the beginning, such as --prompt 'The '")
    if not options.data:
        raise LabError("data: is required: a file of new data")
    raw = files.read(options.data, loaded.encoding, lambda line: print(f"lab: {line}", file=sys.stderr))
    predictions = loaded.predict(raw)
    if isinstance(raw, list) and loaded.encoding.kind == "image":
        predictions.insert(0, "file", [str(path) for path in raw])
    if output is None:
        files.print_predictions(predictions)
        return 0
    files.write_predictions(predictions, output)
    print(f"{output}: {len(predictions):,} predictions of run {loaded.run.id[:8]} ({printable(loaded.run.name)})")
    return 0


def _write(options: argparse.Namespace, loaded: "Model") -> int:
    """Print text that begins with the prompt."""
    from lab.inference import text

    if options.data or options.output:
        raise LabError(f"--prompt: takes no file; remove {options.output or options.data[0]}")
    given = {name: getattr(options, name) for name in WRITING if getattr(options, name) is not None}
    print(text.write(loaded, options.prompt, **given))
    return 0


def _count(value: str) -> int:
    if not value.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, not {value!r}")
    return int(value)


def _temperature(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number, at least 0, not {value!r}")
    return number


def _register_export(commands: Commands) -> None:
    export = add(commands, "export", _export, "export the model of a run to ONNX, PyTorch or safetensors")
    arguments.run(export)
    arguments.by(export)
    export.add_argument("--to", type=one_of(*FORMATS), required=True, help=f"format: {listed(FORMATS)}")
    export.add_argument("-o", "--output", help="output file (default: one in exports/)")
    export.add_argument("--yes", action="store_true", help="replace the file without asking")


def _export(options: argparse.Namespace) -> int:
    from pathlib import Path

    from lab.inference import export, model
    from lab.tracking import models

    export.check_packages(options.to)
    output = Path(options.output) if options.output else None
    loaded = model.load(options.run, options.by)
    path, difference = export.export(loaded, options.to, output, options.yes)
    run = f"run {loaded.run.id[:8]} ({printable(loaded.run.name)})"
    print(f"{path}: {run}; largest difference from its outputs {difference:.2g}")
    if note := models.left_to_you(loaded.run, options.to == "safetensors"):
        print(note)
    return 0


def _register_promote(commands: Commands) -> None:
    promote = add(commands, "promote", _promote, "register the model of a run in MLflow's model registry")
    arguments.run(promote)
    arguments.by(promote)
    promote.add_argument("--as", dest="name", metavar="NAME", required=True, help="name of the registered model")
    promote.add_argument("--alias", default="champion", help="alias of the new version (champion)")


def _promote(options: argparse.Namespace) -> int:
    from lab.tracking import models, store
    from lab.tracking.reading import stored_runs

    run = stored_runs.find(options.run, options.by)
    version = models.promote(run, options.name, options.alias)
    previous = f" (previously version {version.previous})" if version.previous else ""
    print(f"{version.uri} is version {version.number} of {version.name}{previous}")
    if note := models.undecided(run):
        print(note)
    print(f"\nexport MLFLOW_TRACKING_URI={without_password(store.tracking_uri())}")
    print(f".venv/bin/python -c 'import mlflow; print(mlflow.pyfunc.load_model(\"{version.uri}\"))'")
    return 0


def _register_serve(commands: Commands) -> None:
    serve = add(commands, "serve", _serve, "serve the model of a run over HTTP on 127.0.0.1")
    arguments.run(serve)
    arguments.by(serve)
    serve.add_argument("--port", type=int, default=5001, help="port (5001)")


def _serve(options: argparse.Namespace) -> int:
    from lab.cli import servers
    from lab.tracking.reading import stored_runs

    servers.serve_model(stored_runs.find(options.run, options.by), options.port)
    return 0
