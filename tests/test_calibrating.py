"""What a run keeps of its calibration, and what is made of it: by hand, and through the file."""

import numpy as np
import pandas as pd
import pytest

from medtf import calibrating, runs
from medtf.config import parse
from medtf.errors import AskedWronglyError


@pytest.fixture
def run(tmp_path):
    return runs.Run(tmp_path)


def config(**evaluate):
    targets = {"any": "binary", "age": "regression"}
    return parse({"pipeline": "table", "targets": targets, "evaluate": evaluate})


def valid(people=200):
    generator = np.random.default_rng(0)
    right = generator.uniform(0.05, 0.95, people)
    sure = 1 / (1 + ((1 - right) / right) ** 3)  # three times too sure on the scale of logits
    frame = pd.DataFrame({"row": range(people), "patient": range(people), "fold": "valid", "any": sure, "age": 50.0})
    return frame.assign(any_true=(generator.random(people) < right).astype(float), age_true=51.0), right


def test_a_run_that_is_three_times_too_sure_is_cooled(run):
    frame, right = valid(2000)
    found = calibrating.fit(run, config(calibrate="temperature"), frame)
    assert set(found) == {"any"}  # a value is recalibrated elsewhere
    made = calibrating.applied(run, config().targets, frame)["any"]["any_calibrated"]
    assert np.abs(made - right).max() < 0.05
    assert np.abs(frame["any"] - right).max() > 0.2


def test_what_is_kept_is_used_until_none_is_asked_for(run):
    frame, _ = valid()
    first = calibrating.of(run, config(calibrate="platt"), frame, asked=False)
    assert calibrating.of(run, config(), frame, asked=False) == first
    assert calibrating.of(run, config(), frame, asked=True) == {}
    assert not (run.folder / calibrating.FILE).exists()


def test_without_a_validation_fold_the_reason_is_kept_and_nothing_applied(run):
    found = calibrating.fit(run, config(calibrate="isotonic"), None)
    assert found["any"]["reason"] == "no validation predictions to fit it on"
    assert calibrating.applied(run, config().targets, valid()[0]) == {}


def test_the_prior_is_moved_by_bayes(run):
    """From 50 % to 10 %: odds times (0.1 / 0.9); 0.5 becomes 0.1, and 0.9 becomes 0.5."""
    calibrating.keep_prior(run, config(correct_prior=True, prevalence=0.1), {"any": 0.5})
    made = calibrating.applied(run, config().targets, pd.DataFrame({"any": [0.5, 0.9]}))
    np.testing.assert_allclose(made["any"]["any_at_prevalence"], [0.1, 0.5])
    calibrating.keep_prior(run, config(), {"any": 0.5})
    assert calibrating.applied(run, config().targets, pd.DataFrame({"any": [0.5]})) == {}


@pytest.mark.parametrize(("trained", "keys", "match"), [
    ({"any": 0.5}, {"correct_prior": True}, "set evaluate.prevalence"),
    ({"any": 1.0}, {"correct_prior": True, "prevalence": 0.1}, "'any' has no prevalence in training"),
    ({}, {"correct_prior": True, "prevalence": 0.1}, "'any' has no prevalence in training"),
])  # fmt: skip
def test_a_prior_that_cannot_be_moved_is_refused(run, trained, keys, match):
    with pytest.raises(AskedWronglyError, match=match):
        calibrating.keep_prior(run, config(**keys), trained)
    assert not (run.folder / calibrating.FILE).exists()
