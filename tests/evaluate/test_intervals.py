import numpy as np
import pytest
from scipy import stats

from medtf.evaluate.statistics import intervals
from medtf.evaluate.statistics.draws import Draws
from medtf.evaluate.statistics.intervals import (
    Interval,
    PatientBootstrap,
    bca_interval,
    by_unit,
    expanded,
    logit_interval,
    measured,
    percentile_interval,
)


def mean_of(values):
    return lambda weights: {"mean": weights @ values / weights.sum(axis=1)}


def width(patients, values):
    low, high = percentile_interval(PatientBootstrap(patients).replicate(mean_of(values))["mean"])
    return high - low


def test_every_draw_has_as_many_patients_as_there_are():
    bootstrap = PatientBootstrap(["b", "a", "a", "c"], replicates=50)
    counts = np.concatenate(list(bootstrap.counts()))
    assert counts.shape == (50, 3)
    assert (counts.sum(axis=1) == 3).all()
    assert counts.std() > 0


def test_a_row_weighs_as_often_as_its_patient_was_drawn():
    bootstrap = PatientBootstrap(["b", "a", "a", "c"], replicates=20)
    seen = bootstrap.replicate(lambda weights: {f"row {i}": weights[:, i] for i in range(4)})
    counts = np.concatenate(list(bootstrap.counts()))  # patients in sorted order: a, b, c
    for row, patient in ((0, 1), (1, 0), (2, 0), (3, 2)):
        np.testing.assert_array_equal(seen[f"row {row}"], counts[:, patient])


def test_rows_left_out_do_not_shift_the_others():
    bootstrap = PatientBootstrap(["b", "a", "a", "c"], replicates=20)
    counts = np.concatenate(list(bootstrap.counts()))
    seen = bootstrap.replicate(lambda weights: {"c": weights[:, 0], "b": weights[:, 1]}, np.array([3, 0]))
    np.testing.assert_array_equal(seen["c"], counts[:, 2])
    np.testing.assert_array_equal(seen["b"], counts[:, 1])


def test_blocks_change_no_draw(monkeypatch):
    patients, values = np.arange(61), np.random.default_rng(0).normal(size=61)
    whole = PatientBootstrap(patients, replicates=100).replicate(mean_of(values))["mean"]
    monkeypatch.setattr(intervals, "BLOCK_BYTES", 7 * 8 * 61)
    seen = PatientBootstrap(patients, replicates=100).replicate(mean_of(values))["mean"]
    np.testing.assert_allclose(np.asarray(seen), np.asarray(whole))
    np.testing.assert_allclose(seen.left_out, whole.left_out)


def test_the_mean_has_the_standard_error_of_the_textbook():
    values = np.random.default_rng(0).normal(size=400)
    spread = PatientBootstrap(np.arange(400)).replicate(mean_of(values))["mean"].replicates.std()
    assert spread == pytest.approx(values.std() / np.sqrt(400), rel=0.1)


def test_copies_of_a_patient_do_not_narrow_the_interval():
    values = np.random.default_rng(0).normal(size=50)
    once = width(np.arange(50), values)
    copied = width(np.repeat(np.arange(50), 9), np.repeat(values, 9))
    over_rows = width(np.arange(450), np.repeat(values, 9))
    assert copied == pytest.approx(once, rel=0.15)
    assert copied > 2.5 * over_rows  # in theory 3 = the root of 9


def test_more_patients_narrow_the_interval():
    values = np.random.default_rng(0).normal(size=1600)
    assert width(np.arange(1600), values) == pytest.approx(width(np.arange(100), values[:100]) / 4, rel=0.3)


def test_single_patient_and_no_replicates_have_a_reason():
    assert "single patient" in PatientBootstrap(["a", "a"]).why_not()
    assert PatientBootstrap(["a", "a"]).replicate(mean_of(np.ones(2))) == {}
    assert "replicates is 0" in PatientBootstrap(["a", "b"], replicates=0).why_not()


def test_undefined_draws_are_dropped_up_to_a_tenth():
    values = np.arange(100.0)
    values[:10] = np.nan
    assert percentile_interval(values) is not None
    values[10] = np.nan
    assert percentile_interval(values) is None
    assert "10%" in measured(0.5, values)["reason"]


def test_measured_never_holds_nan():
    assert measured(float("nan"), None, undefined="no") == {"value": None, "low": None, "high": None, "reason": "no"}


# Efron and Tibshirani 1993, table 14.1: spatial test A of 26 neurologically impaired children
SPATIAL = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41], dtype=float
)


def variance_of(values):
    def statistic(weights):
        mean = weights @ values / weights.sum(axis=1)
        return {"variance": weights @ values**2 / weights.sum(axis=1) - mean**2}

    return statistic


def test_bca_of_a_variance_as_in_efron_and_tibshirani():
    """Table 14.2: variance 171.5, 90 % intervals of 2,000 draws: percentile 100.8 to 233.9, BCa 115.8 to 259.6."""
    draws = PatientBootstrap(np.arange(26), replicates=20_000).replicate(variance_of(SPATIAL))["variance"]
    value = SPATIAL.var()
    assert value == pytest.approx(171.5, abs=0.05)
    # the chance error of the book's 2,000 draws: about 2 at each end
    assert percentile_interval(draws, 0.9) == pytest.approx((100.8, 233.9), abs=5)
    assert bca_interval(value, draws, 0.9) == pytest.approx((115.8, 259.6), abs=5)
    apart = draws.left_out.mean() - draws.left_out
    assert (apart**3).sum() / (6 * (apart**2).sum() ** 1.5) == pytest.approx(0.061, abs=5e-4)  # page 186


@pytest.mark.parametrize("statistic", [np.mean, np.var])
def test_both_bootstrap_intervals_equal_scipy(statistic):
    name = statistic.__name__
    made = variance_of(SPATIAL) if name == "var" else mean_of(SPATIAL)
    (draws,) = PatientBootstrap(np.arange(26), replicates=500).replicate(made).values()
    given = stats.bootstrap((SPATIAL,), statistic, n_resamples=9, method="percentile")
    given.bootstrap_distribution = draws.replicates
    for method, found in (
        ("percentile", percentile_interval(draws, 0.9)),
        ("BCa", bca_interval(float(statistic(SPATIAL)), draws, 0.9)),
    ):
        options = {"n_resamples": 0, "bootstrap_result": given, "confidence_level": 0.9, "method": method}
        expected = stats.bootstrap((SPATIAL,), statistic, **options).confidence_interval
        assert found == pytest.approx((expected.low, expected.high))


def test_leaving_out_groups_finds_the_acceleration_of_leaving_out_each():
    values = np.random.default_rng(0).exponential(size=4000)

    def acceleration():
        left = PatientBootstrap(np.arange(4000), replicates=1).replicate(mean_of(values))["mean"].left_out
        apart = left.mean() - left
        return len(left), (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)

    number, grouped = acceleration()
    skewness = stats.skew(values)
    assert number == 400
    # of a mean it is skewness / 6 root(n); skewness of 400 sums has a standard error of root(6 / 400)
    assert grouped == pytest.approx(skewness / (6 * np.sqrt(4000)), abs=3 * np.sqrt(6 / 400) / (6 * np.sqrt(400)))


def test_each_patient_is_left_out_once():
    bootstrap = PatientBootstrap(np.repeat(np.arange(1001), 2), replicates=1)
    left = np.concatenate(list(bootstrap.leave_out(np.arange(0, 1001, 2))))
    assert len(left) == 400
    assert (left[:, 1::2] == 1).all()  # does not take part
    assert ((left == 0).sum(axis=0)[::2] == 1).all()


def test_weighting_patients_equals_weighting_their_rows():
    generator = np.random.default_rng(0)
    patients, values = generator.integers(0, 30, 200), generator.normal(size=200)
    rows = np.flatnonzero(generator.random(200) < 0.7)
    bootstrap = PatientBootstrap(patients, replicates=50)
    of_rows = bootstrap.replicate(mean_of(values[rows]), rows)["mean"]
    sums = by_unit(np.column_stack([values[rows], np.ones(len(rows))]), bootstrap.units(rows))
    of_patients = bootstrap.replicate(
        lambda weights: {"mean": (weights @ sums)[:, 0] / (weights @ sums)[:, 1]}, rows, by_patient=True
    )["mean"]
    np.testing.assert_allclose(of_patients.replicates, of_rows.replicates)
    np.testing.assert_allclose(of_patients.left_out, of_rows.left_out)


def test_few_patients_need_a_wider_share_of_the_draws():
    assert expanded(0.95, 10**6) == pytest.approx(0.95, abs=1e-5)
    # half a width of t(19) root(20 / 19) standard deviations
    assert stats.norm.ppf((1 + expanded(0.95, 20)) / 2) == pytest.approx(2.0930 * np.sqrt(20 / 19), abs=1e-3)
    assert 0.95 < expanded(0.95, 2) < 1


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(size=12)
    draws = PatientBootstrap(np.arange(12), replicates=20_000).replicate(mean_of(values))["mean"]
    low, high = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
    found = measured(values.mean(), draws)["bootstrap"]["percentile"]
    assert np.ptp(found) == pytest.approx(high - low, rel=0.06)


@pytest.mark.parametrize(
    ("asked", "with_own", "without"),
    [("auto", "wilson", "bca"), ("bca", "bca", "bca"), ("percentile", "percentile", "percentile")],
)
def test_the_config_chooses_the_interval_and_both_of_the_bootstrap_are_kept(asked, with_own, without):
    values = np.random.default_rng(0).exponential(size=50)
    draws = PatientBootstrap(np.arange(50), replicates=500, intervals=asked).replicate(mean_of(values))["mean"]
    own = Interval(0.1, 9.0, "wilson")
    found, bare = measured(values.mean(), draws, own=own), measured(values.mean(), draws)
    assert (found["method"], bare["method"]) == (with_own, without)
    assert found["bootstrap"] == bare["bootstrap"]
    assert [bare["low"], bare["high"]] == bare["bootstrap"][without]
    if asked == "auto":
        assert (found["low"], found["high"]) == (0.1, 9.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("replicates", "left_out"),
    [
        (np.linspace(2, 3, 100), np.linspace(0, 2, 30)),  # all on one side of the value
        (np.linspace(0, 2, 100), np.ones(30)),  # leaving out changes nothing
        (np.linspace(0, 2, 100), np.full(30, np.nan)),
        (np.linspace(0, 2, 100), None),
    ],
)
def test_without_bca_the_percentile_interval_stands_in(replicates, left_out):
    found = measured(1.0, Draws(replicates, left_out))
    assert found["method"] == "percentile"
    assert found["bootstrap"]["bca"] is None
    low, high = found["bootstrap"]["percentile"]
    assert (found["low"], found["high"]) == (min(low, 1.0), max(high, 1.0))  # an interval holds its value


def test_an_interval_of_its_own_may_hold_whatever_is_asked_for():
    """Where the bootstrap is known to miss, `intervals: percentile` does not bring it back."""
    draws = Draws(np.linspace(2, 3, 100), None, "percentile")
    own = Interval(0.0, 1.5, "test_inversion")
    assert measured(1.0, draws, own=own)["method"] == "percentile"
    kept = measured(1.0, draws, own=own, always_own=True)
    assert (kept["low"], kept["high"], kept["method"]) == (0.0, 1.5, "test_inversion")


def test_an_end_beyond_the_draws_is_the_outermost_draw():
    replicates = np.r_[np.linspace(0, 1, 990), np.linspace(1, 1.001, 10)]
    low, high = bca_interval(0.995, Draws(replicates, np.linspace(0.9, 1, 30)))
    assert high == pytest.approx(replicates.max())
    assert low > np.quantile(replicates, 0.5)


def test_rounding_breaks_no_tie_with_the_value():
    generator = np.random.default_rng(0)
    replicates, left = generator.integers(0, 11, 1000) / 10, np.linspace(0.4, 0.6, 30)
    jittered = replicates + generator.choice([-1e-16, 0, 1e-16], 1000)
    assert bca_interval(0.5, Draws(replicates, left)) == pytest.approx(bca_interval(0.5, Draws(jittered, left)))


def test_draws_that_are_all_equal_are_no_interval():
    found = measured(1.0, Draws(np.ones(100), np.ones(30)))
    assert (found["low"], found["reason"]) == (None, "no interval: every draw of the patients gives this value")
    assert measured(1.0, Draws(np.ones(100), np.ones(30)), own=Interval(0.8, 1.0, "wilson"))["low"] == 0.8


def test_logit_interval_by_hand():
    draws = Draws(np.array([0.88, 0.92] * 50))  # standard deviation 0.02
    found = logit_interval(0.9, draws)
    assert [np.log(end / (1 - end)) for end in found[:2]] == pytest.approx(
        np.log(9) + np.array([-1, 1]) * 1.96 * 0.02 / 0.09, abs=1e-4
    )
    assert logit_interval(1.0, draws) is None
    assert logit_interval(0.9, None) is None


@pytest.mark.filterwarnings("error")
def test_a_draw_without_any_of_the_rows_is_undefined_in_silence():
    bootstrap = PatientBootstrap(np.arange(4), replicates=200)
    draws = bootstrap.replicate(mean_of(np.array([1.0, 2.0])), np.array([0, 1]))["mean"]
    assert 0 < np.isnan(draws.replicates).mean() < 0.2  # (1/2)^4 of them
