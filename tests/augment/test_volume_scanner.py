"""What scanners do to volumes: bias, gamma, noise, blur, ghosts, motion, thick slices; against SciPy, NumPy's FFT and formulas."""

import keras
import numpy as np
import pytest
from layers import numpy
from scipy import ndimage, stats

from medtf.augment.normal import normal
from medtf.augment.volume.bias import RandomBiasField
from medtf.augment.volume.blur import RandomBlur
from medtf.augment.volume.gamma import RandomGamma
from medtf.augment.volume.ghosting import RandomGhosting
from medtf.augment.volume.intensity import RandomIntensity3D
from medtf.augment.volume.low_resolution import RandomLowResolution
from medtf.augment.volume.motion import RandomMotion
from medtf.augment.volume.noise import RandomNoise3D
from medtf.augment.volume.rician import RandomRicianNoise

VOLUMES = np.random.default_rng(0).normal(size=(2, 12, 15, 16, 1)).astype("float32")


def f32(**draws):
    return {name: np.asarray(value, "float32") for name, value in draws.items()}


def test_the_bias_field_is_the_polynomials_exponential():
    rng = np.random.default_rng(3)
    terms = np.indices((4, 4, 4)).sum(axis=0) <= 3
    polynomial = (rng.uniform(-0.5, 0.5, (2, 4, 4, 4)) * terms).astype("float32")
    volumes = rng.uniform(1, 2, (2, 9, 11, 13, 1)).astype("float32")
    volumes[:, 2, 3, 4] = 0  # the signal's zero
    volumes[:, 4, 5, 6] = 1
    changed = numpy(RandomBiasField().apply(volumes, {"polynomial": polynomial}))
    np.testing.assert_allclose(changed[:, 2, 3, 4], 0, atol=1e-6)
    for number, coefficients in enumerate(polynomial):
        with np.errstate(invalid="ignore"):
            field = (changed / volumes)[number, ..., 0]
        field = field / field[4, 5, 6]  # the middle, 0, 0, 0
        x, y, z = np.indices((4, 4, 4))
        coefficients = coefficients - coefficients[0, 0, 0] * ((x + y + z) == 0)
        np.testing.assert_allclose(field[0, 0, 0], np.exp((coefficients * (-1.0) ** (x + y + z)).sum()), rtol=1e-4)
        np.testing.assert_allclose(field[-1, -1, -1], np.exp(coefficients.sum()), rtol=1e-4)  # the corner 1, 1, 1
        np.testing.assert_allclose(field[-1, 5, 6], np.exp(coefficients[:, 0, 0].sum()), rtol=1e-4)  # 1, 0, 0
        field[2, 3, 4] = (field[1, 3, 4] * field[3, 3, 4]) ** 0.5
        assert field.min() > 0
        assert (
            np.abs(np.diff(np.log(field[:, 7]), 4, axis=0)).max() < 1e-4
        )  # cubic in the log: fourth differences are 0


def test_the_bias_keeps_the_mean_of_a_flat_signal():
    flat = np.full((2, 12, 12, 12, 1), 3.0, "float32")
    flat[:, 5, 5, 5] = 0
    flat[:, 0] += np.linspace(0, 0.01, 144, dtype="float32").reshape(12, 12, 1)  # no two corners alike
    flat[:, -1] += np.linspace(0, 0.01, 144, dtype="float32").reshape(12, 12, 1) + 0.02
    layer = RandomBiasField(0.5, seed=0)
    changed = numpy(layer.apply(flat, layer.draw(flat.shape)))
    np.testing.assert_allclose(changed.mean(axis=(1, 2, 3)), flat.mean(axis=(1, 2, 3)), rtol=0.01)
    assert changed.std() > 0.3


def test_the_bias_has_twenty_terms():
    drawn = numpy(RandomBiasField(0.3, seed=0).draw((200, 8, 8, 8, 1))["polynomial"])
    assert (drawn != 0).any(axis=0).sum() == 20  # as many as TorchIO's
    assert 0.29 < np.abs(drawn).max() <= 0.3


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_gamma_keeps_both_ends_and_bends_the_middle(gamma):
    ramp = np.linspace(-0.7, 3.3, 9, dtype="float32").reshape(1, 9, 1, 1, 1)
    bent = numpy(RandomGamma().apply(ramp, f32(gamma=[gamma]))).ravel()
    np.testing.assert_allclose(bent, -0.7 + 4 * np.linspace(0, 1, 9) ** gamma, atol=1e-5)


def test_gamma_draws_its_log():
    gamma = numpy(RandomGamma(0.5, seed=0).draw((3000, 1, 1, 1, 1))["gamma"])
    assert stats.kstest(np.log(gamma), stats.uniform(-0.5, 1).cdf).pvalue > 0.001


def test_contrast_is_about_the_mean_and_brightness_in_deviations():
    changed = numpy(RandomIntensity3D(0.1).apply(VOLUMES, f32(factor=[1.5, 1], shift=[0, -0.5])))
    mean, deviation = VOLUMES.mean(axis=(1, 2, 3, 4)), VOLUMES.std(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(changed[0], mean[0] + 1.5 * (VOLUMES[0] - mean[0]), atol=1e-5)
    np.testing.assert_allclose(changed[1], VOLUMES[1] - 0.5 * deviation[1], atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 41, 37), (2, 30, 30, 30, 1)])
def test_the_normal_numbers_are_normal_and_independent(shape):
    generator = keras.random.SeedGenerator(0)
    first, second = numpy(normal(shape, generator)), numpy(normal(shape, generator))
    assert first.shape == shape
    assert stats.kstest(first.ravel(), "norm").pvalue > 0.001
    assert stats.kurtosis(first.ravel()) == pytest.approx(0, abs=0.05)
    assert 3.8 < np.abs(first).max() < 5.9
    bound = 4.5 / np.sqrt(first.size)
    for axis in range(first.ndim - (shape[-1] == 1)):
        n = shape[axis]
        one, next_one = np.take(first, range(n - 1), axis).ravel(), np.take(first, range(1, n), axis).ravel()
        assert abs(np.corrcoef(one, next_one)[0, 1]) < bound * 1.5
        assert abs(np.corrcoef(one**2, next_one**2)[0, 1]) < bound * 1.5
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < bound


def test_noise_is_measured_in_the_volumes_own_deviation():
    volumes = np.random.default_rng(1).normal(0, 100, (2, 30, 30, 30, 1)).astype("float32")
    layer = RandomNoise3D(0.4, seed=0)
    draws = layer.draw(volumes.shape)
    added = (numpy(layer.apply(volumes, draws)) - volumes).std(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(added, numpy(draws["deviation"]) * volumes.std(axis=(1, 2, 3, 4)), rtol=0.02)
    many = numpy(layer.draw((2000, 1, 1, 1, 1))["deviation"])
    assert stats.kstest(many, stats.uniform(0, 0.4).cdf).pvalue > 0.001


def test_rician_noise_lifts_air_and_leaves_bright_tissue():
    """Gudbjartsson and Patz 1995: sigma sqrt(pi / 2) without signal; sqrt(A**2 + sigma**2), nearly Gaussian, far above it."""
    volume = np.full((1, 60, 60, 60, 1), -0.7, "float32")
    volume[:, 30:] = 9.3  # half air, half a signal of 10: a deviation of 5
    layer = RandomRicianNoise(0.2, seed=0)
    noisy = numpy(layer.apply(volume, layer.draw(volume.shape) | f32(deviation=[0.1]))) + 0.7
    air, tissue, sigma = noisy[:, :30], noisy[:, 30:], 0.1 * 5
    assert air.min() >= 0
    assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.01)
    assert air.std() == pytest.approx(sigma * np.sqrt(2 - np.pi / 2), rel=0.01)
    assert tissue.mean() == pytest.approx(np.sqrt(100 + sigma**2), rel=0.001)
    assert tissue.std() == pytest.approx(sigma, rel=0.02)


def test_blur_is_scipys_gaussian_and_keeps_the_mean():
    blurred = numpy(RandomBlur().apply(VOLUMES, f32(sigma=[[1, 2, 0.5], [0, 0, 0]])))
    expected = ndimage.gaussian_filter(VOLUMES[0, ..., 0], (1, 2, 0.5), mode="reflect", truncate=8)
    np.testing.assert_allclose(blurred[0, ..., 0], expected, atol=1e-5)
    np.testing.assert_array_equal(blurred[1], VOLUMES[1])
    np.testing.assert_allclose(blurred.mean(axis=(1, 2, 3)), VOLUMES.mean(axis=(1, 2, 3)), atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ghosting_weakens_lines_of_the_spectrum(axis):
    draws = f32(intensity=[0.5, 0.8]) | {"ghosts": np.array([4, 5]), "axis": np.array([axis, axis])}
    ghosted = numpy(RandomGhosting().apply(VOLUMES, draws))
    side = VOLUMES.shape[axis + 1]
    line = np.round(np.fft.fftfreq(side) * side).astype(int)
    for number, (share, ghosts) in enumerate([(0.5, 4), (0.8, 5)]):
        weights = np.where((line % ghosts == 0) & (line != 0), 1 - share, 1)
        weights = weights.reshape([-1 if i == axis else 1 for i in range(3)])
        expected = np.fft.ifft(np.fft.fft(VOLUMES[number, ..., 0], axis=axis) * weights, axis=axis).real
        np.testing.assert_allclose(ghosted[number, ..., 0], expected, atol=1e-5)
    assert (np.square(ghosted).sum(axis=(1, 2, 3)) <= np.square(VOLUMES).sum(axis=(1, 2, 3))).all()  # Parseval
    np.testing.assert_allclose(ghosted.mean(axis=(1, 2, 3)), VOLUMES.mean(axis=(1, 2, 3)), atol=1e-6)


def test_ghosts_stand_a_share_of_the_field_of_view_apart():
    """A point's four ghosts: every fourth line taken out whole leaves -1/4 at each quarter, and the middle line 1/16 all over."""
    point = np.zeros((1, 16, 4, 4, 1), "float32")
    point[0, 3, 1, 1] = 1
    draws = f32(intensity=[1]) | {"ghosts": np.array([4]), "axis": np.array([0])}
    line = numpy(RandomGhosting().apply(point, draws))[0, :, 1, 1, 0]
    expected = np.full(16, 1 / 16)
    expected[[3, 7, 11, 15]] -= 1 / 4
    expected[3] += 1
    np.testing.assert_allclose(line, expected, atol=1e-6)


def test_ghost_draws_cover_numbers_and_axes():
    draws = {name: numpy(value) for name, value in RandomGhosting(0.5, seed=0).draw((2000, 1, 1, 1, 1)).items()}
    assert set(draws["ghosts"]) == set(range(4, 11))
    assert set(draws["axis"]) == {0, 1, 2}


def test_motion_takes_each_line_from_the_pose_of_its_time():
    """Against the whole 3D FFT, poses of half and of whole turns, which resampling leaves exact."""
    volumes = VOLUMES[:, :, :12, :12]
    angles, shift = np.zeros((2, 2, 3)), np.zeros((2, 2, 3))
    angles[:, 0, 1] = np.pi  # about the posterior-anterior axis: mirrors the other two
    shift[:, 1, 2] = 3 / 12  # upwards by three voxels
    draws = f32(angles=angles, shift=shift, times=[[0.6, 0.8], [0.7, 0.95]])
    moved = numpy(RandomMotion().apply(volumes, draws))[..., 0]
    for number, (first, second) in enumerate([(0.6, 0.8), (0.7, 0.95)]):
        one = volumes[number, ..., 0]
        lifted = np.full_like(one, one.min())
        lifted[:, :, 3:] = one[:, :, :-3]
        spectra = [np.fft.fftshift(np.fft.fftn(pose)) for pose in (one, one[::-1, :, ::-1], lifted)]
        times = 0.5 + (np.arange(12) - 6) / 12
        spectrum = spectra[0].copy()
        spectrum[:, times > first] = spectra[1][:, times > first]
        spectrum[:, times > second] = spectra[2][:, times > second]
        np.testing.assert_allclose(moved[number], np.fft.ifftn(np.fft.ifftshift(spectrum)).real, atol=2e-5)


def test_motion_keeps_the_place_and_the_mean():
    layer = RandomMotion(10, seed=0, movements=3)
    draws = layer.draw(VOLUMES.shape)
    moved = numpy(layer.apply(VOLUMES, draws))
    np.testing.assert_allclose(moved.sum(axis=2), VOLUMES.sum(axis=2), atol=1e-4)  # line 0: sums along the axis
    times = numpy(draws["times"])
    assert times.shape == (2, 3)
    assert (np.diff(times) >= 0).all()
    assert times.min() >= 0.5
    assert times.max() <= 1
    for name, wrong in {"movements": 0, "axis": 0}.items():
        with pytest.raises(ValueError, match=f"`{name}`: expected"):
            RandomMotion(**{name: wrong})


def test_a_longer_movement_changes_more():
    at = {"angles": np.full((1, 1, 3), 0.1), "shift": np.full((1, 1, 3), 0.02)}
    ball = np.linalg.norm(np.stack(np.meshgrid(*[np.arange(24) - 12.0] * 3, indexing="ij"), -1), axis=-1) < 8
    ball[8:12, 9:12] = 0
    image = ball[None, ..., None].astype("float32")
    layer = RandomMotion(movements=1)
    changes = [np.abs(numpy(layer.apply(image, f32(times=[[t]], **at))) - image).mean() for t in (0.52, 0.7, 0.9)]
    assert changes[0] > changes[1] > changes[2] > 0


def test_thick_slices_are_means_and_interpolated_between():
    line = np.array([3, 5, 2, 8, 0, 6], "float32")
    scale = np.random.default_rng(0).uniform(1, 2, (1, 4, 1, 5, 1)).astype("float32")
    volume = line[None, None, :, None, None] * scale
    draws = f32(thickness=[2]) | {"axis": np.array([1])}
    seen = numpy(RandomLowResolution().apply(volume, draws) / scale)[0, 2, :, 3, 0]
    # slices 4, 5, 3 with middles at 0.5, 2.5 and 4.5 voxels; beyond the outer middles they hold
    np.testing.assert_allclose(seen, [4, 4.25, 4.75, 4.5, 3.5, 3], atol=1e-5)


@pytest.mark.parametrize("thickness", [1.0, 1.7, 3.3])
def test_thick_slices_lose_high_frequencies_of_one_axis(thickness):
    draws = f32(thickness=[thickness] * 2) | {"axis": np.array([0, 2])}
    seen = numpy(RandomLowResolution().apply(VOLUMES, draws))
    if thickness == 1:
        np.testing.assert_allclose(seen, VOLUMES, atol=1e-6)
        return
    for number, axis in enumerate((0, 2)):
        before, after = (np.abs(np.fft.rfft(v[number, ..., 0], axis=axis)) ** 2 for v in (VOLUMES, seen))
        before, after = (np.moveaxis(power, axis, 0).sum(axis=(1, 2)) for power in (before, after))
        nyquist = round(len(before) / thickness)
        assert after[nyquist:].sum() < 0.4 * before[nyquist:].sum()
        assert after[0] > 0.8 * before[0]
