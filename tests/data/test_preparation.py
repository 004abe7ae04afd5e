"""Standardisation and fingerprints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import RobustScaler

from lab.data.preparation import Scale, file_fingerprint, fingerprint

RANDOM = np.random.default_rng(0)


class TestScale:
    @pytest.mark.parametrize("shape", [(40, 3), (40, 3, 5), (40, 3, 4, 2)])
    def test_fit_has_the_statistics_of_each_channel(self, shape: tuple[int, ...]) -> None:
        x = RANDOM.normal(5, 2, shape).astype(np.float32)
        scale = Scale.fit(torch.from_numpy(x))
        axes = (0, *range(2, x.ndim))
        expected = (3, *[1] * (x.ndim - 2))
        assert scale.mean.shape == scale.std.shape == expected
        np.testing.assert_allclose(scale.mean.flatten(), x.mean(axes), rtol=1e-5)
        np.testing.assert_allclose(scale.std.flatten(), x.std(axes), rtol=1e-5)

    @pytest.mark.parametrize("shape", [(40, 3), (40, 3, 5), (40, 3, 4, 2)])
    def test_fit_parts_agrees_with_fit(self, shape: tuple[int, ...]) -> None:
        x = torch.from_numpy(RANDOM.normal(5, 2, shape))
        x[20:] += 100  # the parts differ in mean
        whole, parts = Scale.fit(x), Scale.fit_parts(x.split([7, 1, 30, 2]))
        assert parts.mean.shape == whole.mean.shape
        torch.testing.assert_close(parts.mean, whole.mean)
        torch.testing.assert_close(parts.std, whole.std)

    def test_the_standard_deviation_of_a_constant_feature_is_set_to_one(self) -> None:
        x = torch.stack([torch.full((20,), 3.5), torch.arange(20.0)], dim=1)
        for scale in (Scale.fit(x), Scale.fit_parts(x.split(6))):
            assert scale.std[0] == 1.0
            assert scale.std[1] == pytest.approx(np.arange(20).std())
            assert torch.isfinite(scale.apply(x)).all()
            assert (scale.apply(x)[:, 0] == 0).all()

    def test_fit_robust_agrees_with_scikit_learn(self) -> None:
        x = np.exp(2 * RANDOM.normal(size=(101, 3)))
        expected = RobustScaler(unit_variance=True).fit(x)
        scale = Scale.fit_robust(torch.from_numpy(x))
        np.testing.assert_allclose(scale.mean, expected.center_, rtol=1e-6)
        np.testing.assert_allclose(scale.std, expected.scale_, rtol=1e-6)

    def test_where_the_quartiles_are_equal_fit_robust_takes_the_standard_deviation(self) -> None:
        mostly, constant = np.array([7.0] * 9 + [1.0, 21.0]), np.full(11, 3.5)
        scale = Scale.fit_robust(torch.from_numpy(np.stack([mostly, constant], axis=1)))
        assert scale.mean.tolist() == [7.0, 3.5]
        assert scale.std.tolist() == pytest.approx([mostly.std(), 1.0])

    def test_rows_count_as_often_as_their_weight(self) -> None:
        x, weight = RANDOM.normal(5, 2, (40, 3)), RANDOM.integers(0, 4, 40)
        scale = Scale.fit(torch.from_numpy(x), torch.from_numpy(weight))
        repeated = np.repeat(x, weight, axis=0)
        np.testing.assert_allclose(scale.mean, repeated.mean(0), rtol=1e-6)
        np.testing.assert_allclose(scale.std, repeated.std(0), rtol=1e-6)

    def test_of_weighted_rows_a_constant_is_told_from_a_small_spread(self) -> None:
        """Weighted sums of 0.1 are rounded; a spread of a ten-millionth of the mean is one."""
        weight = torch.from_numpy(RANDOM.random(41))
        constants, ones = [0.1, -0.1, 123_456.7], torch.ones(41).double()
        varying = [mean * (1 + 1e-7 * (torch.arange(41) % 2).double()) for mean in (1e-6, 1_000.0)]
        scale = Scale.fit(torch.stack([*(value * ones for value in constants), *varying], dim=1), weight)
        assert scale.std[:3].tolist() == [1.0, 1.0, 1.0]
        assert scale.std[3:].tolist() == pytest.approx([5e-14, 5e-5], rel=0.1)

    def test_of_padded_sequences_the_steps_before_the_padding_count(self) -> None:
        x = torch.from_numpy(RANDOM.normal(5, 2, (4, 3, 6)).astype(np.float32))
        lengths = [6, 1, 3, 2]
        for row, length in zip(x, lengths, strict=True):
            row[:, length:] = torch.nan
        scale = Scale.fit_real(x)
        real = np.concatenate([row[:, :length] for row, length in zip(x.numpy(), lengths, strict=True)], axis=1)
        assert scale.mean.shape == scale.std.shape == (3, 1)
        np.testing.assert_allclose(scale.mean[:, 0], real.mean(1), rtol=1e-6)
        np.testing.assert_allclose(scale.std[:, 0], real.std(1), rtol=1e-6)

    def test_invert_undoes_apply(self) -> None:
        x = torch.from_numpy(RANDOM.normal(5, 2, (20, 3)).astype(np.float32))
        scale = Scale.fit(x)
        torch.testing.assert_close(scale.apply(x).mean(0), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(scale.apply(x).std(0, unbiased=False), torch.ones(3))
        torch.testing.assert_close(scale.invert(scale.apply(x)), x)


class TestFingerprints:
    def test_arrays_differ_by_content_type_and_shape(self) -> None:
        x = np.arange(6)
        variants = [x, x + 1, x.astype(np.int32), x.reshape(2, 3), x.reshape(3, 2)]
        assert len({fingerprint(array) for array in variants}) == 5
        assert fingerprint(x) == fingerprint(x.copy())
        assert fingerprint(x.reshape(2, 3).T) == fingerprint(np.ascontiguousarray(x.reshape(2, 3).T))
        assert len({fingerprint(x, x), fingerprint(x)}) == 2

    def test_a_fingerprint_is_sixteen_hexadecimal_digits(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("a")
        for digest in (fingerprint(np.arange(3)), file_fingerprint(tmp_path / "a")):
            assert len(digest) == 16
            int(digest, 16)

    def test_files_differ_by_content_and_names(self, tmp_path: Path) -> None:
        for name, text in {"a": "1", "b": "2", "c": "1"}.items():
            (tmp_path / name).write_text(text)
        a, b, c = (tmp_path / name for name in "abc")
        assert file_fingerprint(a) == file_fingerprint(c) != file_fingerprint(b)
        assert file_fingerprint(a, names=["a"]) != file_fingerprint(c, names=["c"])
        assert file_fingerprint(a, b) != file_fingerprint(b, a)
        assert file_fingerprint(a, b) != file_fingerprint(a)
