"""Sheets of volumes under their heat maps: what stands where, in millimetres, whatever the volume holds."""

import numpy as np
import pytest

from medtf.explain import pictures
from medtf.explain.runs import anatomy, montage


def head(shape=(40, 48, 36), below=6, above=4):
    """A bright ellipsoid in the dark, with `below` and `above` empty slices."""
    x, y, z = (np.linspace(-1, 1, n) for n in (shape[0], shape[1], shape[2] - below - above))
    inside = (x[:, None, None] ** 2 + y[:, None] ** 2 + z**2) < 0.9
    return np.pad(inside.astype(np.float32), ((0, 0), (0, 0), (below, above)))


def warm(sheet, cold):
    """Bool (height, width): where a sheet differs from that of a map of zeros."""
    return np.abs(sheet.astype(int) - cold).max(axis=-1) > 30


def test_slices_are_spread_over_what_holds_anatomy():
    levels = montage.levels(head(), 12)
    assert len(levels) == 12
    assert levels == sorted(levels)
    assert 6 <= levels[0] <= 9
    assert 28 <= levels[-1] <= 31
    assert max(np.diff(levels)) - min(np.diff(levels)) <= 1
    few = montage.levels(head((40, 48, 10), 2, 2), 12)  # six slices hold anything
    assert len(few) == len(set(few)) <= 6
    assert set(few) <= set(range(2, 8))
    assert montage.levels(np.zeros((8, 8, 20, 1)), 4) == [2, 7, 12, 17]  # constant: all of it


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 2.0, 5.0), (0.5, 2.0, 1.0)])
def test_planes_are_true_in_millimetres(spacing):
    """A cube of 20 mm is a square in each of the three planes."""
    shape = tuple(round(60 / mm) for mm in spacing)
    place = np.meshgrid(*[(np.arange(n) + 0.5) * mm - 30 for n, mm in zip(shape, spacing, strict=True)], indexing="ij")
    cube = np.all([np.abs(axis) < 10 for axis in place], axis=0).astype(np.float32)
    colours = np.repeat((255 * cube).astype(np.uint8)[..., None], 3, axis=-1)
    for name in montage.PLANES:
        picture = np.asarray(montage._cut(colours, name, shape[montage.PLANES[name][0]] // 2, spacing, 120))
        rows, columns = (np.flatnonzero((picture[..., 0] > 127).any(axis=axis)) for axis in (1, 0))
        for found in (rows, columns):
            assert (
                abs(len(found) - 40) <= 2 * max(spacing) * 2 + 1
            )  # 20 of 60 mm of 120 pixels, to within a voxel on each side


def test_the_patients_left_is_on_the_right():
    """Heat in the left of the head, which in RAS+ is where x is small, is drawn in the right half of each axial slice."""
    image, heat = head(), np.zeros(head().shape, np.float32)
    heat[8:12, 22:26, 6:32] = 1
    sheet, cold = (montage.montage(image, one, (1, 1, 1)) for one in (heat, 0 * heat))
    wide = round(40 * montage.TILE / 48) + montage.GAP
    above = warm(sheet, cold)[: montage.TILE]
    for number in range(montage.COLUMNS):
        tile = above[:, number * wide : (number + 1) * wide]
        columns = np.flatnonzero(tile.any(axis=0))
        assert len(columns)
        assert columns.min() > 0.6 * wide


def test_nothing_hot_and_nothing_shown_are_drawn_all_the_same():
    image = head()[..., None]
    image[:10] = np.nan
    cold = montage.montage(image, np.zeros(image.shape[:3]), (1, 1, 2))
    assert cold.dtype == np.uint8
    assert cold.shape[-1] == 3
    tiles = cold[: 2 * montage.TILE, : 6 * (40 * montage.TILE // 48)]
    assert (np.ptp(tiles.astype(int), axis=-1) > 0).mean() < 0.01  # grey, but for the letters
    assert montage.montage(np.full((9, 9, 9, 1), np.nan), np.zeros((9, 9, 9)), (1, 1, 1)).ndim == 3
    assert anatomy.shown(np.full((4, 4, 4), np.nan)).max() == 0


def test_the_bar_goes_from_cold_to_hot():
    hot = np.zeros((20, 20, 20), np.float32)
    hot[10, 10, 10] = 1
    sheet = montage.montage(head((20, 20, 20), 2, 2), hot, (1, 1, 1)).astype(int)
    ends = [
        np.round(255 * ((1 - a) * montage.GREY_OF_BAR + a * pictures.coloured(np.array([v]))))
        for v, a in ((1.0, pictures.ALPHA), (0.0, 0.0))
    ]
    columns = [np.abs(sheet - end[0]).max(axis=-1) <= 1 for end in ends]
    at = [np.argwhere(found) for found in columns]
    assert all(len(one) >= montage.BAR[0] for one in at)
    bar = {int(column) for column in at[0][:, 1]} & {int(column) for column in at[1][:, 1]}
    assert len(bar) >= montage.BAR[0]
    column = sorted(bar)[len(bar) // 2]
    rows = [int(np.median(one[one[:, 1] == column][:, 0])) for one in at]
    assert abs(rows[1] - rows[0] - montage.BAR[1]) < 5  # hot above, cold below; the ends are a few rows each


def test_pictures_are_the_size_they_are_asked_for():
    sheet = montage.montage(head((64, 80, 60)), np.ones((64, 80, 60), np.float32), (2.0, 2.0, 2.0))
    assert sheet.shape[0] >= 2 * montage.TILE + 0.7 * montage.PLANE
    assert 6 * 64 / 80 * montage.TILE < sheet.shape[1] < 1_300


@pytest.mark.parametrize("masked", [True, False])
def test_the_background_of_a_masked_volume_is_its_0_and_not_its_darkest(masked):
    """As `normalise: zscore` leaves a brain: ventricles below 0, white matter above, and 0 wherever the mask is not."""
    inside = head() > 0
    noise = np.random.default_rng(0).normal(0, 1, inside.shape)
    volume = np.where(inside, noise, 0) if masked else np.where(inside, 8 + noise, 0.2 * noise)
    found = anatomy.foreground(volume[..., None])
    assert (found == inside).mean() > 0.99
    grey = anatomy.shown(volume)
    assert grey[~inside].max() < (0.001 if masked else 0.2)
    assert grey[inside].std() > 0.1 * masked
    assert set(montage.levels(volume, 12)) == set(montage.levels(head(), 12))


def test_noise_in_whole_numbers_is_background_too():
    """Files of 8 bits: most of the air is 1, some of it 0, and neither is a mask."""
    inside = head() > 0
    volume = np.where(inside, 120, np.random.default_rng(0).choice([0, 1, 2], inside.shape, p=[0.3, 0.6, 0.1]))
    np.testing.assert_array_equal(anatomy.foreground(volume), inside)
    assert set(montage.levels(volume, 12)) == set(montage.levels(head(), 12))
