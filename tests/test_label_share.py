"""A share of the labels: drawn by patient, nested, with every class, from the training fold alone."""

from itertools import pairwise

import factory
import numpy as np
import pandas as pd
import pytest

from medtf import label_share, prepare
from medtf.config import Labels, parse
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import Table

TARGETS = parse(
    {"pipeline": "table", "targets": {"ill": "binary", "site": {"classes": ["a", "b", "c"]}, "age": "regression"}}
).targets


def cohort(patients=100, ill=0.2, rare="c") -> Table:
    """Every patient has two training rows but the last ten of each hundred (valid and test); one single patient is of the rare site."""
    number = np.repeat(np.arange(patients), 2)
    fold = np.where(number % 10 == 8, "valid", np.where(number % 10 == 9, "test", "train"))
    site = np.where(number == 7, rare, np.where(number % 2 == 0, "a", "b"))
    frame = {"path": [f"{i}.png" for i in range(len(number))], "patient": [f"p{i:03d}" for i in number], "fold": fold}
    frame |= {"ill": (number % round(1 / ill) == 1).astype(float), "site": site, "age": 40.0 + number}
    return Table(pd.DataFrame(frame))


def taken(table, share, seed=0, targets=TARGETS) -> set[str]:
    kept, _ = label_share.keep(table, Labels(share=share, seed=seed), targets)
    return set(kept.frame.loc[kept.frame["fold"] == "train", "patient"])


def test_a_smaller_share_lies_within_a_larger_one():
    table = cohort()
    every = [taken(table, share) for share in (0.01, 0.05, 0.1, 0.25, 0.5, 1)]
    assert all(smaller < larger for smaller, larger in pairwise(every))
    assert len(every[-1]) == 80
    assert len(every[3]) == 20


def test_seeds_draw_other_patients_and_equal_seeds_the_same():
    table = cohort()
    assert taken(table, 0.2) == taken(table, 0.2)
    assert taken(table, 0.2) != taken(table, 0.2, seed=1)


def test_the_order_of_the_rows_does_not_matter():
    table = cohort()
    shuffled = table.with_frame(table.frame.sample(frac=1, random_state=0))
    assert taken(table, 0.1) == taken(shuffled, 0.1)


@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_a_patient_however_small_the_share(seed):
    table = cohort()
    few = taken(table, 0.001, seed)
    rows = table.frame[table.frame["patient"].isin(few)]
    assert set(rows["ill"]) == {0, 1}
    assert set(rows["site"]) == {"a", "b", "c"}
    assert len(few) <= 5  # never more than one for each class


@pytest.mark.parametrize("seed", range(5))
def test_the_mix_of_the_first_target_is_kept(seed):
    """16 of 80 training patients are ill: 4 of 20, one more or less for rounding and for the patient of the rare site."""
    table = cohort()
    few = table.frame[table.frame["patient"].isin(taken(table, 0.25, seed))].drop_duplicates("patient")
    assert abs(few["ill"].sum() - 4) <= 1


def test_other_folds_stay_whole_and_patients_too():
    table = cohort()
    kept, line = label_share.keep(table, Labels(share=0.1), TARGETS)
    assert line == "labels: 8 of 80 training patients (10 %), 16 examples; validation and test folds stay whole"
    for fold in ("valid", "test"):
        assert (kept.frame["fold"] == fold).sum() == (table.frame["fold"] == fold).sum()
    assert kept.frame.groupby("patient").size().eq(2).all()
    told = {"share": 0.1, "seed": 0, "patients": 8, "of": 80, "examples": 16, "dropped": 144}
    assert kept.meta["labels"] == told


def test_more_than_asked_for_is_said():
    _, line = label_share.keep(cohort(), Labels(share=0.01), TARGETS)
    assert "training patients (1 %)" in line
    assert "(1 would leave a class without a patient)" in line


def test_without_classes_a_share_is_a_share():
    age = {"age": TARGETS["age"]}
    assert len(taken(cohort(), 0.01, targets=age)) == 1
    assert len(taken(cohort(), 0.1, targets={})) == 8


def test_unknown_labels_are_nobodys_class():
    table = cohort()
    unknown = table.with_frame(table.frame.assign(ill=np.nan, site=None))
    assert len(taken(unknown, 0.1)) == 8


def test_nobody_to_draw_from():
    table = cohort()
    with pytest.raises(MedtfError, match="no train fold"):
        label_share.keep(table.with_frame(table.frame.assign(fold="test")), Labels(share=0.1), TARGETS)


def test_a_config_asks_for_it(tmp_path):
    images = {f"ID_{n:03d}": {"patient": f"P{n // 2:02d}", "any": int(n % 4 < 2)} for n in range(40)}
    archive, said = factory.rsna(tmp_path / "rsna", images, size=32), []
    asked = {"pipeline": "rsna_ich", "targets": {"any": "binary"}, "data": {"labels": 0.25}}
    whole, _ = prepare.training_table(parse(asked | {"data": {}}), archive, jobs=1)
    found, _ = prepare.training_table(parse(asked), archive, jobs=1, say=said.append)
    assert said[-1] == "labels: 4 of 16 training patients (25 %), 8 examples; validation and test folds stay whole"
    for fold, share in (("train", 0.25), ("valid", 1), ("test", 1)):
        assert (found.frame["fold"] == fold).sum() == share * (whole.frame["fold"] == fold).sum()
    with pytest.raises(AskedWronglyError, match=r"data\.labels\.share"):
        parse(asked | {"data": {"labels": 5}})
