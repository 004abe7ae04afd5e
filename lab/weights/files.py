"""Files of weights: read without unpickling, and told apart by a hash of their tensors."""

import hashlib
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lab.errors import LabError, Unavailable, described, did_you_mean

Weights = Mapping[str, Tensor]
PICKLED = (".pth", ".pt", ".ckpt", ".bin")  # as torch.save writes them
PICKLE = b"\x80"  # its first byte, in every version that torch has written
SUFFIXES = (".safetensors", *PICKLED)
INSIDE = ("state_dict", "model_state_dict", "model_state", "model", "net")  # keys below which a training saves them
NETWORK = "architecture."  # the network in a checkpoint of the lab, beside what belongs to the loss
HASH_LENGTH = 16
PINNED = re.compile(rf"(.+)#([0-9a-f]{{{HASH_LENGTH}}})")


def is_file(source: str) -> bool:
    """Whether a text names a file of weights, and not a run or weights of a library."""
    return source.endswith(SUFFIXES) or "/" in source or Path(source).is_file()


def read(source: str) -> Weights:
    """Name to tensor, on the CPU; raises LabError for whatever is no file of weights."""
    path = Path(source).expanduser()
    _check_exists(path, source)
    try:
        weights = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path, source)
    except LabError:
        raise
    except Exception as error:  # the readers raise many kinds for damaged bytes
        raise LabError(f"{source}: cannot be read as weights: {described(error)[:200]}") from None
    if not weights:
        raise LabError(f"{source}: holds no tensors; save a network's state_dict()")
    return weights


def _check_exists(path: Path, source: str) -> None:
    if path.is_file():
        return
    if path.exists():
        raise LabError(f"{source}: is not a file")
    near = [str(each) for each in path.parent.glob("*") if each.suffix in SUFFIXES] if path.parent.is_dir() else []
    hint = did_you_mean(str(path), near) if near else f"looked up from {Path.cwd()}"
    raise Unavailable(f"{source}: no such file; {hint}")


def _safetensors(path: Path) -> Weights:
    from safetensors.torch import load_file

    return load_file(path)


def _pickled(path: Path, source: str) -> Weights:
    """What torch.save wrote: a state dict, alone or inside a checkpoint."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises many kinds for bytes that are no pickle
        if isinstance(error, pickle.UnpicklingError) and (zipfile.is_zipfile(path) or _is_pickle(path)):
            raise LabError(
                f"{source}: holds a whole pickled model, which could run any code; save its state_dict() instead"
            ) from None
        raise LabError(f"{source}: is no file of weights ({', '.join(SUFFIXES)}), or is damaged") from None
    return _tensors_in(content)


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) == PICKLE


def _tensors_in(content: Any) -> Weights:
    """The tensors of a state dict; without the loss's where it is one of a task module."""
    for key in INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    named = content if isinstance(content, Mapping) else {}
    tensors = {str(name): value for name, value in named.items() if isinstance(value, Tensor)}
    return {name: value for name, value in tensors.items() if name.startswith(NETWORK)} or tensors


def content_hash(weights: Weights) -> str:
    """A hash of names, types, shapes and values, the same for every file format."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:HASH_LENGTH]


def unpinned(text: str) -> tuple[str, str]:
    """A source and the hash that its weights must have: of `net.pth#0123456789abcdef`; "" where any will do."""
    found = PINNED.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


def pinned(source: str, weights: Weights, expected: str) -> str:
    """The source with the hash of its weights; raises LabError where another one is expected."""
    found = content_hash(weights)
    if expected and found != expected:
        raise LabError(f"{source}: the weights have changed: their hash is {found}, it was {expected}")
    return f"{source}#{found}"
