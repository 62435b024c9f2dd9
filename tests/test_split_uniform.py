"""A validation fold that is even in a number: as even as the data allow, by patient, by seed."""

import numpy as np
import pandas as pd
import pytest
from cohorts import ixi, people

from medtf import audit, split, split_report, split_uniform
from medtf.config import Split
from medtf.table import Table

STRATA = ("sex", "age", "site")


def test_the_distance_to_uniform_by_hand():
    """The middles of five equal slots are 1/10 away from the line at most; all at one end are as far as can be."""
    assert split_uniform.distance([1, 3, 5, 7, 9], 0, 10) == pytest.approx(0.1)
    assert split_uniform.distance([0, 0, 0, 0], 0, 10) == pytest.approx(1)
    assert split_uniform.distance([0, 10], 0, 10) == pytest.approx(0.5)
    from scipy.stats import kstest

    values = np.random.default_rng(0).uniform(3, 8, 30)
    assert split_uniform.distance(values, 2, 9) == pytest.approx(kstest(values, "uniform", args=(2, 7)).statistic)


def test_the_least_distance_equals_that_of_all_subsets():
    from itertools import combinations

    for seed in range(4):
        values = np.random.default_rng(seed).gamma(2, 10, 9).round()
        best = min(split_uniform.distance(c, values.min(), values.max()) for c in combinations(values, 4))
        assert split_uniform.least_distance(values, 4) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_fold_is_about_as_even_as_the_data_allow(seed):
    table = people(300, seed=seed, sequences=("T1",))
    found = split.assign(table, Split(stratify=STRATA, uniform={"column": "age", "n": 50}, seed=seed))
    frame = found.frame
    assert (frame["fold"] == "valid").sum() == 50
    could = frame.loc[frame["fold"] != "test", "age"].to_numpy()
    reached = split_uniform.distance(frame.loc[frame["fold"] == "valid", "age"], could.min(), could.max())
    assert reached <= split_uniform.least_distance(could, 50) + 0.02
    assert reached < split_uniform.random_distance(could, 50) / 2
    assert abs((frame["fold"] == "test").mean() - 0.1) < 0.01


def test_the_other_strata_keep_their_mix():
    """Ages say nothing of sex here: half of the even fold are women, nearer than a draw of 40 comes by chance (deviation 8 %)."""
    rng = np.random.default_rng(0)
    values, sex = rng.normal(50, 12, 300), pd.DataFrame({"sex": ["F", "M"] * 150})
    for seed in range(5):
        chosen = split_uniform.draw(values, 40, seed, sex)
        assert abs((sex["sex"].iloc[chosen] == "F").mean() - 0.5) <= 0.075


def test_one_patient_for_each_decade():
    """Where each slot holds just one patient near its middle, that one is taken, whoever else crowds the ends."""
    crowd = [*np.linspace(20, 22, 40), *np.linspace(68, 70, 40)]
    wanted = [25.0, 35, 45, 55, 65]
    values = np.array([*crowd, *wanted])
    chosen = values[split_uniform.draw(values, 5, seed=0)]
    assert {35.0, 45, 55} <= set(chosen)
    assert np.histogram(chosen, np.arange(20, 71, 10))[0].tolist() == [1] * 5


def test_patients_not_rows_and_never_an_unknown_value():
    table = people(100)
    frame = table.frame.assign(age=table.frame["age"].where(~table.frame["patient"].isin([f"p{k}" for k in range(30)])))
    found = split.assign(Table(frame), Split(uniform={"column": "age", "n": 25}, stratify=("sex",)))
    assert audit.leaks(found) == []
    valid = found.frame[found.frame["fold"] == "valid"]
    assert valid["patient"].nunique() == 25
    assert len(valid) > 25
    assert valid["age"].notna().all()
    assert "age is unknown of" in "\n".join(split_report.describe(found))


def test_what_is_said_of_the_evenness(shared):
    found = split.assign(ixi(shared), Split(stratify=STRATA, uniform={"column": "age", "n": 50}))
    said = "\n".join(split_report.describe(found))
    assert "age in valid: 50 patients" in said
    assert "80-90: 3 of 3" in said  # only three people of IXI's 291 are over 80
    assert "age 80-90: all are in valid, none is left to train on" in said
