"""Which row an annotation's name means."""

import pytest

from medtf.data.annotation_names import Names, bare
from medtf.errors import MedtfError


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/ID_1.dcm", "a/ID_1"),
        ("sub.nii.gz", "sub"),
        ("X.PNG", "X"),
        ("1.2.840.10008", "1.2.840.10008"),
        ("a\\b.jpeg", "a/b"),
    ],
)
def test_only_endings_of_images_are_taken_off(path, expected):
    assert bare(path) == expected


@pytest.mark.parametrize(
    ("name", "row", "left_off"),
    [
        ("stage/ID_1.png", 0, ""),  # the same path with another ending
        ("ID_1.png", 0, ""),  # the same name, in one folder for all
        ("masks/deep/ID_1.png", 0, ""),
        ("ID_1", 0, ""),
        ("Subj12_T1_DLMUSE.nii.gz", 1, "_DLMUSE"),
        ("t1/Subj12_T1_mask.nii.gz", 1, "_mask"),
        ("Subj12_T1-seg.nii", 1, "-seg"),
        ("Subj12_T1.lesion.nii.gz", 1, ".lesion"),
    ],
)
def test_a_name_means_a_row(name, row, left_off):
    assert Names(["stage/ID_1.dcm", "t1/Subj12_T1.nii.gz"]).row_of(name) == (row, left_off)


@pytest.mark.parametrize("name", ["ID_2.png", "ID_1_2.png", "ID_1_2_mask.png", "Subj1_T1.nii.gz", "ID.png"])
def test_a_name_that_means_none_is_not_stretched_to_one(name):
    # ID_1_2 would be the second picture of ID_1, whose row may be in another fold
    assert Names(["stage/ID_1.dcm", "t1/Subj12_T1.nii.gz"]).row_of(name) is None


def test_the_whole_name_comes_before_the_shorter_one():
    names = Names(["a_T1.nii.gz", "a.nii.gz"])
    assert names.row_of("a_T1.nii.gz") == (0, "")
    assert names.row_of("a_FLAIR.nii.gz") == (1, "_FLAIR")


def test_folders_tell_files_of_one_name_apart():
    names = Names(["site/P1/t1.nii.gz", "site/P2/t1.nii.gz"])
    assert names.row_of("P2/t1_mask.nii.gz") == (1, "_mask")
    assert names.row_of("site/P1/t1.nii.gz") == (0, "")
    with pytest.raises(
        MedtfError,
        match=r"t1\.nii\.gz: belongs to site/P1/t1\.nii\.gz as well as to site/P2/t1\.nii\.gz: .*such as site/P1/t1",
    ):
        names.row_of("t1.nii.gz")


def test_frames_of_one_file_cannot_be_told_apart():
    with pytest.raises(MedtfError, match=r"e\.png: e\.dcm holds several pictures"):
        Names(["e.dcm", "e.dcm"]).row_of("e.png")
