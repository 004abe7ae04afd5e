"""MLflow's scoring server for a run's model, on this machine alone."""

import json
import os
import sys
from pathlib import Path

from lab import listening
from lab.tracking import models, store
from lab.tracking.reader import StoredRun

EXAMPLE = "serving_input_example.json"  # MLflow's own name for it, in every model's folder
LONGEST_EXAMPLE = 600  # characters that are printed; a longer one is read from its file


def serve(run: StoredRun, port: int) -> None:
    """Become the scoring server of a run's model; raises LabError where it has none, or the port is taken."""
    folder = models.folder(run)
    listening.check(listening.HOST, port, "--port ")
    store.quiet_mlflow()
    # MLflow calls `uvicorn`, which nothing but this environment may have.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["MLFLOW_TRACKING_URI"] = store.tracking_uri()
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    print(f"run {run.id[:8]} ({run.name}) on http://{listening.HOST}:{port} (Ctrl-C ends it)\n")
    print(request(folder, port), flush=True)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder)]
    place = ["--host", listening.HOST, "--port", str(port), "--env-manager", "local"]
    os.execv(sys.executable, [*command, *place])


def request(folder: Path, port: int) -> str:
    """A command that asks the server for a prediction, with a row that the model was trained on."""
    text = (folder / EXAMPLE).read_text(encoding="utf-8")
    example = json.loads(text, parse_float=lambda number: float(f"{float(number):.7g}"))  # single precision, no more
    first = json.dumps(_first(example), ensure_ascii=False).replace("'", "'\\''")
    data = f"'{first}'" if len(first) <= LONGEST_EXAMPLE else f"@{folder / EXAMPLE}"
    return f"curl http://{listening.HOST}:{port}/invocations -H 'Content-Type: application/json' -d {data}"


def _first(example: dict[str, object]) -> dict[str, object]:
    """The first row alone of an example of several."""
    content = example.get("dataframe_split")
    if isinstance(content, dict):
        return {"dataframe_records": [dict(zip(content["columns"], content["data"][0], strict=True))]}
    return {name: rows[:1] if isinstance(rows, list) else rows for name, rows in example.items()}
