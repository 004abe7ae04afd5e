"""Images in folders."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lab.config.sections import Part
from lab.data import images
from lab.data.encodings import from_json
from lab.data.images import Images
from lab.data.reading import image_files
from lab.errors import LabError

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(root: str, count: int = 20, size: tuple[int, int] = (12, 10), mode: str = "L", names: str = "ab") -> None:
    for shade, name in enumerate(names):
        folder = Path(root) / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            values = RANDOM.integers(60 * shade, 60 * shade + 100, (size[1], size[0], 3)).astype(np.uint8)
            Image.fromarray(values).convert(mode).save(folder / f"{number:02}.png")


def prepared(path: str = "pictures", **settings: Any) -> Images:
    made: Images = Part("data", "images", {"path": path, "batch_size": 8, **settings}).build(seed=0)
    made.prepare()
    return made


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


def test_train_and_test_folders_are_kept_apart() -> None:
    draw("pictures/train")
    draw("pictures/test", count=5)
    data = prepared()
    assert data.split_indices["test"].tolist() == list(range(40, 50))


def test_images_of_different_sizes_are_resized_and_colour_is_kept() -> None:
    draw("pictures", mode="RGB", names="ab")
    draw("pictures", size=(30, 30), names="c")
    data = prepared()
    assert data.sizes.input_shape == (3, 64, 64)
    assert prepared(size=16, channels="grey").sizes.input_shape == (1, 16, 16)
    assert prepared(size=[8, 16]).sizes.input_shape == (3, 8, 16)


def test_new_images_are_encoded_as_those_for_training_were() -> None:
    draw("pictures")
    data = prepared()
    again = from_json(data.encoding.as_json())
    index = data.split_indices["train"][3]
    path = image_files.find_images("pictures").paths[index]
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
    (note,) = [note for subject, note in data.notes if subject == "skipped"]
    assert note.startswith("2 unreadable: ")
    assert "pictures/a/03.png: cannot be read as an image" in note
    assert "pictures/b/07.png: cannot be read as an image" in note


def test_many_damaged_files_are_refused() -> None:
    draw("pictures")
    for path in Path("pictures/a").glob("0*.png"):
        path.write_text("no image")
    with pytest.raises(LabError, match=r"10 of 40 images cannot be read; the first:\npictures/a/00.png: "):
        prepared()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([], "nowhere: no such folder"),
        (["pictures/a"], "pictures: needs one folder per class, at least two; found only a/"),
        (["pictures/a", "pictures/b"], "pictures/a: has no images (.png"),
    ],
)
def test_a_folder_without_classes_or_images_is_refused(made: list[str], message: str) -> None:
    for name in made:
        Path(name).mkdir(parents=True)
    with pytest.raises(LabError) as caught:
        prepared("pictures" if made else "nowhere")
    assert message in str(caught.value)


def test_a_class_with_a_single_image_is_refused() -> None:
    draw("pictures")
    draw("pictures", names="c", count=1)
    with pytest.raises(LabError, match="the only row of class 'c'"):
        prepared()
