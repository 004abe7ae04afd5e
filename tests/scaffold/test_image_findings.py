"""Copies of images across splits, of which `lab new` warns."""

from pathlib import Path

import numpy as np
import pytest
from made_images import RANDOM, draw, prepared, save
from PIL import Image

from lab.cli.main import main
from lab.scaffold import image_findings
from lab.scaffold.inspection import inspect


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scene() -> np.ndarray:
    """A smooth picture like a photo, (96, 128, 3)."""
    coarse = Image.fromarray(RANDOM.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((128, 96), Image.Resampling.BICUBIC))


def scenes(count: int = 30) -> None:
    for split, share in (("train", count), ("test", count // 3)):
        for number in range(share):
            save(scene(), f"photos/{split}/{'ab'[number % 2]}/{number:02}.png")


def warnings() -> list[str]:
    return list(image_findings.copies(prepared("photos")))


def test_different_images_are_no_copies() -> None:
    scenes()
    assert warnings() == []
    for number in range(6):
        save(
            np.full((96, 128, 3), 40 * number, np.uint8),
            f"photos/{'train' if number % 2 else 'test'}/a/blank{number}.png",
        )
    assert warnings() == []


def test_the_same_file_in_two_splits() -> None:
    scenes()
    for number in (1, 3):
        Path(f"photos/test/b/{number:02}.png").write_bytes(Path(f"photos/train/b/{number:02}.png").read_bytes())
    (warning,) = warnings()
    assert warning.startswith(
        "2 test or validation images are the same file as training images (photos/test/b/01.png, photos/train/b/01.png)"
    )


def test_copies_of_another_class() -> None:
    scenes()
    Path("photos/train/a/00.png").write_bytes(Path("photos/train/b/01.png").read_bytes())
    assert (
        "one image has copies of another class (photos/train/a/00.png, photos/train/b/01.png): correct"
        in warnings()[-1]
    )


def test_images_saved_again_smaller_or_compressed_are_near_copies() -> None:
    scenes()
    original = Image.open("photos/train/b/05.png")
    save(original, "photos/test/b/compressed.jpg", quality=50)
    save(original.resize((64, 48)), "photos/test/b/smaller.png")
    save(Image.fromarray((np.asarray(original) * 0.8).astype(np.uint8)), "photos/test/b/darker.png")
    (warning,) = warnings()
    assert warning.startswith("3 test or validation images are nearly the same as training images (photos/test/b/")
    assert "photos/train/b/05.png" in warning


def test_lab_new_warns_and_writes_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    draw("photos")
    for number in range(5):
        Path(f"photos/b/copy{number}.png").write_bytes(Path(f"photos/b/{number:02}.png").read_bytes())
    lines = [f"{path.relative_to('photos')},{path.parent.name}" for path in sorted(Path("photos").rglob("*.png"))]
    Path("photos/list.csv").write_text("\n".join(["picture,kind", *lines]))
    found = inspect("photos/list.csv", None, None, {})
    assert (found.settings["kind"], found.settings["image"], found.settings["target"]) == ("images", "picture", "kind")
    assert "the same file as" in found.warnings[0]
    with pytest.raises(SystemExit, match="0"):
        main(["new", "pets", "--data", "photos/list.csv"])
    assert "warning" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["check", "pets"])
