"""`start_from:` a run or a file, recorded so that whatever comes later knows the weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from made_data import draw
from own_modules import write_own_modules
from safetensors.torch import load_file, save_file
from torch import nn

from lab.architectures.libraries import LIBRARIES, Library, Statistics
from lab.comparisons import comparison
from lab.comparisons import run as comparing
from lab.config.experiment import Experiment, from_sections, load
from lab.errors import LabError
from lab.inference import export, model
from lab.tracking.reading import stored_runs
from lab.training import reproduce, resume
from lab.training import run as training
from lab.training.building import build
from lab.training.fine_tuning import start
from lab.weights.files import Weights

SMALL = ("data.batch_size=256", "model.channels=8", "model.layers=2", "trainer.max_epochs=1")
OTHER = (*SMALL, "data.classes=[3,5,7]", "data.per_class=100")


def fine_tuned(*overrides: str) -> Experiment:
    return load("conv2d", (*OTHER, *overrides))


def refusal(*overrides: str) -> str:
    with pytest.raises(LabError) as refused:
        build(fine_tuned(*overrides))
    (line,) = refused.value.lines
    return line


@pytest.fixture
def pretrained(workplace: Path) -> training.Result:
    """A finished run of a network for all ten digits."""
    result = training.run(load("conv2d", SMALL))
    assert result.run_id is not None
    return result


def weights_of(experiment: Experiment) -> dict[str, torch.Tensor]:
    return build(experiment).task_module.architecture.state_dict()


def test_a_run_its_checkpoint_and_its_export_give_the_same_weights(pretrained: training.Result) -> None:
    run = stored_runs.find(str(pretrained.run_id))
    exported, _ = export.export(model.load(run.id), "safetensors", Path("digits.safetensors"))
    torch.save(load_file(exported), "digits.pth")
    given = load_file(exported)
    sources = (run.id, run.id[:8], "best:conv2d", "latest:conv2d", str(run.artifact("checkpoints/best.ckpt")))
    for source in (*sources, "digits.safetensors", "digits.pth"):
        started = weights_of(fine_tuned(f'start_from="{source}"'))
        for name, value in started.items():
            assert name.startswith("head.") or name not in given or torch.equal(value, given[name]), (source, name)
    assert not torch.equal(started["features.0.weight"], weights_of(fine_tuned())["features.0.weight"])
    _recorded_and_reproduced(run.id)


def _recorded_and_reproduced(pretrained: str) -> None:
    """The run has what was loaded, the id and the hash; `lab reproduce` trains the same, a changed file is refused."""
    result = training.run(fine_tuned('start_from="best:conv2d"', 'freeze=["features.*"]'))
    run = stored_runs.find(str(result.run_id))
    assert run.params["start_from"].startswith(f"{pretrained}#")
    (note,) = [text for subject, text in result.notes if subject == "start_from"]
    assert run.tags["lab.weights.start_from"] == note
    assert note.startswith(f"14 of 16 tensors are those of {pretrained}; left new, of another shape: head.weight (10")
    assert result.frozen == result.parameters - (8 * 3 + 3)
    assert reproduce.reproduce(run.id, [], print).verdict == "BIT-EXACT"
    of_file = training.run(fine_tuned("start_from=digits.pth"))
    save_file({name: value + 1 for name, value in load_file("digits.safetensors").items()}, "digits.safetensors")
    torch.save(load_file("digits.safetensors"), "digits.pth")
    with pytest.raises(LabError, match=r"^start_from: digits.pth: the weights have changed: their hash is "):
        reproduce.reproduce(str(of_file.run_id), [], print)


def test_a_module_of_ones_own_starts_from_the_network_of_another(workplace: Path) -> None:
    write_own_modules(workplace)
    own = build(load("standard"))
    torch.save({name: value + 1 for name, value in own.module.state_dict().items()}, "own.pth")
    again = build(load("standard", ["start_from=own.pth"]))
    for name, value in own.module.state_dict().items():
        assert torch.equal(again.module.state_dict()[name], value + 1)
    inner = {name.removeprefix("model."): value for name, value in torch.load("own.pth", weights_only=True).items()}
    torch.save(inner, "inner.pth")
    (note,) = build(load("standard", ["start_from=inner.pth"])).fine_tuning.notes
    assert note == ("start_from", f"{len(inner)} of {len(inner)} tensors are those of inner.pth")


def test_a_run_is_tested_again_without_the_file_that_it_started_from(workplace: Path) -> None:
    torch.save(weights_of(load("conv2d", SMALL)), "digits.pth")
    result = training.run(fine_tuned('start_from="digits.pth"', "scheduler.kind=constant"))
    Path("digits.pth").unlink()
    assert result.run_id is not None
    again, logged = reproduce.test_again(result.run_id)
    assert again == logged
    longer = resume.resume(result.run_id, ["trainer.max_epochs=2"], [], print)
    run = stored_runs.find(str(longer.run_id))
    assert run.params["start_from"] == stored_runs.find(result.run_id).params["start_from"]
    assert "tensors are those of digits.pth" in run.tags["lab.weights.start_from"]


class OneNetwork(Library):
    """Stands for a library of image networks where none is installed."""

    short, module_name = "timm", "timm"

    def names(self) -> list[str]:
        return ["one"]

    def build(self, name: str, channels: int, outputs: int, settings: dict[str, Any]) -> nn.Module:
        layers = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, outputs)]
        return nn.Sequential(*layers)

    def download(self, name: str, weights: str) -> Weights:
        raise OSError("no network")

    def statistics(self, name: str) -> Statistics:
        return (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)


def test_a_run_is_tested_and_resumed_without_the_file_of_its_pretrained_network(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIBRARIES, "timm", OneNetwork())
    draw(Path("shades"), 12)
    torch.save(OneNetwork().build("one", 3, 9, {}).state_dict(), "one.pth")
    sections = {
        "data": {"kind": "images", "path": "shades", "batch_size": 8},
        "model": {"kind": "timm:one", "weights": "one.pth"},
        "trainer": {"max_epochs": 1},
    }
    result = training.run(from_sections("shades", "?", sections))
    Path("one.pth").unlink()
    again, logged = reproduce.test_again(str(result.run_id))
    assert again == logged
    longer = resume.resume(str(result.run_id), ["trainer.max_epochs=2"], [], print)
    first, run = stored_runs.find(str(result.run_id)), stored_runs.find(str(longer.run_id))
    assert run.params["model.weights"] == first.params["model.weights"]
    assert run.tags["lab.weights.model"] == first.tags["lab.weights.model"]
    assert "tensors are those of one.pth" in run.tags["lab.weights.model"]
    with pytest.raises(LabError, match=r"^model.weights: one.pth: no such file"):
        reproduce.reproduce(str(result.run_id), [], print)


@pytest.mark.usefixtures("empty_workplace")
class TestRefusals:
    def test_a_run_that_is_not_there_yet_says_how_to_train_it(self) -> None:
        first = "start_from: experiment 'pretrained' has no runs yet; train it first: `lab run pretrained`"
        assert refusal('start_from="best:pretrained"') == first

    def test_a_file_that_does_not_fit(self) -> None:
        torch.save({"features.0.weight": torch.zeros(7, 7)}, "other.pth")
        torch.save(torch.nn.Linear(2, 2), "model.pth")
        assert refusal("start_from=other.pth").startswith("start_from: other.pth: none of its 1 tensors fits")
        assert refusal("start_from=model.pth").startswith("start_from: model.pth: holds a whole pickled model")
        assert refusal("start_from=othr.pth") == "start_from: othr.pth: no such file; did you mean other.pth?"

    def test_a_type(self) -> None:
        with pytest.raises(LabError, match=r"^start_from: must be text, not 3$"):
            fine_tuned("start_from=3")


def test_a_run_without_weights_is_refused(workplace: Path) -> None:
    from made_runs import make_run

    from lab.tracking import store

    run = make_run(store.client(), "conv2d", "of another tool", {}, {"val/loss": [1.0]}, {}, "FINISHED")
    assert refusal(f'start_from="{run}"').startswith(f"start_from: run {run} (of another tool) has no weights: ")


def test_a_comparison_knows_its_weights_by_their_hash(workplace: Path) -> None:
    torch.save(weights_of(load("conv2d", SMALL)), "net.pth")
    content = {
        "base": "conv2d",
        "settings": {"data.batch_size": 256, "model.channels": 8, "model.layers": 2, "trainer.max_epochs": 1},
        "arms": {"from scratch": {}, "fine-tuned": {"start_from": "net.pth"}},
        "seeds": "3",
    }
    compared = comparison.parse("transfer", "?", content)
    first = comparing._with_pinned_weights(compared)
    assert first.arms["from scratch"] == compared.arms["from scratch"]
    torch.save(weights_of(load("conv2d", (*SMALL, "seed=1"))), "net.pth")
    assert comparing._with_pinned_weights(compared).fingerprint() != first.fingerprint()
    with pytest.raises(LabError, match="the weights have changed"):
        start.pinned(first.arms["fine-tuned"])
