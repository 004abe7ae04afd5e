"""Images in folders."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_images import draw, note, prepared, save

from lab.data import images
from lab.data.encodings import from_json
from lab.data.images import Images
from lab.errors import LabError

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def batches(data: Images, epoch: int = 0) -> list[torch.Tensor]:
    with contextlib.closing(data.train_dataloader()) as loader:
        loader.sampler.set_epoch(epoch)
        return [x for x, _ in loader]


def test_a_folder_is_a_class() -> None:
    draw("pictures")
    data = prepared()
    assert (data.class_names, data.sizes.input_shape, data.sizes.out_features) == (("a", "b"), (1, 10, 12), 1)
    assert sum(map(len, data.split_indices.values())) == 40
    train = torch.cat([x for x, _ in data.loader("train")])
    torch.testing.assert_close(train.mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
    torch.testing.assert_close(train.std(), torch.tensor(1.0), atol=1e-2, rtol=0)


def test_new_images_are_encoded_as_those_for_training_were() -> None:
    draw("pictures")
    data = prepared()
    again = from_json(data.encoding.as_json())
    index = data.split_indices["train"][3]
    path = data.files.paths[index]
    x, _ = data.splits["train"][3]
    torch.testing.assert_close(data.input_scale.apply(torch.from_numpy(again.encode([path])))[0], x)


@pytest.mark.parametrize("in_memory", [True, False])
def test_augmentation_is_a_function_of_seed_epoch_and_image(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    draw("pictures")
    monkeypatch.setattr(images, "MAX_BYTES_IN_MEMORY", 1 << 30 if in_memory else 0)
    settings: dict[str, Any] = {"flip": "both", "crop": 2}
    here, workers = prepared(**settings, num_workers=0), prepared(**settings, num_workers=2)
    for one, other in zip(batches(here, epoch=1), batches(workers, epoch=1), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(
        torch.cat(batches(here, 1)).sum((1, 2, 3)).sort()[0], torch.cat(batches(here, 2)).sum((1, 2, 3)).sort()[0]
    )


def test_only_training_images_are_augmented() -> None:
    draw("pictures")
    augmented, plain = prepared(flip="horizontal", crop=1), prepared()
    for split in ("train", "val", "test"):
        for one, other in zip(augmented.loader(split), plain.loader(split), strict=True):  # type: ignore[arg-type]
            assert torch.equal(one[0], other[0])
    assert not torch.equal(torch.cat(batches(augmented)), torch.cat(batches(plain)))


def test_images_that_do_not_fit_into_memory_are_decoded_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    draw("pictures")
    in_memory = prepared()
    monkeypatch.setattr(images, "MAX_BYTES_IN_MEMORY", 0)
    by_workers = prepared()
    assert (in_memory.num_workers, by_workers.num_workers) == (0, 2)
    for one, other in zip(batches(in_memory), batches(by_workers), strict=True):
        assert torch.equal(one, other)


def test_a_few_damaged_files_are_skipped_and_named() -> None:
    draw("pictures")
    Path("pictures/a/03.png").write_bytes(b"\x89PNG nothing")
    whole = Path("pictures/b/07.png").read_bytes()
    Path("pictures/b/07.png").write_bytes(whole[: len(whole) // 2])
    data = prepared()
    assert sum(map(len, data.split_indices.values())) == 38
    said = note(data, "skipped")
    assert said.startswith("2 unreadable: ")
    assert "pictures/a/03.png: cannot be read as an image" in said
    assert "pictures/b/07.png: cannot be read as an image" in said


def test_all_damaged_files_are_listed_even_if_the_note_names_three() -> None:
    draw("pictures", count=40)
    for number in range(5):
        Path(f"pictures/b/{number:02}.png").write_text("no image")
    data = prepared()
    assert note(data, "skipped").startswith("5 unreadable: pictures/b/00.png: ")
    assert note(data, "skipped").endswith("; `lab check` lists all")
    assert [line.partition(":")[0] for line in data.skipped] == [f"pictures/b/0{number}.png" for number in range(5)]


def test_many_damaged_files_are_refused() -> None:
    draw("pictures")
    for path in Path("pictures/a").glob("0*.png"):
        path.write_text("no image")
    with pytest.raises(LabError, match=r"10 of 40 images cannot be read; the first:\npictures/a/00.png: "):
        prepared()


def test_a_class_with_a_single_image_is_refused() -> None:
    draw("pictures")
    draw("pictures", names="c", count=1)
    with pytest.raises(LabError, match="the only row of class 'c'"):
        prepared()


@pytest.mark.parametrize("in_memory", [True, False])
def test_sixteen_bit_images_are_standardised_without_rounding(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that 8 bits could not tell apart."""
    monkeypatch.setattr(images, "MAX_BYTES_IN_MEMORY", 1 << 30 if in_memory else 0)
    values = RANDOM.integers(30_000, 30_200, (40, 10, 12)).astype(np.uint16)
    for number, image in enumerate(values):
        save(image, f"pictures/{'ab'[number // 20]}/{number:02}.png")
    data = prepared(num_workers=0)
    train = values[data.split_indices["train"]].astype(np.float64)
    x = torch.cat([x for x, _ in data.loader("train")])
    expected = (train[:, None] - train.mean()) / train.std()
    np.testing.assert_allclose(x.numpy(), expected, atol=2e-3)
    assert note(data, "images") == "40 in grey, 16-bit values"
