import numpy as np
import pandas as pd
import pytest

from medtf.evaluate.judge import judge
from medtf.evaluate.matching import pairs, wanted
from medtf.evaluate.pages.words import of_matching


def people(n=600, gap=1.0, by_size=1.0, by_else=0.0, seed=0) -> pd.DataFrame:
    """Head sizes of men `gap` standard deviations larger; a score made of size, of sex itself, and of noise."""
    generator = np.random.default_rng(seed)
    sex = np.arange(n) % 2
    z = generator.normal(size=n) + gap * sex
    logit = by_size * z + by_else * (2 * sex - 1) + 0.3 * generator.normal(size=n)
    patients = [f"p{i:05d}" for i in range(n)]
    frame = pd.DataFrame(
        {"row": range(n), "patient": patients, "fold": "test", "covariate_foreground_ml": 1300 + 100 * z}
    )
    return frame.assign(sex=1 / (1 + np.exp(-logit)), sex_true=sex.astype(float))


def matched(frame, config, at, name="sex", **evaluate):
    settings = config({name: "binary"}, evaluate={"replicates": 200, **evaluate})
    return judge(frame, settings, at(name), split="test", fingerprint="f")["targets"][name].get("matched")


def test_pairs_by_hand():
    truth = np.array([1, 1, 0, 0, 0])
    size = np.array([10.0, 20, 11, 12, 40])
    assert pairs(truth, size, caliper=1.5).tolist() == [[0, 2]]  # 20 has nobody within 1.5
    assert sorted(pairs(truth, size, caliper=9).tolist())[0][0] == 0
    assert len(pairs(truth, size, caliper=9)) == 2
    assert pairs(truth, size, caliper=0.5).shape == (0, 2)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_nobody_stands_in_two_pairs_and_all_are_within_the_caliper(share):
    generator = np.random.default_rng(0)
    truth, size = (generator.random(400) < share).astype(int), generator.normal(size=400)
    found = pairs(truth, size, caliper=0.05)
    assert len(np.unique(found)) == found.size > 100
    assert (truth[found[:, 0]] == 1).all()
    assert (truth[found[:, 1]] == 0).all()
    assert np.abs(size[found[:, 0]] - size[found[:, 1]]).max() <= 0.05
    np.testing.assert_array_equal(found, pairs(truth, size, caliper=0.05))  # seeded


def test_when_head_size_explains_all_nothing_is_left(config, at):
    found = matched(people(by_size=3.0), config, at)
    assert found["auc"]["value"] > 0.7
    assert found["auc_matched"]["value"] == pytest.approx(0.5, abs=0.05)
    assert found["size_auc"]["value"] > 0.7
    assert found["size_auc_matched"]["value"] == pytest.approx(0.5, abs=0.05)
    assert abs(found["difference_matched"]) < 0.2 * found["difference"]
    assert "not shown that the model knows more than head size" in of_matching(found)


def test_when_head_size_explains_nothing_the_auc_stays(config, at):
    found = matched(people(by_size=0.0, by_else=0.4), config, at)
    assert found["auc"]["value"] > 0.9
    assert found["auc_matched"]["value"] == pytest.approx(found["auc"]["value"], abs=0.03)
    assert found["auc_matched"]["low"] < found["auc_matched"]["value"] < found["auc_matched"]["high"]
    assert "does not live on head size" in of_matching(found)


def test_the_caliper_is_a_fifth_of_the_standard_deviation_within_the_classes(config, at):
    frame = people(gap=3.0)
    found = matched(frame, config, at)
    spread = frame.groupby("sex_true")["covariate_foreground_ml"].var(ddof=0).mean() ** 0.5
    assert found["caliper"] == pytest.approx(0.2 * spread)
    assert found["pairs"] < 300


def test_unknown_sizes_are_left_out_and_counted(config, at):
    frame = people()
    frame.loc[:99, "covariate_foreground_ml"] = np.nan
    assert {k: matched(frame, config, at)[k] for k in ("people", "without")} == {"people": 500, "without": 100}


def test_heads_that_never_meet_have_no_matched_auc(config, at):
    found = matched(people(gap=20.0), config, at)
    assert "auc_matched" not in found
    assert found["reason"] == "only 0 pairs within the caliper; expected at least 10"
    assert "Not matched on foreground_ml" in of_matching(found)


def test_scans_of_one_person_count_once(config, at):
    frame = people()
    twice = pd.concat([frame, frame.assign(row=lambda t: t["row"] + 1000)])
    assert matched(twice, config, at) == matched(frame, config, at)


def test_what_is_matched_without_being_asked():
    assert wanted("auto", "sex") == wanted("auto", "is_male") == wanted("auto", "Gender") == "foreground_ml"
    assert wanted("auto", "any") is None
    assert wanted("auto", "sextant") is None
    assert wanted("none", "sex") is None
    assert wanted("head", "any") == "head"


def test_the_config_decides(config, at):
    assert matched(people(), config, at, match_on="none") is None
    assert matched(people().drop(columns="covariate_foreground_ml"), config, at) is None
    other = people().rename(columns={"sex": "any", "sex_true": "any_true", "covariate_foreground_ml": "covariate_head"})
    assert matched(other, config, at, "any") is None
    assert matched(other, config, at, "any", match_on="head")["on"] == "head"
