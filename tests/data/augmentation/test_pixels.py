"""Images as torchvision takes them: the range of the pixels, there and back."""

import pytest
import torch
from torch import Tensor

from lab.data.augmentation import pixels
from lab.data.augmentation.pixels import PixelRange, range_of
from lab.data.loaders import ArrayDataset
from lab.data.preparation import Scale

SCALE = Scale(torch.tensor([[[100.0]]]), torch.tensor([[[50.0]]]))
RAW = torch.tensor([[[0.0, 51.0], [102.0, 255.0]]])


def seen(values: PixelRange, raw: Tensor) -> Tensor:
    """What a transform is given of a standardised image; it comes back as it was."""
    given: list[Tensor] = []

    def identity(image: Tensor) -> Tensor:
        given.append(image)
        return image

    torch.testing.assert_close(values.apply(identity, SCALE.apply(raw)), SCALE.apply(raw))
    return given[0]


def test_images_of_8_bits_are_bytes() -> None:
    found = seen(range_of(None, SCALE, "uint8"), RAW)
    assert found.dtype == torch.uint8
    assert found.tolist() == [[[0, 51], [102, 255]]]


@pytest.mark.parametrize("values", ["uint16", None])
def test_of_others_the_lowest_training_value_is_0_and_the_highest_1(
    values: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "ROWS", 2)  # read in parts: the lowest is in the first, the highest in the last
    x = SCALE.apply(torch.tensor([-100.0, 0.0, 50.0, 100.0, 300.0]).reshape(5, 1, 1, 1))
    found = seen(range_of(ArrayDataset(x, torch.zeros(5)), SCALE, values), RAW)
    torch.testing.assert_close(found, (RAW + 100) / 400)


def test_images_of_one_value_are_0() -> None:
    x = SCALE.apply(torch.full((3, 1, 2, 2), 7.0))
    assert seen(range_of(ArrayDataset(x, torch.zeros(3)), SCALE, None), torch.full((1, 2, 2), 7.0)).abs().max() < 1e-5


def test_a_transform_that_changes_the_type_of_the_pixels_is_refused() -> None:
    values = PixelRange(SCALE, 0.0, 1.0, bytes=False)
    with pytest.raises(TypeError, match=r"^makes torch.float32 pixels torch.float64$"):
        values.apply(lambda image: image.double(), RAW)
    with pytest.raises(TypeError, match=r"^makes torch.float32 pixels ndarray$"):
        values.apply(lambda image: image.numpy(), RAW)
