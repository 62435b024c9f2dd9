"""Mean maps: heads of different sizes at different places come to lie on each other; pictures as they are."""

import json

import nibabel
import numpy as np
import pytest
from PIL import Image

from medtf.explain.runs import mean_map
from medtf.explain.runs.mean_map import MeanMap


def person(shape, centre, size, hot, spacing=2.0):
    """A box of `size` mm about `centre` mm in a volume, and heat at `hot`, a place in shares of the box: (image, heat, inside)."""
    place = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) * spacing for n in shape], indexing="ij"), axis=-1)
    share = (place - centre) / size + 0.5
    inside = ((share > 0) & (share < 1)).all(axis=-1)
    heat = np.exp(-(((share - hot) / 0.08) ** 2).sum(axis=-1))
    return np.where(inside, 1.0, 0.0).astype(np.float32)[..., None], heat.astype(np.float32), inside


PEOPLE = [
    person((50, 60, 50), np.array([50, 60, 50]), np.array([60, 80, 64]), [0.3, 0.6, 0.7]),
    person((50, 60, 50), np.array([42, 52, 60]), np.array([48, 64, 56]), [0.3, 0.6, 0.7]),
    person((60, 70, 56), np.array([66, 80, 50]), np.array([72, 96, 72]), [0.3, 0.6, 0.7]),
]


@pytest.mark.parametrize("labelled", [True, False])
def test_the_same_place_of_different_heads_is_one_place(labelled):
    mean = MeanMap()
    for number, (image, heat, inside) in enumerate(PEOPLE):
        assert mean.add(image, heat, f"p{number}", spacing_mm=(2, 2, 2), inside=inside if labelled else None)
    alone = MeanMap()
    image, heat, inside = PEOPLE[0]
    alone.add(image, heat, "p0", spacing_mm=(2, 2, 2), inside=inside)
    assert mean.heat.shape == alone.heat.shape
    assert mean.heat.max() > 0.85 * alone.heat.max()  # one hot place, not three
    of = (np.argwhere(mean.heat == mean.heat.max())[0] + 0.5) / mean.heat.shape
    box = (of - mean_map.MARGIN / (1 + 2 * mean_map.MARGIN)) * (1 + 2 * mean_map.MARGIN)
    np.testing.assert_allclose(box, [0.3, 0.6, 0.7], atol=0.05)


def test_the_common_box_has_the_mean_persons_size(tmp_path):
    """60, 48 and 72 mm are 60; the middle 98 % of a box is 0.98 of it; a tenth of the box stands on each side."""
    mean = MeanMap()
    for number, (image, heat, inside) in enumerate(PEOPLE):
        mean.add(image, heat, f"p{number % 2}", spacing_mm=(2, 2, 2), inside=inside)
    told = mean.write(tmp_path, "all")
    assert (told["volumes"], told["people"]) == (3, 2)
    made = nibabel.load(tmp_path / told["files"]["nifti"])
    sides = np.array(made.shape) * made.header.get_zooms()
    np.testing.assert_allclose(sides, 1.2 * 0.98 * np.array([60, 80, 64]), atol=2.5)
    middle = made.affine @ [*(np.array(made.shape) - 1) / 2, 1]
    np.testing.assert_allclose(middle[:3], 0, atol=1e-4)  # the origin is the middle of the box
    assert nibabel.aff2axcodes(made.affine) == ("R", "A", "S")
    np.testing.assert_allclose(np.asarray(made.dataobj), mean.heat)
    assert Image.open(tmp_path / "mean_all.png").size[0] > 500
    assert "not registered" in told["words"]
    assert "labelled voxels" in told["words"]
    json.dumps(told)


def test_two_groups_keep_their_places_apart_and_what_was_not_shown_has_no_say():
    mean, (image, heat, inside) = MeanMap(), PEOPLE[0]
    unseen = image.copy()
    unseen[:, :, 25:] = np.nan  # the upper half, with its heat, was shown to the network of the first only
    mean.add(image, heat, "a", spacing_mm=(2, 2, 2), inside=inside)
    whole = mean.heat.copy()
    mean.add(unseen, np.where(np.isnan(unseen[..., 0]), 0, heat), "b", spacing_mm=(2, 2, 2), inside=inside)
    top = np.unravel_index(whole.argmax(), whole.shape)
    assert mean.heat[top] == pytest.approx(whole[top], rel=1e-3)  # not halved by who was not asked


def test_a_volume_without_foreground_is_left_out_and_told():
    mean, (image, heat, inside) = MeanMap(), PEOPLE[0]
    assert mean.add(image, heat, "a", spacing_mm=(2, 2, 2), inside=inside)
    assert not mean.add(np.zeros((9, 9, 9, 1)), np.ones((9, 9, 9)), "b", spacing_mm=(2, 2, 2))
    assert mean.count == 1
    assert "Left out for want of a foreground: 1." in mean.words()


def test_specks_of_noise_do_not_move_the_box():
    inside = PEOPLE[0][2].copy()
    box = mean_map.box_of(inside)
    inside[0, 0, 0] = inside[-1, -1, -1] = True
    noisy = mean_map.box_of(inside)
    np.testing.assert_allclose(noisy.low, box.low, atol=0.01)
    np.testing.assert_allclose(noisy.high, box.high, atol=0.01)
    one = np.zeros((5, 6, 7), bool)
    one[2, 3, 4] = True  # of one voxel the middle 98 %
    np.testing.assert_allclose(mean_map.box_of(one).low, [2.01, 3.01, 4.01])
    np.testing.assert_allclose(mean_map.box_of(one).high, [2.99, 3.99, 4.99])


def test_pictures_are_averaged_as_they_lie(tmp_path):
    generator = np.random.default_rng(0)
    images, heats = generator.random((5, 24, 20, 3)), generator.random((5, 24, 20)).astype(np.float32)
    mean = MeanMap()
    for number in range(5):
        mean.add(images[number], heats[number], f"p{number}")
    np.testing.assert_allclose(mean.heat, heats.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(mean.image, images.mean(axis=0), atol=1e-12)
    told = mean.write(tmp_path, "sex_M")
    assert told["pictures"] == 5
    assert set(told["files"]) == {"picture"}
    assert min(Image.open(tmp_path / "mean_sex_M.png").size) >= 256
    assert "nothing aligns" in told["words"]
    assert not list(tmp_path.glob(".*"))
