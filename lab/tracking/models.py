"""The model of a run as an MLflow LoggedModel, which predicts without the lab, and in MLflow's registry."""

import ast
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.files import to_json
from lab.tracking import store
from lab.tracking.reading.stored_runs import StoredRun

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from mlflow import MlflowClient
    from torch import nn


NAME = "model"
NO_MODEL = {
    "RUNNING": "the model is logged when the run has finished",
    "FINISHED": "runs of `lab run` and winners of studies log their model, trials and arms do not",
}
OUTPUTS = "data/encodings/outputs.py"
SOURCE = "row_model.py"  # of a model from code, which returns what `lab predict` writes
TEXTS = ("data/encodings/cells.py", "data/encodings/text.py")
# The class of an encoding, and its source files, which become one file with the model that predicts rows.
SOURCES = {
    "table": ("TableEncoding", "data/reading/times/dates.py", *TEXTS, "data/encodings/table.py"),
    "text": ("TextEncoding", *TEXTS),
    "sequence": ("SequenceEncoding", "data/encodings/array.py", "data/encodings/sequence.py"),
}


def save(predictor: "nn.Module", example: "np.ndarray", folder: Path) -> None:
    """Write a model in MLflow's format, its graph exported by torch.export: without pickle, independent of the lab.

    `example` is a raw input (N, ...) with N > 1; the model accepts any N.
    """
    store.quiet_mlflow()
    import mlflow.pytorch
    import torch
    from mlflow.models import infer_signature

    with torch.no_grad():
        output = predictor(torch.from_numpy(example)).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about weight lists of recurrent layers, which the graph does not use
        mlflow.pytorch.save_model(
            predictor,
            folder,
            signature=infer_signature(example, output),
            input_example=example,
            serialization_format="pt2",
            pip_requirements=_requirements("mlflow", "torch", "numpy"),
        )


def save_for_rows(
    predictor: "nn.Module", encoding: dict[str, Any], encoded: "np.ndarray", rows: "pd.DataFrame", folder: Path
) -> None:
    """Write a model for raw rows, or texts, as MLflow's "model from code": without pickle, independent of the lab.

    `encoding` is the content of encoding.json, `encoded` (N, ...) with N > 1 are encoded rows, `rows` raw ones as an
    example. The model returns the table that `lab predict` writes.
    """
    store.quiet_mlflow()
    from mlflow.types.schema import AnyType, ColSpec, Schema

    columns = _columns(encoding["input"])
    # MLflow checks neither types nor missing columns: the encoding does, with better messages.
    inputs = Schema([ColSpec(AnyType(), column, required=False) for column in columns])
    kind, *names = SOURCES[encoding["input"]["kind"]]
    code = _code(("errors.py", *names, OUTPUTS), f"from_json = {kind}.from_json\n", "row_model.py")
    packages = ("pandas", *_packages(encoding["input"]))
    _save_from_code(predictor, encoding, encoded, folder, code, inputs, rows[columns], packages)


def save_deciding(predictor: "nn.Module", encoding: dict[str, Any], example: "np.ndarray", folder: Path) -> None:
    """As `save`, of a model with decision thresholds: it returns the table that `lab predict` writes."""
    store.quiet_mlflow()
    from mlflow.models import infer_signature

    code = _code((OUTPUTS,), "", "array_model.py")
    inputs = infer_signature(example).inputs
    _save_from_code(predictor, encoding, example, folder, code, inputs, example, ("pandas",))


def _save_from_code(
    predictor: "nn.Module",
    encoding: dict[str, Any],
    encoded: "np.ndarray",
    folder: Path,
    code: str,
    inputs: Any,
    example: Any,
    packages: Sequence[str],
) -> None:
    """Write a model whose source is `code`, which loads the encoding and the network, exported for any N."""
    import mlflow.pyfunc
    import torch
    from mlflow.models import ModelSignature

    with tempfile.TemporaryDirectory() as name:
        files = Path(name)
        (files / "encoding.json").write_text(to_json(encoding), encoding="utf-8")
        (files / SOURCE).write_text(code, encoding="utf-8")
        shapes = {0: torch.export.Dim("batch", min=1)}
        if encoding["input"].get("longest") == 0:  # sequences of any length
            shapes[2] = torch.export.Dim("length", min=1)
        with torch.no_grad():
            program = torch.export.export(predictor, (torch.from_numpy(encoded),), dynamic_shapes=(shapes,))
        torch.export.save(program, files / "network.pt2")
        mlflow.pyfunc.save_model(
            folder,
            python_model=files / SOURCE,
            artifacts={"encoding": str(files / "encoding.json"), "network": str(files / "network.pt2")},
            signature=ModelSignature(inputs=inputs),
            input_example=example,
            pip_requirements=_requirements("mlflow", "torch", "numpy", *packages),
        )


def _columns(encoding: dict[str, Any]) -> list[str]:
    """The columns that the model takes."""
    if encoding["kind"] == "text":
        return [encoding["column"]]
    return [column["name"] for column in encoding.get("columns", [{"name": "x"}])]


def _packages(encoding: dict[str, Any]) -> tuple[str, ...]:
    """The packages that the encoding needs beside numpy and pandas."""
    return ("tokenizers",) if encoding["kind"] == "text" and encoding["tokenizer"]["kind"] == "bpe" else ()


def _code(names: Sequence[str], between: str, model: str) -> str:
    """The source files of a model as one text, without their own imports; `between` stands above the model's own."""
    texts = [(resources.files("lab") / name).read_text(encoding="utf-8") for name in (*names, f"tracking/{model}")]
    texts.insert(-1, between)
    return "\n".join(line for text in texts for line in _without_imports(text)) + "\n"


def _without_imports(text: str) -> Iterator[str]:
    """The lines of a source file that import nothing of the lab."""
    imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    left_out = {
        number
        for node in imports
        if (node.module or "").startswith("lab.")
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    yield from (line for number, line in enumerate(text.splitlines(), start=1) if number not in left_out)


def _requirements(*names: str) -> list[str]:
    return [f"{name}=={version(name)}" for name in names]


def create(client: "MlflowClient", run_id: str, record: dict[str, Any]) -> str:
    """Create an empty LoggedModel of the run; returns its id."""
    run = client.get_run(run_id)
    return client.create_logged_model(
        run.info.experiment_id, name=NAME, source_run_id=run_id, model_type=record["task"]
    ).model_id


def upload(client: "MlflowClient", run_id: str, model_id: str, folder: Path) -> None:
    """Upload a folder that `save` wrote as the content of the LoggedModel, and link it to its run."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    description = Model.load(folder)
    description.model_id = model_id
    description.run_id = run_id
    description.save(folder / "MLmodel")
    client.log_model_artifacts(model_id, str(folder))
    client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def ids_of(client: "MlflowClient", run_id: str) -> list[str]:
    """The ids of the LoggedModels of the run in the store."""
    run = client.get_run(run_id)
    found = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    return [model.model_id for model in found]


def download(run: StoredRun) -> Path:
    """Download the run's LoggedModel; returns the local folder, raises LabError where it has none."""
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        location = run.client.get_logged_model(logged_model_id(run)).artifact_location
        return Path(download_artifacts(artifact_uri=location))
    except (MlflowException, OSError) as error:
        raise LabError(f"the model of run {run.id[:8]} cannot be read: {str(error).splitlines()[0][:200]}") from None


def logged_model_id(run: StoredRun) -> str:
    """The id of the run's LoggedModel; raises LabError where it has none."""
    outputs = run.client.get_run(run.id).outputs
    if outputs is None or not outputs.model_outputs:
        why = run.tags.get(store.INCOMPLETE_TAG) or NO_MODEL.get(run.status, "it ended before its model was logged")
        raise LabError(f"run {run.id[:8]} ({run.name}) is {run.status} and has no model: {why}")
    return outputs.model_outputs[0].model_id


def undecided(run: StoredRun, exported: bool = False) -> str:
    """A line on the thresholds of a run, where its exported or logged model gives probabilities alone; else "".

    So does an exported one, and one of arrays or images that was logged by an earlier version.
    """
    said = run.tags.get(store.THRESHOLD_TAG, "")
    if said and not exported:
        files = run.client.list_logged_model_artifacts(logged_model_id(run))
        said = "" if any(file.path == SOURCE for file in files) else said
    return f"it gives probabilities, on which you decide: {said}" if said else ""


def left_to_you(run: StoredRun, weights_alone: bool) -> str:
    """A line on what an exported network leaves to those who use it; "" where that is nothing."""
    if not weights_alone:
        return undecided(run, exported=True)
    said = run.tags.get(store.COMBINATION_TAG, "")
    return f"it has the weights of the network, of which the forecast is a mean with others: {said}" if said else ""


@dataclass(frozen=True)
class Version:
    """A version of a registered model, and the number of the version that had the alias before, if another one did."""

    name: str
    number: str
    alias: str
    previous: str | None

    @property
    def uri(self) -> str:
        """The address by which MLflow loads it."""
        return f"models:/{self.name}@{self.alias}"


def promote(run: StoredRun, name: str, alias: str) -> Version:
    """Register the model of a run as the next version of `name`, and set the alias to it; raises LabError.

    A run that is already registered keeps its version.
    """
    from mlflow.exceptions import MlflowException

    model_id = logged_model_id(run)
    try:
        previous = _with_alias(run, name, alias)
        number = _version_of(run, name) or _register(run, name, model_id)
        run.client.set_registered_model_alias(name, alias, number)
    except MlflowException as error:
        raise LabError(f"not promoted: {str(error).splitlines()[0][:200]}") from None
    return Version(name, number, alias, previous if previous != number else None)


def _with_alias(run: StoredRun, name: str, alias: str) -> str | None:
    """The number of the version that has the alias now; creates the registered model where there is none."""
    if not run.client.search_registered_models(f"name = '{_checked(name)}'"):
        run.client.create_registered_model(name)
        return None
    aliases = run.client.get_registered_model(name).aliases
    return str(aliases[alias]) if alias in aliases else None


def _version_of(run: StoredRun, name: str) -> str | None:
    """The number of the version that is this run's model."""
    found = run.client.search_model_versions(f"name = '{_checked(name)}' AND run_id = '{run.id}'")
    return str(found[0].version) if found else None


def _register(run: StoredRun, name: str, model_id: str) -> str:
    """Create a version; returns its number."""
    tags = {"lab.run": run.id, "lab.run_name": run.name, "lab.experiment": run.experiment}
    created = run.client.create_model_version(name, f"models:/{model_id}", run.id, tags=tags, model_id=model_id)
    return str(created.version)


def _checked(name: str) -> str:
    """The name, if it is allowed in MLflow's filters and addresses; raises LabError."""
    if not name.strip() or any(character in name for character in "'\"/:@\\"):
        raise LabError(f"--as '{name}': a name of letters, digits, spaces, - and _ is needed")
    return name
