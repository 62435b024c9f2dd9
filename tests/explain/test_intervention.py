"""Regions taken out of pictures: toy networks whose weights are known say what must come out."""

import numpy as np
import pandas as pd
import pytest

from medtf.errors import AskedWronglyError
from medtf.explain.intervention import regions, words
from medtf.explain.intervention.change import HOW, changed
from medtf.explain.intervention.curves import curves
from medtf.explain.intervention.effect import adjusted, effects, summarised

RNG = np.random.default_rng(0)


def square(shape, at, side=4) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(first, first + side) for first in at)] = True
    return mask


@pytest.mark.parametrize("shape", [(24, 20, 3), (12, 14, 10, 1)])
@pytest.mark.parametrize("how", HOW)
def test_nothing_outside_the_region_changes(shape, how):
    image = RNG.random(shape, np.float32)
    mask = square(shape[:-1], [4] * (len(shape) - 1))
    made = changed(image, mask, how, donor=RNG.random(shape, np.float32))
    assert made.dtype == np.float32
    assert np.array_equal(made[~mask], image[~mask])
    assert (made[mask] != image[mask]).mean() > 0.5


@pytest.mark.parametrize("how", ["erase", "blur", "inpaint"])
def test_a_region_like_its_surroundings_stays_so(how):
    image = np.full((16, 16, 2), 0.25, np.float32)
    np.testing.assert_allclose(changed(image, square((16, 16), (5, 5)), how), image, atol=1e-6)


def test_erasing_puts_in_the_mean_of_the_ring():
    image = np.zeros((20, 20, 1), np.float32)
    image[:, 10:] = 1
    mask = square((20, 20), (8, 8))  # columns 8 to 11: the ring lies on both sides alike
    made = changed(image, mask, "erase")[mask]
    np.testing.assert_allclose(made, 0.5, atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 18), (10, 10, 10)])
def test_a_slope_is_inpainted_as_itself(shape):
    """A plane is harmonic: Laplace's equation has it for its own solution."""
    slope = sum((i + 1) * axis for i, axis in enumerate(np.indices(shape, np.float32)))[..., None]
    mask = square(shape, [3] * len(shape))
    hole = np.where(mask[..., None], 99, slope).astype(np.float32)
    np.testing.assert_allclose(changed(hole, mask, "inpaint"), slope, rtol=1e-3)


def test_a_transplant_is_the_donor_inside_and_fades_at_the_edge():
    image, donor = np.zeros((20, 20, 1), np.float32), np.ones((20, 20, 1), np.float32)
    made = changed(image, square((20, 20), (5, 5), 9), "transplant", donor=donor)[..., 0]
    assert made[9, 9] == 1
    assert made[5, 9] == 0.5  # one pixel from outside, of a seam of two


def test_what_cannot_be_changed():
    image = np.zeros((8, 8, 1), np.float32)
    with pytest.raises(AskedWronglyError, match="--how eraze: did you mean 'erase'"):
        changed(image, square((8, 8), (2, 2)), "eraze")
    with pytest.raises(AskedWronglyError, match="needs a picture of another person"):
        changed(image, square((8, 8), (2, 2)), "transplant")
    with pytest.raises(ValueError, match="neither empty nor the whole picture"):
        changed(image, np.zeros((8, 8), bool), "erase")


# === Regions to compare with ===


@pytest.mark.parametrize("shape", [(40, 32), (14, 16, 12)])
def test_controls_have_the_annotations_shape_and_never_touch_it(shape):
    mask = square(shape, [2] * len(shape))
    mask[tuple([2] * len(shape))] = False  # not its own mirror image
    inside = np.zeros(shape, bool)
    inside[2:-2, 2:-2] = True
    found = regions.elsewhere(mask, 8, seed=3, inside=inside)
    assert len(found) == 8
    assert all(one.sum() == mask.sum() for one in found)
    assert not any((one & mask).any() for one in found)
    assert all((one & ~inside).sum() <= 0.05 * mask.sum() + 0.5 for one in found)
    assert all(
        np.array_equal(a, b) for a, b in zip(found, regions.elsewhere(mask, 8, seed=3, inside=inside), strict=True)
    )
    other = regions.elsewhere(mask, 8, seed=4, inside=inside)
    assert not all(np.array_equal(a, b) for a, b in zip(found, other, strict=True))


def test_controls_are_as_bright_as_the_annotation():
    image = np.zeros((40, 40, 1), np.float32)
    image[:, 20:] = 1
    mask = square((40, 40), (5, 30))
    assert all(image[..., 0][one].mean() == 1 for one in regions.elsewhere(mask, 4, seed=0, image=image))


def test_no_room_is_no_control():
    assert regions.elsewhere(square((10, 10), (1, 1), 8), 4, seed=0) == []
    assert regions.hottest(np.ones((10, 10)), square((10, 10), (1, 1), 8)) is None


def test_the_hottest_place_outside_the_annotation():
    heat = np.zeros((20, 20))
    heat[2:6, 2:6], heat[12:16, 10:14] = 1.0, 0.5  # the annotation itself is hotter, and does not count
    found = regions.hottest(heat, square((20, 20), (2, 2)))
    assert np.array_equal(found, square((20, 20), (12, 10)))
    assert regions.hottest(np.zeros((20, 20)), square((20, 20), (2, 2))) is None


def test_the_body_is_told_from_the_air():
    image = np.zeros((32, 32, 1), np.float32)
    image[8:24, 8:24] = 0.6
    image[14:16, 14:16] = 0.0  # a hole in the body is body
    assert np.array_equal(regions.foreground(image), square((32, 32), (8, 8), 16))
    assert regions.foreground(np.zeros((8, 8, 1), np.float32)).all()


# === Effects ===


def test_a_network_that_reads_one_region():
    """The score is twice the sum of a square of ones on zeros: erased, it loses 2 x 16; elsewhere, nothing."""
    mask = square((32, 32), (6, 8))
    image = mask[..., None].astype(np.float32)
    found = effects(lambda x: 2 * x[:, mask].sum(axis=(1, 2)), image, mask, mask.astype(float), controls=5)
    assert (found["score"], found["annotated"], found["elsewhere"], found["controls"]) == (32, 32, 0, 5)
    assert np.isnan(found["hottest"])  # the map is cold outside the annotation


def test_a_network_that_reads_a_mark_in_the_corner_is_exposed():
    people = []
    for number in range(24):
        image = 0.5 + 0.1 * np.random.default_rng(number).random((32, 32, 1), np.float32)
        mark, lesion = square((32, 32), (1, 1)), square((32, 32), (16 + number % 6, 14))
        image[mark], image[lesion] = 0.9, 0.8
        found = effects(
            lambda x, mark=mark: x[:, mark].sum(axis=(1, 2)), image, lesion, mark.astype(float), seed=number
        )
        people.append(found | {"row": number, "patient": f"p{number}"})
    found = summarised(pd.DataFrame(people), replicates=500)
    assert abs(found["annotated"]["value"]) < 1e-5
    assert found["hottest"]["value"] > 4  # 16 pixels from 0.9 to about 0.55
    assert found["hottest_more"]["p"] < 0.01
    assert found["hottest_more"]["low"] > 0
    said = words.of_effects("erase", found)
    assert "the answer hangs on something else" in said
    assert "the marked region counts for more" not in said


def test_patients_weigh_alike_and_equal_effects_have_no_difference():
    frame = pd.DataFrame(
        {"patient": list("aaab"), "annotated": [1.0, 1, 1, 5], "elsewhere": [1.0, 1, 1, 5], "hottest": np.nan}
    )
    found = summarised(frame, replicates=200)
    assert found["annotated"]["value"] == 3  # (1 + 5) / 2, not (1 + 1 + 1 + 5) / 4
    assert found["annotated_more"]["value"] == 0
    assert found["annotated_more"]["p"] == 1
    assert found["hottest"] == {"value": None, "reason": "no case has it", "n": 0, "patients": 0}
    assert "no difference can be told (p = 1.000)" in words.of_effects("blur", found)


def test_what_is_raised_is_not_called_lowered():
    assert (
        words.moves({"value": 0.5, "low": 0.25, "high": 0.75}, "the logit", interval=True)
        == "lowers the logit by 0.500 (0.250 to 0.750)"
    )
    assert (
        words.moves({"value": -0.5, "low": -0.75, "high": -0.25}, interval=True)
        == "raises it by 0.500 (0.250 to 0.750)"
    )


def test_a_place_that_raises_the_answer_is_not_what_it_hangs_on():
    """Beyond what was marked, and yet below 0: its change makes the answer surer."""
    more = {"value": 1.0, "low": 0.5, "high": 1.5, "p": 0.001, "n": 9, "patients": 9}
    below = {"value": -0.3, "low": -0.5, "high": -0.1}
    found = {"annotated": below | {"value": -1.3, "low": -1.6, "high": -1.0}, "elsewhere": below, "hottest": below}
    said = words.of_effects("erase", found | {"annotated_more": more | {"value": -1.0}, "hottest_more": more})
    assert "hangs on something else" not in said
    assert "raises the logit by 1.30" in said


def test_controls_of_volumes_are_mirrored_left_to_right():
    mask = np.zeros((16, 6, 6), bool)
    mask[0:4, 0:4, 0:4] = True
    mask[2:4, 2:4, :] = False
    found = regions.elsewhere(mask, 40, seed=0)
    shapes = {one[tuple(slice(a.min(), a.max() + 1) for a in np.nonzero(one))].tobytes() for one in found}
    crop = mask[0:4, 0:4, 0:4]
    assert shapes <= {crop.tobytes(), crop[::-1].tobytes()}
    assert len(shapes) == 2


def test_several_ways_are_adjusted_by_holm():
    several = [{"annotated_more": {"p": p}, "hottest_more": {}} for p in (0.01, 0.04, 0.03)]
    adjusted(several)
    assert [one["annotated_more"]["p_holm"] for one in several] == pytest.approx([0.03, 0.06, 0.06])


# === Deletion and insertion ===


def test_deletion_and_insertion_of_a_known_order():
    """The score is the mean of a picture of 4 x 4 ones. Black: what is left of it falls along the diagonal, whatever the order: areas of 1/2."""
    found = curves(
        lambda x: x.mean(axis=(1, 2, 3)), np.ones((4, 4, 1), np.float32), RNG.random((4, 4)), steps=4, to="black"
    )
    assert found["shares"] == [0, 0.25, 0.5, 0.75, 1]
    assert found["deletion"] == [1, 0.75, 0.5, 0.25, 0]
    assert found["insertion"] == [0, 0.25, 0.5, 0.75, 1]
    assert found["deletion_area"] == found["insertion_area"] == 0.5


@pytest.mark.parametrize("shape", [(16, 16), (8, 8, 8)])
def test_a_map_of_what_is_read_beats_its_reverse_and_chance(shape):
    mask = square(shape, [2] * len(shape))
    image = mask[..., None].astype(np.float32)
    found = curves(lambda x: x[:, mask].mean(axis=(1, 2)), image, mask + 0.1 * RNG.random(shape), to="black")
    assert found["deletion_area"] < found["deletion_random_area"] < found["deletion_reversed_area"]
    assert found["insertion_area"] > found["insertion_random_area"] > found["insertion_reversed_area"]
