"""One heat map against one annotation: numbers worked out by hand, scikit-learn's where it has them, and what must not matter."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from medtf.explain.evidence.measures import CHANCE, NAMES, OF_A_CONSTANT_MAP, chance, curve, measures
from medtf.explain.evidence.ranked import Ranked

HEAT = np.array([[1.0, 0.8, 0.1], [0.6, 0.4, 0.0], [0.0, 0.0, 0.0]], np.float32)
MASK = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], bool)


def near(value):
    return pytest.approx(value, abs=1e-6)  # the map is float32


def random(seed, shape=(8, 9), levels=None, share=0.25):
    rng = np.random.default_rng(seed)
    heat = rng.random(shape) if levels is None else rng.integers(0, levels, shape) / (levels - 1)
    return heat.astype(np.float32), rng.random(shape) < share


def test_every_number_by_hand():
    found = measures(HEAT, MASK)
    assert found["pointing"] == 1
    # the three hottest are 1.0, 0.8 and 0.6, and two of them are annotated
    assert found["dice"] == near(2 / 3)
    assert found["rank"] == near(2 / 3)
    assert found["iou"] == near(2 / 4)
    assert found["average_precision"] == near((1 / 1 + 2 / 2 + 3 / 4) / 3)
    assert found["mass"] == near(2.2 / 2.9)
    assert found["area"] == near(1 / 3)
    assert found["mass_over_area"] == near(3 * 2.2 / 2.9)
    # 0.1: 5 pixels, 3 inside; 0.2 to 0.4: 4, 3; 0.5 and 0.6: 3, 2; 0.7 and 0.8: 2, 2; 0.9: 1, 1
    assert found["iou_mean"] == near((3 / 5 + 3 * 3 / 4 + 2 * 2 / 4 + 2 * 2 / 3 + 1 / 3) / 9)
    assert found["dice_mean"] == near((6 / 8 + 3 * 6 / 7 + 2 * 4 / 6 + 2 * 4 / 5 + 2 / 4) / 9)
    assert found["empty_map"] == 0


def test_the_curve_is_what_the_means_are_of():
    found, plotted = measures(HEAT, MASK), curve(HEAT, MASK)
    np.testing.assert_allclose(plotted["threshold"], np.arange(1, 10) / 10, atol=1e-7)
    np.testing.assert_allclose(plotted["iou"], [3 / 5, *[3 / 4] * 3, *[1 / 2] * 2, *[2 / 3] * 2, 1 / 3])
    assert found["iou_mean"] == near(plotted["iou"].mean())
    assert found["dice_mean"] == near(plotted["dice"].mean())
    at_most = curve(HEAT * 0.5, MASK, [0.0, 0.9])
    np.testing.assert_allclose(at_most["iou"], [3 / 9, 0])  # everything is called, and nothing


def test_ties_at_the_cut_are_broken_in_every_way_there_is():
    # 1 for sure; one more out of three equal ones, of which one is annotated
    heat = np.array([[1, 0.5, 0.5], [0.5, 0, 0], [0, 0, 0]], np.float32)
    mask = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
    found = measures(heat, mask)
    assert found["dice"] == near((1 / 3) * 1 + (2 / 3) * (1 / 2))
    assert found["iou"] == near((1 / 3) * 1 + (2 / 3) * (1 / 3))
    # two of four equal ones: none, one or both annotated in 1, 4 and 1 of 6 ways
    found = measures(np.ones((2, 2), np.float32), np.array([[1, 1], [0, 0]], bool))
    assert found["iou"] == near((1 * 0 + 4 * (1 / 3) + 1 * 1) / 6)
    assert found["dice"] == near(1 / 2)
    assert found["pointing"] == near(1 / 2)


@pytest.mark.parametrize("seed", range(6))
def test_ties_agree_with_counting_every_choice(seed):
    heat, mask = random(seed, (3, 4), levels=3, share=0.4)
    mask[0, 0] = True
    flat, inside = heat.ravel(), set(np.flatnonzero(mask))
    hottest_first = np.sort(flat)[::-1]
    cut = hottest_first[len(inside) - 1]
    sure, tied = set(np.flatnonzero(flat > cut)), np.flatnonzero(flat == cut)
    chosen = [sure | set(more) for more in combinations(tied, len(inside) - len(sure))]
    iou = np.mean([len(c & inside) / len(c | inside) for c in chosen])
    dice = np.mean([len(c & inside) / len(inside) for c in chosen])
    found = measures(heat, mask)
    assert found["iou"] == near(iou)
    assert found["dice"] == near(dice)


def test_the_sum_over_ways_is_right_for_large_sets_too():
    """A constant map of 60,000 pixels, a third annotated: the overlap hardly varies, so IoU is that of the expected overlap."""
    mask = np.zeros((300, 200), bool)
    mask[:100] = True
    found = measures(np.full(mask.shape, 0.3, np.float32), mask)
    assert found["iou"] == pytest.approx((1 / 3) / (2 - 1 / 3), rel=1e-4)


@pytest.mark.parametrize("levels", [None, 2, 4, 30])
@pytest.mark.parametrize("shape", [(8, 9), (5, 6, 7)])
def test_average_precision_is_scikit_learns(levels, shape):
    heat, mask = random(1, shape, levels)
    assert measures(heat, mask)["average_precision"] == near(average_precision_score(mask.ravel(), heat.ravel()))
    brain = np.random.default_rng(2).random(shape) < 0.6
    within = average_precision_score(mask[brain], heat[brain])
    assert measures(heat, mask, brain=brain)["average_precision"] == near(within)


def test_only_the_brain_counts():
    heat, mask = random(3)
    brain = np.zeros(heat.shape, bool)
    brain[:, :5] = True
    cut = measures(np.ascontiguousarray(heat[:, :5]), mask[:, :5])
    assert measures(heat, mask, brain=brain) == pytest.approx(cut)
    changed = np.where(brain, heat, heat[brain].max())  # as hot as the hottest, but outside
    assert measures(changed, mask, brain=brain, spacing=(1, 1)) == measures(heat, mask, brain=brain, spacing=(1, 1))
    outside = np.where(brain, heat, 1).astype(np.float32)  # hotter
    assert measures(outside, mask, brain=brain) == measures(heat, mask, brain=brain)


@pytest.mark.parametrize("levels", [None, 5])
def test_a_monotone_change_keeps_what_depends_on_the_order(levels):
    heat, mask = random(4, levels=levels)
    bent = (heat**3 / 2).astype(np.float32)
    before, after = measures(heat, mask), measures(bent, mask)
    for name in ("pointing", "rank", "dice", "iou", "average_precision"):
        assert after[name] == near(before[name]), name
    assert after["mass"] != near(before["mass"])


def test_turning_both_over_keeps_everything():
    heat, mask = random(5, (6, 7, 8), levels=9)
    spacing = (1.0, 2.0, 0.5)
    before = measures(heat, mask, spacing=spacing)
    assert measures(heat[::-1, :, ::-1], mask[::-1, :, ::-1], spacing=spacing) == pytest.approx(before, abs=1e-6)
    turned = measures(heat.transpose(2, 0, 1), mask.transpose(2, 0, 1), spacing=(0.5, 1.0, 2.0))
    assert turned == pytest.approx(before, abs=1e-6)


def test_a_perfect_map_is_1_everywhere():
    _, mask = random(6)
    found = measures(mask.astype(np.float32), mask, spacing=(1, 1))
    for name in ("pointing", "iou", "dice", "iou_mean", "dice_mean", "average_precision", "mass", "rank"):
        assert found[name] == near(1), name
    assert found["mass_over_area"] == near(1 / mask.mean())
    assert found["distance"] == 0
    wrong = measures((~mask).astype(np.float32), mask)
    for name in ("pointing", "iou", "dice", "iou_mean", "mass", "rank"):
        assert wrong[name] == 0, name


def test_an_empty_map_is_told_and_judged_as_a_constant_one():
    _, mask = random(7)
    empty, constant = (measures(np.full(mask.shape, v, np.float32), mask) for v in (0, 1))
    assert empty.pop("empty_map") == 1
    assert constant.pop("empty_map") == 0
    assert empty == constant
    for name in ("pointing", "dice", "average_precision", "mass", "rank"):
        assert empty[name] == near(mask.mean()), name


def test_chance_is_the_mean_over_every_place_the_annotation_could_have():
    heat, mask = random(8, (4, 5), levels=6)
    placed = [measures(heat, np.roll(mask, (i, j), (0, 1))) for i in range(4) for j in range(5)]
    for name in set(CHANCE) - set(OF_A_CONSTANT_MAP):
        assert np.mean([one[name] for one in placed]) == near(float(chance(name, mask.mean()))), name
    for name in OF_A_CONSTANT_MAP:  # the least there can be
        assert np.mean([one[name] for one in placed]) > chance(name, mask.mean()), name
    assert chance("iou_mean", 0.1) is None


def test_distance_in_millimetres():
    heat, mask = np.zeros((5, 5), np.float32), np.zeros((5, 5), bool)
    heat[0, 0], mask[3, 4], mask[4, 4] = 1, True, True
    assert measures(heat, mask, spacing=(2.0, 0.5))["distance"] == near(np.hypot(3 * 2, 4 * 0.5))
    heat[4, 4] = 1  # equally hot, and inside
    assert measures(heat, mask, spacing=(2.0, 0.5))["distance"] == near(np.hypot(3 * 2, 4 * 0.5) / 2)
    assert "distance" not in measures(heat, mask)


def test_distance_of_many_tied_pixels_is_that_of_few():
    """Above 64 tied pixels it is read from one map of distances instead."""
    mask = np.zeros((12, 12), bool)
    mask[5, 3:5] = True
    by_hand = [min(np.hypot((i - 5) * 3, j - k) for k in (3, 4)) for i in range(12) for j in range(12)]
    assert measures(np.ones((12, 12), np.float32), mask, spacing=(3, 1))["distance"] == near(np.mean(by_hand))


def test_every_measure_has_a_name_a_reader_understands():
    found = measures(HEAT, MASK, spacing=(1, 1))
    assert list(found) == list(NAMES)
    assert all(isinstance(value, float) for value in found.values())
    for label, more, meaning, _ in NAMES.values():
        assert label
        assert meaning.endswith(".")
        assert more in (True, False, None)


def test_many_annotations_at_once_are_each_by_itself():
    heat, _ = random(9, (10, 10), levels=7)
    masks = [random(seed, (10, 10))[1] for seed in range(20, 40)]  # together more pixels than the map has
    positions = [np.flatnonzero(mask) for mask in masks]
    together = Ranked(heat).against(np.concatenate(positions), [len(p) for p in positions])
    for i, mask in enumerate(masks):
        alone = measures(heat, mask)
        assert {name: values[i] for name, values in together.items()} == pytest.approx(
            {name: alone[name] for name in together}
        )


def test_an_annotation_outside_the_brain_is_no_number_among_others():
    brain = np.ones((3, 3), bool)
    brain[2, 2] = False
    found = Ranked(HEAT, brain).against(np.array([8, 0, 8]), [1, 2])
    for name, values in found.items():
        assert np.isnan(values[0]), name
        assert values[1] == near(measures(HEAT, np.arange(9).reshape(3, 3) == 0, brain=brain)[name]), name


@pytest.mark.parametrize(
    ("heat", "mask", "more", "said"),
    [
        (HEAT, MASK[:2], {}, r"heat map is \(3, 3\), the annotation \(2, 3\): expected equal shapes"),
        (HEAT, MASK & False, {}, "the annotation is empty"),
        (HEAT, MASK.astype(np.uint8), {}, "the annotation is uint8: expected bool"),
        (HEAT * 2, MASK, {}, r"not in \[0, 1\]: divide it by its maximum"),
        (HEAT - 0.1, MASK, {}, r"not in \[0, 1\]"),
        (HEAT * np.nan, MASK, {}, r"not in \[0, 1\]"),
        (HEAT, MASK, {"brain": ~MASK}, "lies outside the brain"),
        (HEAT, MASK, {"brain": MASK[:2]}, r"the brain \(2, 3\): expected equal shapes"),
        (HEAT, MASK, {"spacing": (1, 1, 1)}, "expected one for each of 2 axes"),
    ],
)
def test_what_cannot_be_judged_says_why(heat, mask, more, said):
    with pytest.raises(ValueError, match=said):
        measures(heat, mask, **more)
