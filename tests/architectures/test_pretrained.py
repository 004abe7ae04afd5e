"""Networks of torchvision and timm: fitted to the data, with weights of files and of caches.

What needs the libraries is skipped where they are not installed, or not built for this torch.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lab.architectures.pretrained import Normalised, Pretrained, for_channels
from lab.config.experiment import Experiment, from_sections
from lab.errors import LabError, install
from lab.training.building import Built, build
from lab.weights.loading import Loaded

RESNET = "torchvision.models:resnet18"


def usable(name: str) -> bool:
    try:
        __import__(name)
    except Exception:  # a build for another torch fails in many ways
        return False
    return True


with_torchvision = pytest.mark.skipif(
    not usable("torchvision"), reason="torchvision is not usable: pip install '.[vision]'"
)
with_timm = pytest.mark.skipif(not usable("timm"), reason="timm is not usable: pip install '.[vision]'")
pytestmark = pytest.mark.usefixtures("empty_workplace")


def experiment(kind: str, data: dict[str, Any] | None = None, **model: Any) -> Experiment:
    digits = {"kind": "digits", "batch_size": 64, "classes": [0, 1, 2], "per_class": 40}
    return from_sections(
        "small", "?", {"data": data or digits, "model": {"kind": kind, **model}, "trainer": {"max_epochs": 1}}
    )


def refusal(kind: str, **model: Any) -> str:
    with pytest.raises(LabError) as refused:
        build(experiment(kind, **model))
    (line,) = refused.value.lines
    return line


def notes_of(built: Built, subject: str) -> list[str]:
    return [text for about, text in built.fine_tuning.notes if about == subject]


def test_filters_for_grey_give_what_three_equal_channels_gave() -> None:
    filters, grey = torch.randn(4, 3, 3, 3), torch.randn(2, 1, 8, 8)
    expected = nn.functional.conv2d(grey.expand(-1, 3, -1, -1), filters)
    for channels in (1, 6):
        found = nn.functional.conv2d(grey.expand(-1, channels, -1, -1), for_channels(filters, channels))
        assert torch.allclose(found, expected, atol=1e-5), channels
    assert for_channels(filters, 4).shape == (4, 4, 3, 3)


def test_pixels_get_the_scaling_of_the_weights() -> None:
    raw = torch.randint(0, 256, (5, 3, 4, 4)).float()
    mean, std = torch.tensor([100.0, 120, 80])[:, None, None], torch.tensor([50.0, 60, 70])[:, None, None]
    of_weights = Pretrained(Loaded("net.pth", []), "net.pth", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    given = Normalised(nn.Identity(), mean, std, 255.0, of_weights)((raw - mean) / std)
    expected = (raw / 255 - torch.tensor(of_weights.mean)[:, None, None]) / torch.tensor(of_weights.std)[:, None, None]
    assert torch.allclose(given, expected, atol=1e-5)
    grey = Normalised(nn.Identity(), mean[:1], std[:1], 255.0, of_weights)((raw[:, :1] - mean[:1]) / std[:1])
    assert torch.allclose(grey, (raw[:, :1] / 255 - 0.449) / 0.226, atol=1e-5)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_missing_library_is_one_line(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    module = {"torchvision": "torchvision.models"}.get(library, library)
    assert refusal(f"{module}:resnet18") == f"model.kind: {library} is not installed: {install('vision')}"


@with_torchvision
class TestTorchvision:
    @pytest.fixture
    def of_imagenet(self) -> Path:
        """A file of weights for 1,000 classes, of three channels."""
        from torchvision import models

        torch.save(models.resnet18(num_classes=1000).state_dict(), "r18.pth")
        return Path("r18.pth")

    def test_head_and_first_layer_fit_the_data_and_the_rest_is_that_of_the_file(self, of_imagenet: Path) -> None:
        built = build(experiment(RESNET, weights=str(of_imagenet)))
        network: Any = built.task_module.architecture
        given = torch.load(of_imagenet, weights_only=True)
        assert network.fc.weight.shape == (3, 512)
        assert torch.equal(network.conv1.weight, given["conv1.weight"].sum(1, keepdim=True))
        assert torch.equal(network.layer4[1].conv2.weight, given["layer4.1.conv2.weight"])
        (loaded, scaling) = notes_of(built, "weights")
        assert loaded == (
            "120 of 122 tensors are those of r18.pth; left new, of another shape: fc.weight (1000, 512) for (3, 512), "
            "fc.bias (1000,) for (3,)"
        )
        assert scaling.startswith("the range of the data is not known")
        assert built.fine_tuning.tags["lab.weights.model"] == loaded
        assert built.experiment.part("model").settings["weights"].startswith("r18.pth#")

    def test_a_file_that_changed_is_refused(self, of_imagenet: Path) -> None:
        weights = build(experiment(RESNET, weights="r18.pth")).experiment.part("model").settings["weights"]
        torch.save({"conv1.weight": torch.ones(64, 3, 7, 7)}, of_imagenet)
        assert refusal(RESNET, weights=weights).startswith("model.weights: r18.pth: the weights have changed: ")

    def test_images_are_scaled_as_the_weights_expect_unless_the_data_is_to_scale_them(self, of_imagenet: Path) -> None:
        pixels = np.random.default_rng(0)
        for name in ("a", "b"):
            Path("images", name).mkdir(parents=True)
            for number in range(8):
                Image.fromarray(pixels.integers(0, 255, (40, 40, 3), np.uint8)).save(f"images/{name}/{number}.png")
        data = {"kind": "images", "path": "images", "batch_size": 4, "val_fraction": 0.25}
        scaled = build(experiment(RESNET, data, weights=str(of_imagenet)))
        assert isinstance(scaled.task_module.architecture, Normalised)
        plain = build(experiment(RESNET, data, weights=str(of_imagenet), normalise="data"))
        assert not isinstance(plain.task_module.architecture, Normalised)
        frozen = from_sections("small", "?", {**scaled.experiment.written, "freeze": ["layer*", "conv1.*", "bn1.*"]})
        assert notes_of(build(frozen), "freeze")[0].startswith("60 tensors, ")

    def test_small_images_are_noted(self) -> None:
        (note,) = notes_of(build(experiment(RESNET)), "model")
        assert note.startswith("11 of 17 convolutions see a single pixel of these 8×8 images")

    def test_weights_by_name_come_from_the_cache_of_torch_hub(
        self, of_imagenet: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from torchvision import models

        monkeypatch.setenv("TORCH_HOME", str(Path.cwd()))
        cached = Path("hub/checkpoints") / models.ResNet18_Weights.DEFAULT.url.rpartition("/")[2]
        cached.parent.mkdir(parents=True)
        of_imagenet.rename(cached)
        assert notes_of(build(experiment(RESNET, weights="DEFAULT")), "weights")[0].startswith(
            "120 of 122 tensors are those of DEFAULT; "
        )

    @pytest.mark.parametrize(
        ("kind", "settings", "line"),
        [
            (
                "torchvision.models:resnt18",
                {},
                "model.kind: torchvision has no network 'resnt18'; did you mean resnet18?",
            ),
            (
                RESNET,
                {"weights": "DEFALT"},
                "model.weights: no file, and no weights of that name: DEFALT; did you mean",
            ),
            (RESNET, {"weights": "none.pth"}, "model.weights: none.pth: no such file"),
            (RESNET, {"num_classes": 4}, "model.num_classes: the data has 3 outputs; remove the setting"),
            (RESNET, {"weigths": "x.pth"}, f"model: {RESNET} cannot be built: "),
            ("torchvision.models:vgg11", {}, "model: torchvision.models:vgg11 cannot take (N, 1, 8, 8): layer "),
        ],
    )
    def test_what_cannot_be_is_one_line(self, kind: str, settings: dict[str, Any], line: str) -> None:
        assert refusal(kind, **settings).startswith(line)


@with_timm
class TestTimm:
    def test_a_network_by_name_with_the_weights_of_a_file(self) -> None:
        import timm

        torch.save(timm.create_model("test_resnet").state_dict(), "small.pth")
        built = build(experiment("timm:test_resnet", weights="small.pth"))
        assert "left new, of another shape: fc.weight" in notes_of(built, "weights")[0]
        given = torch.load("small.pth", weights_only=True)
        network: Any = built.task_module.architecture
        assert torch.allclose(network.conv1[0].weight, given["conv1.0.weight"].sum(1, keepdim=True))

    def test_a_misspelt_name_and_unknown_weights_are_one_line(self) -> None:
        assert (
            refusal("timm:resnt18") == "model.kind: timm has no network 'resnt18'; did you mean resnet18 or resnet18d?"
        )
        assert refusal("timm.create_model").startswith("model.kind: timm has no network 'create_model'; ")
        assert refusal("timm:resnet18", weights="a1_in2k").startswith(
            "model.weights: no file, and no weights of that name: a1_in2k; did you mean a1_in1k"
        )
