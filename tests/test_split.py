"""Folds: no patient in two, sizes and labels near their shares, and what cannot be is refused."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from medtf import split
from medtf.config import Split, parse
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import Table


def multi_label(patients=300, *, seed=0):
    """Patients of 1 to 30 slices; three labels, two of them rare and clustered in patients; an age."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 31, patients)
    codes = np.repeat(np.arange(patients), sizes)
    ill = rng.random((patients, 3)) < [0.4, 0.1, 0.04]
    labels = ill[codes] & (rng.random((len(codes), 3)) < 0.5)
    frame = pd.DataFrame(labels.astype(float), columns=["a", "b", "c"])
    return Table(frame.assign(patient=[f"p{c}" for c in codes], path=[f"{n}.dcm" for n in range(len(codes))]))


TARGETS = parse({"pipeline": "table", "targets": {"a": "binary", "b": "binary", "c": "binary"}}).targets


def folds_of_patients(found):
    return found.frame.groupby("patient")["fold"].nunique()


@pytest.mark.parametrize("seed", range(40))
def test_no_patient_is_ever_in_two_folds(seed):
    rng = np.random.default_rng([seed, 1])
    sizes = rng.integers(
        1, 13, size=rng.integers(3, 41) if seed else 3
    )  # examples of each patient; three patients at the least
    valid, test = rng.choice([0.05, 0.1, 0.3]), rng.choice([0.05, 0.2, 0.4])
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    found = Table(pd.DataFrame({"patient": [f"p{c}" for c in codes], "y": codes % 2}))
    found = split.assign(found, Split(valid=valid, test=test, seed=seed, stratify=()))
    assert (folds_of_patients(found) == 1).all()
    assert set(found.frame["fold"]) == {"train", "valid", "test"}  # three patients fill three folds


@pytest.mark.parametrize("seed", range(3))
def test_sizes_and_labels_come_near_their_shares(seed):
    found = split.assign(multi_label(seed=seed), Split(valid=0.1, test=0.2, seed=seed), TARGETS).frame
    assert (found.groupby("patient")["fold"].nunique() == 1).all()
    for fold, share in (("train", 0.7), ("valid", 0.1), ("test", 0.2)):
        rows = found["fold"] == fold
        assert abs(rows.mean() - share) < 0.02
        assert abs(found.loc[rows, "patient"].nunique() / 300 - share) < 0.02
        for name in "abc":
            # c: about 12 patients, so that one more or less is 8 %
            assert abs(found.loc[rows, name].sum() / found[name].sum() - share) < (0.08 if name == "c" else 0.03)


def imbalance(folds, frame, k):
    """Mean distance of the folds' shares from 1/k, over labels and size."""
    columns = [*(frame[c].to_numpy() for c in "abc"), np.ones(len(frame))]
    return np.mean([abs(c[folds == f].sum() / c.sum() - 1 / k) for c in columns for f in range(k)])


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_labels_are_balanced_as_well_as_scikit_learn_does():
    ours, theirs = [], []
    for seed in range(4):
        table = multi_label(seed=seed)
        frame = table.frame
        folds = split.assign(table, Split(folds=5, seed=seed), TARGETS).frame["fold"].astype(int).to_numpy()
        ours.append(imbalance(folds, frame, 5))
        classes = frame["a"] + 2 * frame["b"] + 4 * frame["c"]  # scikit-learn balances one label: every combination
        reference = np.empty(len(frame), int)
        cut = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for number, (_, rows) in enumerate(cut.split(frame, classes, frame["patient"])):
            reference[rows] = number
        theirs.append(imbalance(reference, frame, 5))
    assert np.mean(ours) <= np.mean(theirs)


def test_the_split_depends_on_the_seed_alone():
    table = multi_label(60)
    one = split.assign(table, Split(seed=1), TARGETS).frame["fold"]
    pd.testing.assert_series_equal(one, split.assign(table, Split(seed=1), TARGETS).frame["fold"])
    assert (one != split.assign(table, Split(seed=2), TARGETS).frame["fold"]).any()


def test_ages_are_balanced_in_bins():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"patient": [f"p{n}" for n in range(400)], "age": rng.normal(60, 15, 400)})
    frame.loc[:20, "age"] = np.nan
    targets = parse({"pipeline": "table", "targets": {"age": "regression"}}).targets
    found = split.assign(Table(frame), Split(valid=0.2, test=0.2), targets).frame
    for quantile in (0.1, 0.5, 0.9):
        by_fold = found.groupby("fold")["age"].quantile(quantile)
        assert by_fold.max() - by_fold.min() < 5


def test_k_folds():
    found = split.assign(multi_label(50), Split(folds=5), TARGETS)
    assert set(found.frame["fold"]) == set("01234")
    assert (folds_of_patients(found) == 1).all()
    roles = split.roles(found.frame["fold"], Split(folds=5, test_fold=4))
    assert set(found.frame.loc[roles == "test", "fold"]) == {"4"}
    assert set(found.frame.loc[roles == "valid", "fold"]) == {"0"}  # the next one, around the corner
    assert set(found.frame.loc[roles == "train", "fold"]) == {"1", "2", "3"}
    with pytest.raises(AskedWronglyError, match="test_fold 5: the table has folds 0 to 4"):
        split.roles(found.frame["fold"], Split(folds=5, test_fold=5))


def test_folds_that_a_table_brings():
    names = pd.Series(["Train", " val", "VALIDATION", "test", "dev", "training", "testing", "valid"])
    expected = ["train", "valid", "valid", "test", "valid", "train", "test", "valid"]
    assert split.given(names, "split").tolist() == expected
    assert split.given(pd.Series([0, 1, 2]), "k").tolist() == ["0", "1", "2"]
    assert split.given(pd.Series([0.0, 1.0]), "k").tolist() == ["0", "1"]


@pytest.mark.parametrize(
    ("values", "strange"),
    [(["train", "holdout"], "'holdout'"), (["train", None], "''"), ([0.0, np.nan], "''"), (["0", "test"], "'test'")],
)
def test_folds_that_are_none(values, strange):
    with pytest.raises(AskedWronglyError, match=f"column 'split': {strange} is no fold: expected train, valid, test"):
        split.given(pd.Series(values), "split")


@pytest.mark.parametrize(
    ("change", "how", "message"),
    [
        ({"patient": "one"}, {}, "1 patients cannot fill 3 folds"),
        ({"patient": ["a", "b", "a", "b"]}, {"folds": 3}, "2 patients cannot fill 3 folds"),
        ({"patient": ["a", "b", "", "c"]}, {}, "rows without a patient"),
        ({}, {"valid": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({}, {"stratify": ("yy",)}, "'yy' is no column of the table"),
    ],
)
def test_what_is_refused(change, how, message):
    frame = pd.DataFrame({"patient": list("abcd"), "y": [0, 1, 0, 1]}).assign(**change)
    with pytest.raises(MedtfError, match=message):
        split.assign(Table(frame), Split(**how))


def test_a_fold_of_share_zero_is_not_made():
    found = split.assign(multi_label(20), Split(valid=0.2, test=0), TARGETS)
    assert set(found.frame["fold"]) == {"train", "valid"}


def test_counts():
    frame = pd.DataFrame(
        {
            "patient": list("aabc"),
            "fold": ["train", "train", "train", "test"],
            "y": [1, 0, np.nan, 1],
            "age": [10, 20, 30, np.nan],
            "kind": ["u", "v", "u", "u"],
        }
    )
    targets = parse(
        {"pipeline": "table", "targets": {"y": "binary", "age": "regression", "kind": {"classes": ["u", "v"]}}}
    ).targets
    found = split.counts(Table(frame), targets).set_index("fold")
    assert found.loc["train"].to_dict() == {
        "examples": 3, "patients": 2, "y": 1, "age (mean)": 20.0, "kind=u": 2, "kind=v": 1,
    }  # fmt: skip
    assert found.loc["test", "examples"] == 1
    assert np.isnan(found.loc["test", "age (mean)"])
