"""The leak audit finds what is there, says which files, and is silent about a clean split."""

import pandas as pd
import pytest

from medtf import audit
from medtf.errors import LeakError
from medtf.table import Table


def table(patients, folds, pixels=None):
    frame = pd.DataFrame({"patient": patients, "fold": folds, "path": [f"{n}.dcm" for n in range(len(folds))]})
    return Table(frame if pixels is None else frame.assign(pixels=pixels))


def test_a_clean_split():
    clean = table(["a", "a", "b", "c"], ["train", "train", "valid", "test"], ["1", "1", "2", "3"])
    assert audit.leaks(clean) == []
    assert audit.refuse_leaks(clean) == []


def test_a_patient_in_two_folds_is_named_with_its_files():
    leak = table(["b", "a", "b", "a"], ["train", "train", "train", "test"])
    (found,) = audit.leaks(leak)
    assert found == "1 patient in both train and test: a (rows 1 and 3: 1.dcm, 3.dcm)"
    with pytest.raises(LeakError, match=r"1 patient in both train and test.*medtf split.*--allow-leaks"):
        audit.refuse_leaks(leak)
    assert audit.refuse_leaks(leak, allow=True) == [found]


def test_a_picture_in_two_folds_under_two_patients():
    leak = table(list("abcd"), ["train", "valid", "test", "test"], ["x", "x", "", ""])  # empty: never hashed
    (found,) = audit.leaks(leak)
    assert found == "1 picture in both train and valid: x (rows 0 and 1: 0.dcm, 1.dcm)"


def test_every_pair_is_told_and_long_lists_are_cut():
    patients = [f"p{n}" for n in range(8)]
    found = audit.leaks(table(patients * 3, ["train"] * 8 + ["valid"] * 8 + ["test"] * 8))
    assert [f.split(":")[0] for f in found] == [
        "8 patients in both train and valid",
        "8 patients in both train and test",
        "8 patients in both valid and test",
    ]
    assert all(f.endswith("and 3 more") for f in found)


def test_numbered_folds():
    (found,) = audit.leaks(table(["a", "a", "b"], ["0", "3", "3"]))
    assert found.startswith("1 patient in both 0 and 3")


def test_the_published_split_of_nih1000_is_refused(shared):
    from medtf import config, prepare

    columns = {"path": "{split}/{folder_label}/{Image Index}", "patient": "Patient ID", "fold": "split"}
    parsed = config.parse({"pipeline": "table", "data": {"columns": columns}})
    found = prepare.index(parsed, shared / "cxr/nih1000/labels.csv", jobs=1)
    assert (len(found), found.frame["patient"].nunique(), len(found.excluded)) == (1000, 264, 0)
    with pytest.raises(LeakError) as caught:
        audit.refuse_leaks(found)
    assert "8 patients in both train and test" in str(caught.value)
    assert "15 patients in both train and valid" in str(caught.value)
