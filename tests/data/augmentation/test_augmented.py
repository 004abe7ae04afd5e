"""Augmented training samples: a function of (seed, epoch, sample), of training alone, and what is refused."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lab.config.experiment import load
from lab.data.base import DataModule
from lab.errors import LabError
from lab.training.building import build
from lab.training.rehearsal import whole_batch

pytestmark = pytest.mark.usefixtures("empty_workplace")
JITTER = "data.augment=[{kind: shift, most: 1}, {kind: jitter, std: 0.1}]"
OWN = "from torch import nn\nclass Short(nn.Module):\n    def forward(self, x):\n        return x[:, 1:]\n"


def data_of(name: str, *overrides: str) -> DataModule:
    return build(load(name, overrides)).data


def batches(data: DataModule, epoch: int = 0) -> list[Tensor]:
    with contextlib.closing(data.train_dataloader()) as loader:
        loader.sampler.set_epoch(epoch)
        return [x for x, _ in loader]


def test_a_batch_is_a_function_of_seed_epoch_and_sample() -> None:
    one, again, other = (data_of("digits", JITTER, f"seed={seed}", "seeds.split=0") for seed in (0, 0, 1))
    first = batches(one, 1)
    assert all(torch.equal(x, y) for x, y in zip(first, batches(again, 1), strict=True))
    assert not torch.equal(first[0], batches(one, 2)[0])
    assert not torch.equal(first[0].sum(0), batches(other, 1)[0].sum(0))


def test_workers_and_batch_sizes_change_no_sample() -> None:
    here, workers = data_of("digits", JITTER), data_of("digits", JITTER, "data.num_workers=2", "data.batch_size=100")
    assert torch.equal(torch.cat(batches(here, 3)), torch.cat(batches(workers, 3)))


def test_only_the_batches_of_training_are_changed() -> None:
    augmented, plain = data_of("digits", JITTER), data_of("digits")
    for split in ("train", "val", "test"):
        for one, other in zip(augmented.loader(split), plain.loader(split), strict=True):  # type: ignore[arg-type]
            assert torch.equal(one[0], other[0])
    changed = torch.cat(batches(augmented)) - torch.cat(batches(plain))
    assert bool(changed.flatten(1).any(1).all())


def test_drawing_leaves_the_randomness_of_training_as_it_was() -> None:
    data = data_of("digits", JITTER)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    batches(data)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("name", "augment"),
    [
        ("conv1d", "[{kind: shift, most: 3}, {kind: scaling}, {kind: mask}]"),
        ("sunspots", "[{kind: jitter, std: 0.2}, {kind: mask, share: 0.1}]"),
    ],
)
def test_sequences_and_windows_are_changed_and_their_targets_are_not(name: str, augment: str) -> None:
    augmented, plain = data_of(name, f"data.augment={augment}"), data_of(name)
    (x, y), (before, same) = (next(iter(data.train_dataloader())) for data in (augmented, plain))
    assert x.shape == before.shape
    assert not torch.equal(x, before)
    assert torch.equal(y, same)


def test_images_in_an_npz_file_are_augmented(empty_workplace: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)
    np.savez(empty_workplace / "images.npz", x=x, y=np.arange(60) % 3)
    data = data_of("conv2d", "data={kind: arrays, path: images.npz, batch_size: 16}", "data.augment=[{kind: flip}]")
    plain = data_of("conv2d", "data={kind: arrays, path: images.npz, batch_size: 16}")
    for x, before in zip(torch.cat(batches(data)), torch.cat(batches(plain)), strict=True):
        assert torch.equal(x, before) or torch.equal(x, before.flip(-1))


def test_a_transform_without_effect_is_said() -> None:
    augment = "[{kind: jitter, std: 1.0e-9}, {kind: flip}]"
    notes = data_of("digits", f"data.augment={augment}").notes
    assert [text for subject, text in notes if subject == "augment"] == ["jitter left 64 training samples as they are"]


@pytest.mark.parametrize(
    ("name", "setting", "message"),
    [
        ("digits", "augment=[{kind: jiter}]", "data.augment.kind: "),
        ("digits", "augment=[{kind: shift, mots: 2}]", "data.augment.mots: no such setting; did you mean .*most"),
        ("digits", "augment=[{kind: shift, most: 0}]", "data.augment.most: must be at least 1, not 0"),
        ("digits", "augment=[{most: 2}]", "data.augment.kind: is required; one of flip, shift, jitter, scaling, mask"),
        ("digits", "augment=flip", "data.augment: must be a list, not 'flip'"),
        ("digits", "augmnt=[{kind: flip}]", "data.augmnt: no such setting; did you mean data.augment"),
        ("digits", "augment=[{kind: shortening:Short}]", r"shortening:Short makes a sample \(1, 8, 8\) .* \(1, 7, 8\)"),
        ("digits", "augment=[{kind: shortening:Nothing}]", "data.augment.kind: shortening has no 'Nothing'"),
        ("digits", "augment=[{kind: os:system}]", "data.augment.kind: os:system is not called"),
        ("conv1d", "augment=[{kind: flip, axis: both}]", "flip fails: ValueError: axis both needs an image"),
        ("sunspots", "augment=[{kind: shift}]", "shift would change a window and not the steps after it"),
        ("breast_cancer", "augment=[{kind: jitter}]", r"is for sequences .* and images .*, not for samples \(30,\)"),
    ],
)
def test_what_cannot_be_done_is_one_line(empty_workplace: Path, name: str, setting: str, message: str) -> None:
    (empty_workplace / "shortening.py").write_text(OWN)
    with pytest.raises(LabError, match=message) as raised:
        whole_batch.rehearse(build(load(name, [f"data.{setting}"])))
    assert "\n" not in str(raised.value)


class TestOfTorchvision:
    """Transforms by the name of their class; skipped where torchvision cannot be imported beside this torch."""

    @pytest.fixture(autouse=True)
    def library(self) -> Any:
        try:
            from torchvision.transforms import v2
        except Exception as error:
            pytest.skip(f"torchvision: {error}")
        return v2

    def test_they_see_pixels_from_0_to_1_and_are_standardised_again(self) -> None:
        augmented, plain = data_of("conv2d", "data.augment=[{kind: RandomInvert, p: 1.0}]"), data_of("conv2d")
        one, other = torch.cat(batches(augmented)), torch.cat(batches(plain))
        scale = plain.input_scale
        torch.testing.assert_close(scale.invert(one), 16 - scale.invert(other), atol=1e-4, rtol=0)

    def test_images_of_bytes_stay_bytes(self, empty_workplace: Path) -> None:
        from made_images import draw

        draw("pictures")
        settings = "data={kind: images, path: pictures, batch_size: 8, size: 10}"
        augmented = data_of("conv2d", settings, "data.augment=[{kind: RandomPosterize, bits: 8, p: 1.0}]")
        assert torch.equal(torch.cat(batches(augmented)), torch.cat(batches(data_of("conv2d", settings))))

    def test_a_crop_is_the_one_of_the_library(self, library: Any) -> None:
        augmented = data_of("conv2d", "data.augment=[{kind: RandomCrop, size: 8, padding: 2}]")
        x, plain = torch.cat(batches(augmented)), torch.cat(batches(data_of("conv2d")))
        dark = augmented.input_scale.apply(torch.zeros(1, 1, 1))
        padded = torch.nn.functional.pad(plain - dark, [2] * 4) + dark
        windows = padded.unfold(2, 8, 1).unfold(3, 8, 1)  # (N, 1, 5, 5, 8, 8)
        distances = (windows - x[:, :, None, None]).abs().amax((-1, -2))
        assert float(distances.flatten(1).amin(1).max()) < 1e-4

    @pytest.mark.parametrize(
        ("augment", "message"),
        [
            ("{kind: RandomCorp, size: 8}", "no such kind 'RandomCorp'; did you mean RandomCrop"),
            ("{kind: RandomCrop, size: 6}", r"RandomCrop makes a sample \(1, 8, 8\) .* \(1, 6, 6\)"),
            ("{kind: RandomIoUCrop}", "RandomIoUCrop needs bounding boxes"),
            ("{kind: MixUp}", "MixUp mixes samples; write data.mix: mixup"),
            ("{kind: RandomRotation, degrees: 5, interpolation: cubic}", "interpolation: must be one of nearest"),
        ],
    )
    def test_what_cannot_be_done_is_one_line(self, augment: str, message: str) -> None:
        with pytest.raises(LabError, match=message) as raised:
            build(load("conv2d", [f"data.augment=[{augment}]"]))
        assert "\n" not in str(raised.value)


def test_workers_take_batches_of_sequences_of_unequal_length() -> None:
    jitter = "data.augment=[{kind: jitter, std: 0.1}]"
    here, workers = data_of("outlines", jitter), data_of("outlines", jitter, "data.num_workers=1")
    for one, other in zip(batches(here, 1), batches(workers, 1), strict=True):
        assert torch.equal(one.nan_to_num(9), other.nan_to_num(9))
