"""Contrast, brightness and noise: hand-computed numbers."""

import keras
import numpy as np
import pytest

from medtf.augment.intensity import RandomIntensity
from medtf.augment.noise import RandomNoise


def intensity(images, factor, shift):
    draws = {"factor": np.array([factor], "float32"), "shift": np.array([shift], "float32")}
    return keras.ops.convert_to_numpy(RandomIntensity(contrast=0.1).apply(images, draws))


def test_contrast_is_about_the_channels_mean_and_brightness_shifts():
    image = np.array([[[[0.2, 0.5]], [[0.4, 0.7]]]], "float32")  # channel means 0.3 and 0.6
    np.testing.assert_allclose(intensity(image, 2.0, 0.0)[0, :, 0], [[0.1, 0.4], [0.5, 0.8]], atol=1e-6)
    np.testing.assert_allclose(intensity(image, 2.0, 0.25)[0, :, 0], [[0.35, 0.65], [0.75, 1.0]], atol=1e-6)
    np.testing.assert_allclose(intensity(image, 1.0, -0.3)[0, :, 0], [[0.0, 0.2], [0.1, 0.4]], atol=1e-6)


def test_one_factor_an_image():
    draws = RandomIntensity(contrast=0.5, brightness=0.2, seed=0).draw((4000, 1, 1, 3))
    factor, shift = (keras.ops.convert_to_numpy(draws[name]) for name in ("factor", "shift"))
    assert factor.shape == shift.shape == (4000,)
    assert 0.5 <= factor.min() < 0.51
    assert 1.49 < factor.max() <= 1.5
    assert -0.2 <= shift.min() < -0.19
    assert abs(np.corrcoef(factor, shift)[0, 1]) < 0.06


def test_noise_has_its_deviation_and_no_mean():
    noise = keras.ops.convert_to_numpy(RandomNoise(0.1, seed=0).draw((4, 50, 50, 2))["noise"])
    assert noise.std() == pytest.approx(0.1, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.003)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05


def test_noise_is_added_then_clipped():
    draws = {"noise": np.array([0.25, -0.5, 0.75], "float32").reshape(1, 1, 3, 1)}
    noisy = keras.ops.convert_to_numpy(RandomNoise(0.1).apply(np.full((1, 1, 3, 1), 0.5, "float32"), draws))
    np.testing.assert_allclose(noisy.ravel(), [0.75, 0, 1], atol=1e-7)
