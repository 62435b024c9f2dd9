"""Other people's annotations and shifted ones: what may be drawn, and whether p keeps what it promises."""

import time

import numpy as np
import pytest
from scipy import ndimage

from medtf.explain.evidence.moving import onto, shifted
from medtf.explain.evidence.null import (
    DRAWN,
    ONE_PATIENT,
    Case,
    derangements,
    elsewhere,
    others,
    p_value,
    rearrangements,
)


def square(at, size=4, shape=(16, 16)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, a + size) for a in at)] = True
    return mask


def blurred(rng, shape=(16, 16)):
    """A smooth map, as networks make them, that knows nothing."""
    heat = ndimage.zoom(rng.random([n // 4 for n in shape]), 4, order=1)
    return np.clip(heat / heat.max(), 0, 1).astype(np.float32)


def random_cases(rng, n, *, knows, shape=(16, 16)):
    cases = []
    for i in range(n):
        mask = square(rng.integers(0, np.array(shape) - 5), shape=shape)
        cases.append(Case(mask.astype(np.float32) if knows else blurred(rng, shape), mask, i))
    return cases


def test_p_counts_the_observed_one_as_a_draw():
    assert p_value(3.0, np.array([1.0, 2.0, 3.0, 4.0])) == 3 / 5
    assert p_value(5.0, np.arange(4)) == 1 / 5
    assert p_value(0.1 + 0.2, np.array([0.3])) == 1  # equal but for rounding


def test_what_is_undefined_never_makes_p_smaller():
    assert p_value(5.0, np.array([np.nan, 1.0])) == 2 / 3
    assert p_value(np.nan, np.arange(4)) == 1


def test_few_patients_are_rearranged_in_every_way_once():
    rng = np.random.default_rng(0)
    for n, all_ways, none_kept in ((2, 2, 1), (3, 6, 2), (4, 24, 9), (5, 120, 44), (6, 720, 265)):
        assert len(np.unique(rearrangements(n, 999, rng), axis=0)) == all_ways - 1
        apart = derangements(n, 999, rng)
        assert len(np.unique(apart, axis=0)) == len(apart) == none_kept
        assert (apart != np.arange(n)).all()


def test_many_patients_are_drawn_evenly():
    rng = np.random.default_rng(0)
    orders = derangements(8, 7000, rng)
    assert orders.shape == (7000, 8)
    assert (np.sort(orders, axis=1) == np.arange(8)).all()
    assert (orders != np.arange(8)).all()
    # each of the seven others 1000 times, with a standard deviation of 29
    assert np.abs(np.bincount(orders[:, 0], minlength=8)[1:] - 1000).max() < 150


def test_a_patient_is_never_held_against_the_own_annotations():
    """Both slices of each patient have the same annotation, and the maps are perfect: only another patient's would be missed."""
    masks = [square((0, 0)), square((6, 6)), square((12, 12))]
    cases = [Case(mask.astype(np.float32), mask, f"p{i}") for i, mask in enumerate(masks) for _ in range(2)]
    found = others(cases, np.random.default_rng(0)).result("mass")
    assert found["observed"] == pytest.approx(1)
    assert found["expected"] == 0  # not 1/5, as it would be if slices were shuffled
    assert found["p"] == pytest.approx(1 / 6)  # three patients can be rearranged in six ways


def test_a_patient_of_many_slices_weighs_as_one():
    right, wrong = square((0, 0)), square((8, 8))
    cases = [Case(right.astype(np.float32), right, "a")] + [Case(right.astype(np.float32), wrong, "b")] * 9
    for null in (others(cases, np.random.default_rng(0)), elsewhere(cases, np.random.default_rng(0))):
        assert null.observed["mass"] == pytest.approx(1 / 2)
        assert (null.cases, null.patients) == (10, 2)
    assert others(cases, np.random.default_rng(0)).result("mass")["expected"] == pytest.approx(1 / 2)


@pytest.mark.parametrize("null", [others, elsewhere])
def test_perfect_maps_are_found_out(null):
    found = null(random_cases(np.random.default_rng(1), 20, knows=True), np.random.default_rng(0))
    for name in DRAWN:
        assert found.result(name)["p"] == 1 / 1000, name
        assert found.result(name)["expected"] < found.result(name)["observed"] / 2, name


@pytest.mark.parametrize("null", [others, elsewhere])
def test_maps_that_know_nothing_are_called_significant_as_rarely_as_promised(null):
    rng = np.random.default_rng(2)
    ps = np.array([null(random_cases(rng, 6, knows=False), rng, draws=99).result("mass")["p"] for _ in range(200)])
    # 10 expected of 200 at 5 %, standard deviation 3.1; 100 below one half, 7.1
    assert 1 <= (ps <= 0.05).sum() <= 20
    assert 75 <= (ps <= 0.5).sum() <= 125


def test_a_map_that_only_knows_the_usual_place():
    """All annotations lie in the lower left, and so do all maps: better than chance, no better than by other people's annotations."""
    rng = np.random.default_rng(3)
    heat = np.zeros((16, 16), np.float32)
    heat[8:, :8] = 1
    cases = [Case(heat, square(rng.integers((8, 0), (12, 4))), i) for i in range(20)]
    assert elsewhere(cases, rng).result("mass")["p"] < 0.01
    told = others(cases, rng).result("mass")
    assert told["p"] > 0.5
    assert told["expected"] == pytest.approx(told["observed"])


def test_annotations_of_another_grid_are_moved_by_their_relative_place():
    small, large = square((4, 8)), square((8, 16), 8, (32, 32))
    np.testing.assert_array_equal(onto(np.flatnonzero(small), (16, 16), (32, 32)), np.flatnonzero(large))
    np.testing.assert_array_equal(onto(np.flatnonzero(large), (32, 32), (16, 16)), np.flatnonzero(small))
    one = np.flatnonzero(square((5, 9), 1, (32, 32)))
    assert onto(one, (32, 32), (4, 4)).tolist() == [
        0 * 4 + 1
    ]  # 5/32 and 9/32 of the way: smaller than a pixel, but there
    cases = [Case(m.astype(np.float32), m, i) for i, m in enumerate((small, large))]
    assert others(cases, np.random.default_rng(0)).result("iou")["expected"] == pytest.approx(1)


def test_another_patients_annotation_may_lie_outside_this_brain():
    left = np.zeros((16, 16), bool)
    left[:, :8] = True
    masks = [square((2, 2)), square((8, 2)), square((2, 11))]
    cases = [
        Case(m.astype(np.float32), m, i, b) for i, (m, b) in enumerate(zip(masks, (left, left, None), strict=True))
    ]
    found = others(cases, np.random.default_rng(0)).result("mass")
    assert found["observed"] == pytest.approx(1)
    assert found["expected"] == 0


def test_a_shifted_annotation_is_the_same_elsewhere():
    rng = np.random.default_rng(4)
    mask = square((2, 3), 5)
    drawn = [shifted(mask, rng) for _ in range(300)]
    assert all(one.sum() == 25 for one in drawn)
    assert all((one != mask).any() for one in drawn)
    # every pixel is covered about equally often: 300 * 25 / 256 = 29 times
    assert 5 < np.sum(drawn, axis=0).min() < np.sum(drawn, axis=0).max() < 60


def test_a_shifted_annotation_stays_in_the_brain():
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:20, :20]
    brain = (y - 10) ** 2 + (x - 8) ** 2 < 36
    mask = square((8, 7), 3, (20, 20))
    for _ in range(100):
        one = shifted(mask, rng, brain)
        assert not (one & ~brain).any()
        assert 5 <= one.sum() <= 9  # half of it at least
    with pytest.raises(ValueError, match="did not move it"):
        shifted(mask, rng, square((8, 7), 1, (20, 20)))


def test_what_a_shift_carries_out_of_the_brain_makes_no_evidence():
    """Large annotations in a round brain lose up to half by shifting, and less of a map lies in less: it must not count for the map."""
    rng = np.random.default_rng(14)
    y, x = np.mgrid[:16, :16]
    brain = (y - 7.5) ** 2 + (x - 7.5) ** 2 < 60
    ps = []
    for _ in range(100):
        masks = [square(rng.integers(3, 7, 2), 6) for _ in range(6)]
        found = elsewhere([Case(blurred(rng), m, i, brain) for i, m in enumerate(masks)], rng, draws=99)
        ps.append(found.result("mass")["p"])
    # 5 expected of 100 at 5 %, standard deviation 2.2; half of them below one half
    assert (np.array(ps) <= 0.05).sum() <= 13
    assert 30 <= (np.array(ps) <= 0.5).sum() <= 70
    perfect = [Case(m.astype(np.float32), m, i, brain) for i, m in enumerate(masks)]
    assert elsewhere(perfect, rng).result("mass")["p"] == 1 / 1000


def test_brains_of_other_shapes_make_no_evidence():
    """Another's annotation loses what lies outside this brain, the own one nothing: without a correction p is below 0.05 in a third of trials."""
    rng = np.random.default_rng(15)
    y, x = np.mgrid[:16, :16]
    ps = []
    for _ in range(100):
        cases = []
        while len(cases) < 6:
            centre = rng.uniform(5.5, 9.5, 2)
            brain = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 30
            mask = square(rng.integers(0, 13, 2)) & brain
            if mask.sum() >= 8:
                cases.append(Case(blurred(rng), mask, len(cases), brain))
        ps.append(others(cases, rng).result("mass")["p"])
    assert (np.array(ps) <= 0.05).sum() <= 13
    assert 30 <= (np.array(ps) <= 0.5).sum() <= 70


def test_slices_of_a_patient_are_shifted_together():
    """Two slices alike: one shift for both, so their mean varies as much as one slice by itself."""
    rng = np.random.default_rng(6)
    case = random_cases(rng, 1, knows=False)[0]
    alone = elsewhere([case], np.random.default_rng(0)).drawn["mass"]
    twice = elsewhere([case, case], np.random.default_rng(0)).drawn["mass"]
    assert twice.std() == pytest.approx(alone.std())


def test_equal_seeds_draw_equally_and_order_of_measures_is_fixed():
    cases = random_cases(np.random.default_rng(7), 8, knows=False)
    for null in (others, elsewhere):
        a, b = (null(cases, np.random.default_rng(0)) for _ in range(2))
        assert list(a.drawn) == list(DRAWN)
        for name in DRAWN:
            np.testing.assert_array_equal(a.drawn[name], b.drawn[name])


def test_too_many_are_sampled_and_it_is_said():
    cases = random_cases(np.random.default_rng(8), 40, knows=True)
    found = others(cases, np.random.default_rng(0), work=10 * 10 * 16)
    assert found.patients == 10
    assert found.notes == ["other people's annotations were drawn among 10 of 40 cases, chosen at random, to save time"]
    assert not others(cases, np.random.default_rng(0)).notes


def test_one_patient_has_no_others():
    found = others(random_cases(np.random.default_rng(9), 1, knows=True), np.random.default_rng(0)).result("dice")
    assert found["observed"] == pytest.approx(1)
    assert found["p"] is None
    assert found["reason"] == ONE_PATIENT


def test_cases_may_be_read_one_at_a_time():
    cases = random_cases(np.random.default_rng(10), 8, knows=False)

    class Lazy:
        def __len__(self):
            return len(cases)

        def __getitem__(self, i):
            return cases[i]

    for null in (others, elsewhere):
        one, all_ = null(Lazy(), np.random.default_rng(0)), null(cases, np.random.default_rng(0))
        assert one.result("iou") == all_.result("iou")


@pytest.mark.parametrize("null", [others, elsewhere])
def test_an_empty_annotation_is_named(null):
    cases = random_cases(np.random.default_rng(11), 3, knows=True)
    cases[1] = cases[1]._replace(mask=np.zeros((16, 16), bool), patient="x")
    with pytest.raises(ValueError, match=r"case 1 \(patient x\): the annotation is empty"):
        null(cases, np.random.default_rng(0))


def test_volumes_too():
    cases = random_cases(np.random.default_rng(12), 12, knows=True, shape=(16, 12, 8))
    for null in (others, elsewhere):
        assert null(cases, np.random.default_rng(0)).result("dice")["p"] == 1 / 1000


@pytest.mark.parametrize("null", [others, elsewhere])
def test_two_hundred_pictures_take_seconds(null):
    """About two seconds on an idle core; the limit only catches what is slower by an order of magnitude."""
    rng = np.random.default_rng(13)
    masks = [square(rng.integers(0, 44, 2), 20, (64, 64)) for _ in range(200)]
    cases = [Case(rng.random((64, 64), dtype=np.float32), mask, i) for i, mask in enumerate(masks)]
    started = time.perf_counter()
    assert len(null(cases, rng).drawn["iou"]) == 999
    assert time.perf_counter() - started < 30
