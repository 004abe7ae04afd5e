"""Export of a run's model to other formats; each export is compared with the original before it is kept."""

import logging
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call

from lab.data.encodings.sequence import SequenceEncoding
from lab.errors import LabError, TrainingFailed, install
from lab.files import atomic_output, may_replace, to_json
from lab.inference.model import Model

Format = Literal["onnx", "torch", "safetensors"]
Outputs = NDArray[np.float32]
ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2", "safetensors": ".safetensors"}
PACKAGES: dict[Format, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "torch": (),
    "safetensors": ("safetensors",),
}
FOLDER = Path("exports")
TOLERANCE = 1e-4  # relative; a tenth of it absolute: other kernels sum in another order
ARCHITECTURE = "architecture."  # prefix of the weights of the experiment's network in an exported program


def check_packages(format: Format) -> None:
    """Raise LabError where a package that the format needs is not installed."""
    missing = [name for name in PACKAGES[format] if find_spec(name) is None]
    if missing:
        raise LabError(f"--to {format} needs {', '.join(missing)}: {install('export')}")


def export(model: Model, format: Format, path: Path | None = None, yes: bool = False) -> tuple[Path, float]:
    """Write the model, and its encoding beside it; returns the path and the largest difference of the outputs.

    Raises LabError where the file cannot be written or must not be replaced, TrainingFailed where the outputs differ
    from the original's, and then keeps no file.
    """
    path = path or FOLDER / f"{model.run.experiment}-{model.run.id[:8]}{ENDINGS[format]}"
    if not may_replace(path, yes):
        raise LabError(f"{path}: exists; --yes replaces it")
    write, outputs_of = FORMATS[format]
    with atomic_output(path) as temporary:
        write(model, temporary)
        difference = largest_difference(model, outputs_of(model, temporary))
    with atomic_output(path.with_suffix(".encoding.json")) as temporary:
        temporary.write_bytes(model.run.artifact("encoding.json").read_bytes())
    return path, difference


def largest_difference(model: Model, outputs_of: Callable[[Outputs], Outputs]) -> float:
    """The largest difference between the outputs of the original and of a copy, for the example and its first sample.

    Of sequences of any length also for a single step, and for more steps than the example has.
    Raises TrainingFailed where it is above TOLERANCE.
    """
    largest = 0.0
    for samples in (model.example, model.example[:1], *_other_lengths(model)):
        original, copied = model.outputs(samples), outputs_of(samples)
        if original.shape != copied.shape or not np.allclose(original, copied, rtol=TOLERANCE, atol=TOLERANCE / 10):
            gap = float(np.abs(original - copied).max()) if original.shape == copied.shape else float("inf")
            raise TrainingFailed(f"the exported model differs by {gap:.3g} from the original; nothing was written")
        largest = max(largest, float(np.abs(original - copied).max()))
    return largest


def _other_lengths(model: Model) -> Iterator[Outputs]:
    """The example cut to a step, and twice after itself, where the length is not fixed."""
    if isinstance(model.encoding, SequenceEncoding) and not model.encoding.longest:
        yield model.example[:, :, :1]
        yield np.concatenate([model.example[:1, :, :1], model.example[:1], model.example[:1]], axis=2)


def _write_onnx(model: Model, path: Path) -> None:
    """ONNX, of raw encoded inputs and with any number of samples."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of operators of packages that nobody asked for
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.onnx.export(
            model.program, dynamo=True, verbose=False, input_names=["input"], output_names=["output"]
        )
    assert exported is not None, "guaranteed by torch for dynamo=True"
    exported.save(path)


def _onnx_outputs(model: Model, path: Path) -> Callable[[Outputs], Outputs]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda samples: session.run(None, {"input": samples})[0]


def _write_torch(model: Model, path: Path) -> None:
    """Write the program for torch.export.load."""
    torch.export.save(model.program, path)


def _torch_outputs(model: Model, path: Path) -> Callable[[Outputs], Outputs]:
    network = torch.export.load(path).module()
    return lambda samples: network(torch.from_numpy(samples)).detach().numpy()


def _write_safetensors(model: Model, path: Path) -> None:
    """Write the weights under their names in the experiment's network; configuration and scaling as metadata."""
    from safetensors.torch import save

    state, constants, prefix = model.program.state_dict, model.program.constants, _prefix(model)
    weights = {
        name.removeprefix(prefix): weight.detach().contiguous().clone()
        for name, weight in state.items()
        if name.startswith(prefix)
    }
    others = {name: value for name, value in (state | constants).items() if not name.startswith(ARCHITECTURE)}
    scales = {name: value.tolist() for name, value in others.items() if isinstance(value, torch.Tensor)}
    texts = {name: model.run.artifact(name).read_text(encoding="utf-8") for name in ("config.yaml", "encoding.json")}
    path.write_bytes(save(weights, texts | {"run": model.run.id, "scales": to_json(scales)}))


def _safetensors_outputs(model: Model, path: Path) -> Callable[[Outputs], Outputs]:
    """The original's graph with the weights in the file."""
    from safetensors.torch import load_file

    network, prefix = model.module, _prefix(model)
    loaded = load_file(path)
    weights = {
        name: loaded[name.removeprefix(prefix)] if name.startswith(prefix) else original
        for name, original in network.state_dict().items()
    }
    return lambda samples: functional_call(network, weights, torch.from_numpy(samples)).detach().numpy()


def _prefix(model: Model) -> str:
    """The common prefix of the names of weights: wrappers around the network may add to ARCHITECTURE."""
    names = [name for name in model.program.state_dict if name.startswith(ARCHITECTURE)]
    prefix = ARCHITECTURE
    while all(name.startswith(prefix + ARCHITECTURE) for name in names):
        prefix += ARCHITECTURE
    return prefix


FORMATS: dict[Format, tuple[Callable[[Model, Path], None], Callable[[Model, Path], Callable[[Outputs], Outputs]]]] = {
    "onnx": (_write_onnx, _onnx_outputs),
    "torch": (_write_torch, _torch_outputs),
    "safetensors": (_write_safetensors, _safetensors_outputs),
}
