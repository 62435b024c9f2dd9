"""Several columns balanced at once, a site left out, and rows selected after the split."""

import numpy as np
import pandas as pd
import pytest
from cohorts import ixi, people

from medtf import audit, split, split_report, split_strata
from medtf.config import Split
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import Table

STRATA = ("sex", "age", "site")


def off(found: Table, columns=STRATA):
    """({column: largest difference of a share}, patients in a joint cell), as `medtf split` says it."""
    codes, _ = pd.factorize(found.frame["patient"])
    fold = found.frame["fold"].groupby(codes).first()
    return split_report.deviations(fold, split_strata.words(found.frame, codes, columns))


def at_random(table: Table, sizes, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    patients = table.frame["patient"].unique()
    ends = np.round(np.cumsum(sizes) * len(patients)).astype(int)
    numbers = np.searchsorted(ends, rng.permutation(len(patients)), side="right").astype(str)
    return table.with_frame(
        table.frame.assign(fold=table.frame["patient"].map(dict(zip(patients, numbers, strict=True))))
    )


# === Strata ===


@pytest.mark.parametrize("how", [{}, {"valid": 0.15, "test": 0.25}, {"folds": 5}], ids=str)
def test_each_column_and_all_at_once_keep_their_mix(how):
    table = people()
    sizes = (
        [0.2] * 5
        if "folds" in how
        else [1 - how.get("valid", 0.1) - how.get("test", 0.1), how.get("valid", 0.1), how.get("test", 0.1)]
    )
    chance = [off(at_random(table, sizes, seed)) for seed in range(10)]
    for seed in range(2):
        found = split.assign(table, Split(stratify=STRATA, seed=seed, **how))
        assert audit.leaks(found) == []
        fold_of = found.frame.groupby("patient")["fold"].first()
        smallest = fold_of.value_counts().min()
        by_column, in_cell = off(found)
        for name in STRATA:  # one patient more or less in the smallest fold, which no split of whole people can avoid
            assert by_column[name] <= 1.01 / smallest, name
            assert by_column[name] < np.median([c[0][name] for c in chance]) / 2, name
        assert in_cell < 1.6
        assert in_cell < np.median([c[1] for c in chance]) / 2


def test_sizes_are_kept_to_a_patient():
    found = split.assign(people(sequences=("T1",)), Split(valid=0.1, test=0.2, stratify=STRATA)).frame
    n = len(found)
    for fold, share in (("train", 0.7), ("valid", 0.1), ("test", 0.2)):
        assert abs((found["fold"] == fold).sum() - share * n) <= 1


def test_a_hand_made_case_is_cut_exactly():
    """Two of each of six cells into two halves: there is one right answer, a of each kind on either side."""
    cells = [(s, a) for s in "FM" for a in ("young", "middle", "old")] * 2
    frame = pd.DataFrame(cells, columns=["sex", "group"]).assign(patient=[f"p{k}" for k in range(12)])
    for seed in range(5):
        found = split.assign(Table(frame), Split(folds=2, stratify=("sex", "group"), seed=seed)).frame
        assert (found.groupby(["sex", "group"])["fold"].nunique() == 2).all()


def test_columns_may_balance_while_their_cells_do_not():
    """A split with equal shares of each column can put all young women and old men on one side; the joint cells forbid it."""
    frame = pd.DataFrame([(s, a) for s in "FM" for a in ("young", "old")] * 10, columns=["sex", "group"])
    frame["patient"] = [f"p{k}" for k in range(40)]
    crossed = ((frame["sex"] == "F") == (frame["group"] == "old")).astype(int).astype(str)
    by_column, in_cell = off(Table(frame.assign(fold=crossed)), ("sex", "group"))
    assert by_column == {"sex": 0, "group": 0}
    assert in_cell == 5  # 10 of a cell on one side, 5 expected
    found = split.assign(Table(frame), Split(folds=2, stratify=("sex", "group")))
    assert off(found, ("sex", "group")) == ({"sex": 0, "group": 0}, 0)


def test_the_291_people_of_ixi(shared):
    table = ixi(shared)
    assert len(table) == 291
    for seed in range(2):
        by_column, in_cell = off(split.assign(table, Split(stratify=STRATA, seed=seed)))
        assert max(by_column.values()) < 1 / 29  # less than one of the 29 people of a small fold
        assert in_cell < 1.5


def test_the_same_seed_the_same_split_and_values_are_untouched():
    table = people(80)
    how = Split(stratify=STRATA, seed=3, uniform={"column": "age", "n": 20})
    one, two = split.assign(table, how), split.assign(table, how)
    pd.testing.assert_frame_equal(one.frame, two.frame)
    pd.testing.assert_frame_equal(one.frame.drop(columns="fold"), table.frame)
    other = split.assign(table, how.model_copy(update={"seed": 4}))
    assert (one.frame["fold"] != other.frame["fold"]).any()


def test_unknown_values_and_labels_of_slices_are_strata_too():
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(120), 5)
    ill = np.isin(codes, np.arange(0, 120, 4)) & (rng.random(600) < 0.7)
    age = np.where(codes % 10 == 0, np.nan, 30 + codes % 50)
    frame = pd.DataFrame({"patient": [f"p{c}" for c in codes], "any": ill.astype(float), "age": age, "site": ""})
    found = split.assign(Table(frame), Split(folds=4, stratify=("any", "age", "site"))).frame
    assert found.groupby("fold")["patient"].nunique().tolist() == [30] * 4
    by_fold = found.groupby("fold")
    assert by_fold["any"].sum().max() - by_fold["any"].sum().min() < 10  # of about 26 ill slices a fold
    unknown = found[found["age"].isna()].groupby("fold")["patient"].nunique()
    assert unknown.max() - unknown.min() <= 1


# === A site left out ===


def test_a_left_out_site_is_the_test():
    table = people()
    found = split.assign(table, Split(leave_out={"site": "Guys"}, valid=0.2, stratify=("sex", "age"))).frame
    assert ((found["fold"] == "test") == (found["site"] == "Guys")).all()
    rest = found[found["fold"] != "test"].drop_duplicates("patient")
    assert abs((rest["fold"] == "valid").mean() - 0.2) < 0.01
    several = split.assign(table, Split(leave_out={"site": ["HH", "IOP"]}, uniform={"column": "age", "n": 30})).frame
    assert set(several.loc[several["fold"] == "test", "site"]) == {"HH", "IOP"}
    assert several.loc[several["fold"] == "valid", "patient"].nunique() == 30


def test_a_patient_of_two_sites_is_in_the_test_whole():
    frame = pd.DataFrame({"patient": list("aabbccddee"), "site": [*"XY", *"XX", *"YY", *"YY", *["", ""]]})
    found = split.assign(Table(frame), Split(leave_out={"site": "X"}, valid=0.4))
    assert found.frame.groupby("patient")["fold"].first().to_dict()["a"] == "test"
    assert audit.leaks(found) == []
    said = "\n".join(split_report.describe(found))
    assert "1 of the 2 test patients have other examples too, and are in the test whole" in said
    assert "site is unknown of 1 patients, who are not in the test" in said


def test_what_is_said_holds_when_rows_have_gone_since():
    """Files that the pixel pass left out may have been all of a site."""
    found = split.assign(people(), Split(leave_out={"site": ["HH", "IOP"]}, valid=0.2, stratify=("sex", "age")))
    rest = found.with_frame(found.frame[found.frame["site"] != "IOP"])
    assert "site HH" in "\n".join(split_report.describe(rest))
    assert split_report.describe(rest.with_frame(rest.frame.drop(columns=["site", "age"])))


# === Selected after the split ===


def test_two_sequences_share_their_folds():
    """The people of T1 and of MRA differ; who has both is in the same fold in either run."""
    table = people()
    found = split.assign(table, Split(stratify=STRATA))
    t1, mra = (split.select(found, {"sequence": s}).frame.set_index("patient")["fold"] for s in ("T1", "MRA"))
    both = t1.index.intersection(mra.index)
    assert len(both) < min(len(t1), len(mra))
    assert (t1[both] == mra[both]).all()
    alone = split.assign(split.select(table, {"sequence": "T1"}), Split(stratify=STRATA)).frame.set_index("patient")[
        "fold"
    ]
    assert (alone[both] != mra[both]).any()  # why the split comes first


def test_select():
    table = people(20)
    assert set(split.select(table, {"sequence": ["T1", "MRA"], "sex": "F"}).frame["sex"]) == {"F"}
    assert len(split.select(table, {})) == len(table)
    numbers = table.with_frame(table.frame.assign(visit=1.0))
    assert len(split.select(numbers, {"visit": 1})) == len(table)
    with pytest.raises(
        AskedWronglyError, match=r"data.select: 'sequenc' is no column of the table: did you mean 'sequence'\?"
    ):
        split.select(table, {"sequenc": "T1"})
    with pytest.raises(AskedWronglyError, match=r"data.select: no row has sequence 'MR': did you mean 'MRA'\?"):
        split.select(table, {"sequence": "MR"})


# === What is refused ===


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"stratify": ("sec",)}, r"data.split.stratify: 'sec' is no column of the table: did you mean 'sex'\?"),
        ({"uniform": {"column": "ages"}}, r"data.split.uniform: 'ages' is no column of the table: did you mean 'age'\?"),
        ({"uniform": {"column": "age", "n": 90}}, "uniform.n 90: of 100 patients 90 are not in the test fold: nobody is left to train on"),
        ({"uniform": {"column": "part", "n": 60}}, "uniform.n 60: only 4[0-9] patients have a value and are not in the test fold"),
        ({"uniform": {"column": "sex", "n": 10}}, "column 'sex' holds '[MF]': expected numbers"),
        ({"uniform": {"column": "same", "n": 10}}, "have the value 7: nothing to spread"),
        ({"leave_out": {"sit": "HH"}}, r"data.split.leave_out: 'sit' is no column of the table: did you mean 'site'\?"),
        ({"leave_out": {"site": "Guy"}}, r"data.split.leave_out: no row has site 'Guy': did you mean 'Guys'\?"),
        ({"leave_out": {"site": ["HH", "IOP", "Guys"]}}, "site = HH or IOP or Guys is everybody: nobody is left to train on"),
        ({"leave_out": {"site": []}}, "site: expected a value, or a list of values, found an empty list"),
        ({"leave_out": {"site": "HH"}, "folds": 3}, "folds and leave_out exclude each other"),
        ({"uniform": {"column": "age"}, "folds": 3}, "folds and uniform exclude each other"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_refused(how, message):
    table = people(100, sequences=("T1", "T2", "MRA"))
    frame = table.frame
    part = frame["age"].where(frame["patient"].isin([f"p{k}" for k in range(50)]))
    with pytest.raises(AskedWronglyError, match=message):
        split.assign(Table(frame.assign(part=part, same=7)), Split(**how))


def test_too_few_people_for_the_rest():
    frame = pd.DataFrame({"patient": list("abc"), "site": list("XXY")})
    with pytest.raises(MedtfError, match="1 patients cannot fill 2 folds"):
        split.assign(Table(frame), Split(leave_out={"site": "X"}))
