"""Several answers summed up: hand-computed means, deviations and entropies."""

import numpy as np
import pytest

from medtf.config import Target
from medtf.evaluate import answers

BINARY = Target(kind="binary")
CLASSES = Target(kind="multiclass", classes=("a", "b", "c"))
VALUE = Target(kind="regression")
GAUSSIAN = Target(kind="regression", head="gaussian")


def one(values, target):
    """The summary of one example from T answers of k numbers."""
    found = answers.summary(np.array(values, float).reshape(len(values), 1, -1), "t", target, "mc")
    return {name: float(column[0]) for name, column in found.items()}


def test_two_certain_answers_that_contradict_each_other_share_one_bit():
    """0 and 1: each is certain, the mean knows nothing: entropy and mutual information are both ln 2."""
    found = one([0.0, 1.0], BINARY)
    assert found == pytest.approx(
        {"t_mc": 0.5, "t_mc_sd": 0.5, "t_mc_entropy": np.log(2), "t_mc_mutual_information": np.log(2)}
    )


def test_two_equal_answers_do_not_disagree_however_unsure_they_are():
    found = one([0.5, 0.5], BINARY)
    assert found == pytest.approx({"t_mc": 0.5, "t_mc_sd": 0, "t_mc_entropy": np.log(2), "t_mc_mutual_information": 0})


def test_a_hand_computed_mixture_of_probabilities():
    """0.2 and 0.6: mean 0.4, entropies 0.5004 and 0.6730, that of the mean 0.6730 (0.4 and 0.6 are alike)."""
    found = one([0.2, 0.6], BINARY)
    assert found == pytest.approx(
        {
            "t_mc": 0.4,
            "t_mc_sd": 0.2,
            "t_mc_entropy": 0.673012,
            "t_mc_mutual_information": 0.673012 - (0.500402 + 0.673012) / 2,
        },
        abs=1e-6,
    )


def test_of_several_classes_the_deviation_is_that_of_the_one_the_mean_calls():
    found = one([[0.6, 0.4, 0], [0.8, 0.0, 0.2]], CLASSES)
    assert [found[f"t_mc_{i}"] for i in range(3)] == pytest.approx([0.7, 0.2, 0.1])
    assert found["t_mc_sd"] == pytest.approx(0.1)
    entropy = -(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1))
    own = (-(0.6 * np.log(0.6) + 0.4 * np.log(0.4)) - (0.8 * np.log(0.8) + 0.2 * np.log(0.2))) / 2
    assert found["t_mc_entropy"] == pytest.approx(entropy, rel=1e-6)
    assert found["t_mc_mutual_information"] == pytest.approx(entropy - own, rel=1e-5)


def test_values_have_a_mean_and_a_deviation():
    assert one([60.0, 66.0, 72.0], VALUE) == pytest.approx({"t_mc": 66.0, "t_mc_sd": np.sqrt(24)})


def test_gaussians_make_a_mixture_with_the_law_of_total_variance():
    """Means 60 and 68 (4 away from 64), deviations 3 and 3: 3^2 + 4^2 = 5^2; against a sample of the mixture too."""
    found = one([[60, 3], [68, 3]], GAUSSIAN)
    assert found == pytest.approx({"t_mc": 64, "t_mc_sd": 5, "t_mc_sd_data": 3, "t_mc_sd_model": 4})
    generator = np.random.default_rng(0)
    sample = np.concatenate([generator.normal(60, 2, 200_000), generator.normal(68, 5, 200_000)])
    mixed = answers.mean_outputs(np.array([[[60.0, 2]], [[68.0, 5]]]), GAUSSIAN)
    np.testing.assert_allclose(mixed[0], [sample.mean(), sample.std()], rtol=0.01)


def test_certain_probabilities_make_no_warning_and_no_negative_information():
    generator = np.random.default_rng(1)
    values = generator.integers(0, 2, (20, 50, 1)).astype(np.float32)
    values[:, :10] = np.float32(1.0000001)  # as a sigmoid may round
    with np.errstate(all="raise"):
        found = answers.summary(values, "t", BINARY, "tta")
    assert all(np.isfinite(column).all() for column in found.values())
    assert found["t_tta_mutual_information"].min() >= 0
    assert all(column.dtype == np.float32 for column in found.values())


def test_an_ensemble_tells_more_than_passes_and_these_more_than_a_head():
    every = ["t_sd", "t_tta_sd", "t_mc_sd", "t_ens_sd"]
    for count in (4, 3, 2, 1):
        assert answers.telling(every[:count], "t", GAUSSIAN)[0] == every[count - 1]
    assert answers.telling(["t_mc_sd", "t_mc_entropy"], "t", BINARY) == (
        "t_mc_entropy",
        "entropy over passes with dropout on",
    )
    assert answers.telling(["t_0", "t_sd"], "t", CLASSES) is None  # t_sd may be another target's
    assert answers.telling(["t"], "t", VALUE) is None
