import numpy as np
import pytest

from medtf.evaluate.intervals import PatientBootstrap, measured, percentile_interval


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


def test_blocks_do_not_change_which_rows_belong_together():
    patients, values = np.arange(60), np.random.default_rng(0).normal(size=60)
    small = PatientBootstrap(patients, replicates=100)
    small.block = 7
    seen = small.replicate(mean_of(values))["mean"]
    assert seen.shape == (100,)
    assert np.unique(seen).size > 90


def test_the_mean_has_the_standard_error_of_the_textbook():
    values = np.random.default_rng(0).normal(size=400)
    spread = PatientBootstrap(np.arange(400)).replicate(mean_of(values))["mean"].std()
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
