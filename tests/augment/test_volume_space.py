"""Flip, affine, elastic and cutout of volumes against SciPy, NumPy and a hand."""

import keras
import numpy as np
import pytest
from layers import numpy
from scipy import ndimage
from scipy.interpolate import BSpline
from scipy.spatial.transform import Rotation

from medtf.augment.volume.affine import RandomAffine3D
from medtf.augment.volume.cutout import RandomCutout
from medtf.augment.volume.elastic import RandomElastic, splines
from medtf.augment.volume.flip import RandomFlip3D

VOLUMES = np.random.default_rng(0).normal(size=(3, 9, 11, 10, 2)).astype("float32")
MASKS = np.random.default_rng(1).integers(0, 4, (3, 9, 11, 10, 1)).astype("int32")


def affine_draws(count=3, angles=(0, 0, 0), zoom=1.0, shift=(0, 0, 0)):
    rows = {"angles": np.radians(angles), "zoom": np.float64(zoom), "shift": np.asarray(shift, float)}
    return {name: np.repeat(value[None], count, axis=0).astype("float32") for name, value in rows.items()}


def affine(volumes, **draws):
    return numpy(RandomAffine3D(10).apply(volumes, affine_draws(len(volumes), **draws)))


def test_the_flip_is_left_to_right_unless_told():
    draws = {"flip": np.array([True, False, True])}
    flipped = numpy(RandomFlip3D().apply(VOLUMES, draws))
    np.testing.assert_array_equal(flipped[0], VOLUMES[0, ::-1])  # the first spatial axis of RAS+
    np.testing.assert_array_equal(flipped[1], VOLUMES[1])
    np.testing.assert_array_equal(numpy(RandomFlip3D().apply(flipped, draws)), VOLUMES)
    np.testing.assert_array_equal(numpy(RandomFlip3D().apply_mask(MASKS, draws))[2], MASKS[2, ::-1])
    np.testing.assert_array_equal(numpy(RandomFlip3D(axis=3).apply(VOLUMES, draws))[0], VOLUMES[0, :, :, ::-1])
    with pytest.raises(ValueError, match="`axis`: expected 1"):
        RandomFlip3D(axis=4)


@pytest.mark.parametrize(
    "draws",
    [
        {"angles": (25, 0, 0)},
        {"angles": (0, -40, 0), "zoom": 0.8},
        {"angles": (10, 20, -30), "zoom": 1.25, "shift": (0.1, -0.2, 0.05)},
        {"angles": (180, 80, 70), "shift": (0.0, 0.7, 0)},
    ],
)
def test_affine_is_scipys(draws):
    moved = affine(VOLUMES, **draws)
    picked = numpy(RandomAffine3D(10).apply_mask(MASKS, affine_draws(**draws)))
    sides = np.array(VOLUMES.shape[1:4])
    turn = Rotation.from_euler("xyz", draws["angles"], degrees=True).as_matrix()  # about fixed axes, in this order
    matrix = turn.T / draws.get("zoom", 1.0)  # from an output voxel to its source
    middle = (sides - 1) / 2
    offset = middle - matrix @ (middle + np.array(draws.get("shift", (0, 0, 0))) * sides)
    for number, volume in enumerate(VOLUMES):
        for channel in range(2):
            one = volume[..., channel]
            expected = ndimage.affine_transform(
                one, matrix, offset, order=1, mode="grid-constant", cval=float(one.min())
            )
            np.testing.assert_allclose(moved[number, ..., channel], expected, atol=2e-4)
        expected = ndimage.affine_transform(MASKS[number, ..., 0], matrix, offset, order=0, mode="grid-constant")
        assert (picked[number, ..., 0] == expected).mean() > 0.995  # a tie may go either way


def test_still_affine_is_the_identity():
    np.testing.assert_allclose(affine(VOLUMES), VOLUMES, atol=1e-6)
    np.testing.assert_array_equal(numpy(RandomAffine3D(10).apply_mask(MASKS, affine_draws())), MASKS)


def test_a_turn_about_the_left_right_axis_nods():
    """Right-handed: what lies in front (+ height) goes up (+ width)."""
    volume = np.zeros((1, 9, 9, 9, 1), "float32")
    volume[0, 4, 7, 4] = 1
    turned = affine(volume, angles=(90, 0, 0))
    assert np.unravel_index(turned.argmax(), turned.shape)[1:4] == (4, 4, 7)
    assert turned.max() == pytest.approx(1, abs=1e-5)


def test_a_shift_is_to_the_right_front_and_top_and_brings_background():
    moved = affine(VOLUMES, shift=(2 / 9, 0, -3 / 10))
    np.testing.assert_allclose(moved[:, 2:, :, :-3], VOLUMES[:, :-2, :, 3:], atol=1e-5)
    lowest = VOLUMES.min(axis=(1, 2, 3))[:, None, None, None]
    np.testing.assert_allclose(moved[:, :2], np.broadcast_to(lowest, moved[:, :2].shape), atol=1e-5)


def test_what_comes_in_under_a_mask_is_what_lies_outside_it():
    masked = np.zeros((2, 9, 9, 9, 1), "float32")
    masked[:, 3:6, 3:6, 3:6] = VOLUMES[:2, :3, :3, :3, :1] - 3  # all below the 0 of outside
    moved = affine(masked, angles=(30, 20, 10), shift=(0.2, 0.1, 0))
    assert moved.max() == 0
    assert (moved == 0).mean() > 0.8
    assert moved.min() < -2


def test_affine_draws_cover_their_ranges():
    draws = RandomAffine3D(rotate=30, zoom=0.2, translate=0.1, seed=0).draw((3000, 9, 9, 9, 1))
    bounds = {"angles": (-np.pi / 6, np.pi / 6), "zoom": (0.8, 1.2), "shift": (-0.1, 0.1)}
    for name, (low, high) in bounds.items():
        values = numpy(draws[name])
        assert low <= values.min() < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < values.max() <= high
    joined = np.concatenate([numpy(draws["angles"]), numpy(draws["zoom"])[:, None], numpy(draws["shift"])], axis=1)
    assert np.abs(np.corrcoef(joined.T) - np.eye(7)).max() < 0.08


def test_splines_are_the_cubic_ones_of_scipy():
    side, points = 20, 7
    place = (np.arange(side) + 0.5) / side * 4
    knots = np.arange(-3, points + 1)  # point p has its middle at p - 1, in cells
    expected = BSpline.design_matrix(place, knots, 3).toarray()
    np.testing.assert_allclose(numpy(splines(side, points)), expected, atol=1e-6)
    np.testing.assert_allclose(expected.sum(axis=1), 1)


def test_no_voxel_moves_farther_than_the_control_points():
    layer = RandomElastic(2.0, seed=0)
    draws = layer.draw((4, 24, 30, 28, 1))
    control = numpy(draws["control"])
    assert 1.8 < np.abs(control).max() <= 2
    assert not control[:, :, :2].any()  # two layers at each end stay
    assert not control[:, :, :, :, -2:].any()
    places = np.meshgrid(*(np.arange(side) for side in (24, 30, 28)), indexing="ij")
    for axis, points in enumerate(layer.sources((4, 24, 30, 28, 1), draws)):
        displacement = numpy(points) - places[axis]
        assert 0.2 < np.abs(displacement).max() <= np.abs(control[:, axis]).max()
        edge = 0.22 * np.abs(control[:, axis]).max()  # the spline of the first free point, half a voxel from the edge
        assert np.abs(displacement[:, 0]).max() <= edge


def test_control_points_that_move_alike_shift_the_volume():
    control = np.zeros((3, 3, 7, 7, 7), "float32")
    control[:, 1] = 2.0  # sources two voxels to the front
    moved = numpy(RandomElastic(2.0).apply(VOLUMES, {"control": control}))
    np.testing.assert_allclose(moved[:, :, :-2], VOLUMES[:, :, 2:], atol=1e-4)
    picked = numpy(RandomElastic(2.0).apply_mask(MASKS, {"control": control}))
    np.testing.assert_array_equal(picked[:, :, :-2], MASKS[:, :, 2:])
    still = RandomElastic(2.0).apply(VOLUMES, {"control": 0 * control})
    np.testing.assert_allclose(numpy(still), VOLUMES, atol=1e-6)


@pytest.mark.parametrize("layer", [RandomAffine3D(20, 0.1, 0.1, seed=0), RandomElastic(6.0, seed=0)])
def test_a_mask_follows_its_image(layer):
    """A ball in the image and the same ball as mask end up in one place."""
    place = np.stack(np.meshgrid(*[np.arange(32)] * 3, indexing="ij"), -1)
    ball = (np.linalg.norm(place - [12, 17, 18], axis=-1) < 8)[None, ..., None]
    draws = layer.draw((1, 32, 32, 32, 1))
    image = numpy(layer.apply(ball.astype("float32"), draws))
    mask = numpy(layer.apply_mask(ball, draws))
    assert mask.dtype == bool
    assert ((image > 0.5) == mask).mean() > 0.995
    assert (mask != ball).mean() > 0.005  # it did move


def test_a_displacement_that_can_fold_is_told():
    with pytest.warns(
        UserWarning, match="displacement of 5 voxels can fold a volume of 16 voxels; it cannot up to 1.6"
    ):
        RandomElastic(5.0)(keras.Input((32, 16, 32, 1)))
    with pytest.raises(ValueError, match="`points`: expected at least 5"):
        RandomElastic(points=4)


def test_cutout_fills_one_box_with_background():
    draws = {
        "chosen": np.array([True, False, True]),
        "start": np.array([[0, 0.2, 0.5], [0, 0, 0], [0.7, 0.7, 0.7]], "float32"),
        "size": np.array([[0.5, 0.4, 0.3], [0.4, 0.4, 0.4], [0.3, 0.3, 0.3]], "float32"),
    }
    volumes = VOLUMES[:, :, :10]
    erased = numpy(RandomCutout().apply(volumes, draws))
    expected, lowest = volumes.copy(), volumes.min(axis=(1, 2, 3))
    expected[0, 0:4, 2:6, 5:8] = lowest[0]  # of 9 voxels the middles 0.5 ... 3.5 lie under a half
    expected[2, 6:, 7:, 7:] = lowest[2]
    np.testing.assert_array_equal(erased, expected)


def test_boxes_lie_within_and_have_their_sizes():
    draws = {name: numpy(value) for name, value in RandomCutout(0.4, seed=0).draw((3000, 1, 1, 1, 1)).items()}
    assert draws["chosen"].mean() == pytest.approx(0.4, abs=0.04)
    assert 0.15 <= draws["size"].min() < 0.152
    assert 0.448 < draws["size"].max() <= 0.4501
    assert draws["start"].min() >= 0
    assert (draws["start"] + draws["size"]).max() <= 1.0001
