"""Models in other formats, opened by the programs that read them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import lab
from lab.errors import LabError, TrainingFailed
from lab.inference import export
from lab.inference.model import Model


@pytest.mark.parametrize("name", ["best:shop", "sales", "pictures"])
def test_onnx_runs_in_onnxruntime_with_any_number_of_samples(folder: Path, name: str) -> None:
    model = lab.load(name)
    path, difference = export.export(model, "onnx", folder / "model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, 3, 50):
        samples = np.resize(model.example, (count, *model.example.shape[1:]))
        (predicted,) = session.run(None, {"input": samples})
        np.testing.assert_allclose(predicted, model.outputs(samples), rtol=1e-4, atol=1e-5)
    assert difference < 1e-3
    assert json.loads((folder / "model.encoding.json").read_text())["input"]["kind"] == model.encoding.kind


def test_the_torch_program_opens_with_plain_torch(folder: Path) -> None:
    model = lab.load("digits")
    path, difference = export.export(model, "torch", folder / "model.pt2")
    predicted = torch.export.load(path).module()(torch.from_numpy(model.example))
    np.testing.assert_array_equal(predicted.detach().numpy(), model.outputs(model.example))
    assert difference == 0


def test_safetensors_load_into_the_architecture_without_lightning_or_mlflow(folder: Path) -> None:
    model = lab.load("best:shop")
    export.export(model, "safetensors", folder / "model.safetensors")
    np.save(folder / "encoded.npy", model.example)
    np.save(folder / "expected.npy", model.outputs(model.example))
    code = (
        "import json, sys, numpy as np, torch\n"
        "from safetensors import safe_open\n"
        "from lab.architectures.perceptron import MLP\n"
        "x = torch.from_numpy(np.load('encoded.npy'))\n"
        "network = MLP(in_features=x.shape[1], out_features=1, hidden=16, layers=1).eval()\n"
        "with safe_open('model.safetensors', 'pt') as file:\n"
        "    network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})\n"
        "    scales = json.loads(file.metadata()['scales'])\n"
        "    assert 'kind: mlp' in file.metadata()['config.yaml']\n"
        "logits = network((x - torch.tensor(scales['mean'])) / torch.tensor(scales['std']))\n"
        "np.testing.assert_allclose(logits.sigmoid().detach()[:, 0], np.load('expected.npy')[:, 1], atol=1e-5)\n"
        "assert not {'lightning', 'mlflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


@pytest.mark.parametrize("format", ["onnx", "torch", "safetensors"])
def test_an_export_whose_outputs_differ_is_not_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, format: export.Format
) -> None:
    outputs = Model.outputs
    monkeypatch.setattr(Model, "outputs", lambda model, samples: outputs(model, samples) + 0.01)
    with pytest.raises(TrainingFailed, match=r"differs by .* from the original; nothing was written"):
        export.export(lab.load("digits"), format, folder / "sub" / "model")
    assert not list((folder / "sub").iterdir())


def test_wrong_weights_are_noticed(folder: Path) -> None:
    model = lab.load("digits")
    other = Model(model.run, model.encoding, model.output, torch.export.load(_changed(model, folder)))
    with pytest.raises(TrainingFailed, match="differs by"):
        export.largest_difference(model, other.outputs)


def _changed(model: Model, folder: Path) -> Path:
    """The model's program with one weight changed, in a file."""
    path, _ = export.export(model, "torch", folder / "changed.pt2")
    program = torch.export.load(path)
    with torch.no_grad():
        next(iter(program.parameters())).view(-1)[:64] += 1.0
    torch.export.save(program, path)
    return path


def test_errors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "model.onnx").write_text("mine")
    with pytest.raises(LabError, match="exists; --yes replaces it"):
        export.export(lab.load("digits"), "onnx", folder / "model.onnx")
    assert (folder / "model.onnx").read_text() == "mine"
    with pytest.raises(LabError, match="cannot be written"):
        export.export(lab.load("digits"), "torch", folder / "model.onnx" / "below")
    monkeypatch.setitem(export.PACKAGES, "onnx", ("numpy", "no_such_package"))
    with pytest.raises(LabError, match=r"--to onnx needs no_such_package: .*\[export\]"):
        export.check_packages("onnx")
