"""Files of weights: read in every usual form, never unpickled, refused in one line."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lab.errors import LabError
from lab.weights import files

pytestmark = pytest.mark.usefixtures("in_folder")


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(source: str) -> str:
    with pytest.raises(LabError) as refused:
        files.read(source)
    (line,) = refused.value.lines
    return line


def test_every_usual_form_gives_the_same_weights() -> None:
    weights = nn.Linear(3, 2).state_dict()
    torch.save(weights, "plain.pth")
    torch.save(weights, "old.pt", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": weights, "optimizer": {"lr": 0.1}}, "checkpoint.ckpt")
    torch.save({"model": weights}, "inside.bin")
    save_file(weights, "plain.safetensors")
    hashes = {
        files.content_hash(files.read(name))
        for name in ("plain.pth", "old.pt", "checkpoint.ckpt", "inside.bin", "plain.safetensors")
    }
    assert hashes == {files.content_hash(weights)}


def test_of_a_checkpoint_of_the_lab_the_network_counts_and_not_the_loss() -> None:
    torch.save({"state_dict": {"architecture.head.weight": torch.ones(2), "loss.weight": torch.ones(2)}}, "best.ckpt")
    assert list(files.read("best.ckpt")) == ["architecture.head.weight"]


def test_the_hash_knows_values_names_types_and_shapes() -> None:
    one = {"a": torch.zeros(4)}
    others = (
        {"b": torch.zeros(4)},
        {"a": torch.ones(4)},
        {"a": torch.zeros(2, 2)},
        {"a": torch.zeros(4, dtype=torch.int32)},
    )
    assert len({files.content_hash(each) for each in (one, *others)}) == 5
    assert files.content_hash({"b": torch.ones(1), **one}) == files.content_hash({**one, "b": torch.ones(1)})


def test_what_is_no_file_of_weights_is_one_line() -> None:
    torch.save(nn.Linear(3, 2), "model.pth")
    torch.save(nn.Linear(3, 2), "model-old.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3}, "numbers.pth")
    Path("text.pth").write_text("these are no weights")
    Path("text.safetensors").write_text("these are no weights")
    Path("empty.pth").touch()
    Path("folder.pth").mkdir()
    assert refusal("model.pth") == (
        "model.pth: holds a whole pickled model, which could run any code; save its state_dict() instead"
    )
    assert refusal("model-old.pth").startswith("model-old.pth: holds a whole pickled model")
    assert refusal("numbers.pth") == "numbers.pth: holds no tensors; save a network's state_dict()"
    none = "is no file of weights (.safetensors, .pth, .pt, .ckpt, .bin), or is damaged"
    assert refusal("text.pth") == f"text.pth: {none}"
    assert refusal("empty.pth") == f"empty.pth: {none}"
    assert refusal("text.safetensors").startswith("text.safetensors: cannot be read as weights: ")
    assert refusal("folder.pth") == "folder.pth: is not a file"
    assert refusal("modle.pth") == "modle.pth: no such file; did you mean model.pth?"


def test_a_file_that_changed_is_refused() -> None:
    weights = {"a": torch.zeros(4)}
    pinned = files.pinned("net.pth", weights, "")
    assert files.unpinned(pinned) == ("net.pth", files.content_hash(weights))
    assert files.pinned("net.pth", weights, files.content_hash(weights)) == pinned
    with pytest.raises(LabError, match=r"^net.pth: the weights have changed: their hash is \w{16}, it was \w{16}$"):
        files.pinned("net.pth", {"a": torch.ones(4)}, files.content_hash(weights))
