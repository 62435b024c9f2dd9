"""`medtf index` and `medtf split`, asked rightly and wrongly."""

import shutil

import numpy as np
import pandas as pd
import pytest
from commands import medtf, names, refused

from medtf import table as tables


def test_index_says_what_is_there_and_accounts_for_every_file(typed, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = shutil.copytree(phantom, tmp_path / "data")
    (data / "stage_2_train" / "notes.txt").write_text("no image")
    done = typed("index", "rsna_ich", "data", "-o", "t.parquet")
    assert done.returncode == 0, done.stderr
    assert "images: 72   patients: 12   series: 12" in done.stdout
    assert "unknown everywhere: sex, age" in done.stdout
    assert "left out: 1 file\n  1 x not an image" in done.stdout
    assert "t.excluded.csv" in done.stdout
    found = tables.load("t.parquet")
    assert len(found) + len(found.excluded) == 73
    assert not [c for c in found.frame if c.startswith("key_")]
    assert names(tmp_path) == {"data", "t.parquet", "t.excluded.csv"}


@pytest.mark.parametrize("jobs", ["0", "-2", "two"])
def test_a_number_of_processes_that_is_none(typed, phantom, tmp_path, jobs):
    refused(typed("index", "rsna_ich", phantom, "-o", tmp_path / "t.parquet", "--jobs", jobs), 2, "--jobs", "-1")


def test_paths_as_people_have_them(typed, phantom, tmp_path, monkeypatch):
    """Spaces, umlauts, a trailing slash, relative, `~`, one process: one table."""
    data = shutil.copytree(phantom, tmp_path / "Schädel CT (Köln)")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    fingerprints = set()
    for source in (data, f"{data}/", data.name, f"./{data.name}/", f"~/{data.name}"):
        done = typed("index", "rsna_ich", source, "-o", "~/Maß a.parquet", "--jobs", "1")
        assert done.returncode == 0, done.stderr
        fingerprints.add(tables.load(tmp_path / "Maß a.parquet").fingerprint())
        (tmp_path / "Maß a.parquet").unlink()
    assert len(fingerprints) == 1


def test_a_source_that_cannot_be_indexed(typed, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("a")
    out = ("-o", "t.parquet")
    refused(typed("index", "rsna_ich", "nowhere", *out), 1, "nowhere: no such file or folder")
    refused(typed("index", "rsna_ich", "empty", *out), 1, "empty: the folder is empty")
    refused(typed("index", "rsna_ich", "", *out), 2, "SOURCE", "expected a path, found nothing")
    refused(typed("index", "rsna_ich", "file.txt", *out), 1, "file.txt")
    refused(typed("index", "rsna_ich", phantom, "--root", "empty", *out), 2, "--root empty: is for a sheet")
    refused(typed("index", "table", "file.txt", *out), 2, "file.txt: expected a folder, or a file that ends in .csv")
    refused(typed("index", "table", phantom / "stage_2_train.csv", *out), 2, "no column 'path'", "data.columns")
    refused(typed("index", "rsna_ich", phantom), 2, "Missing option '-o'", "medtf index --help")
    assert names(tmp_path) == {"empty", "file.txt"}


def test_an_output_that_cannot_be_written_is_told_before_the_work(typed, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a")
    (tmp_path / "d.parquet").mkdir()
    (tmp_path / "foreign.parquet").write_text("not mine")
    before = names(tmp_path)
    for output, said in {
        "t.csv": "expected a name that ends in .parquet",
        "d.parquet": "is a folder; expected the name of a file to write",
        "file/t.parquet": "is a file, not a folder",
        "foreign.parquet": "is no table of medtf: choose another name",
    }.items():
        refused(typed("index", "rsna_ich", phantom, "-o", output), 2, f"-o {output}: ", said)
    assert names(tmp_path) == before
    assert (tmp_path / "foreign.parquet").read_text() == "not mine"


def test_folds_are_not_lost_to_a_second_index(typed, phantom, table, tmp_path):
    path = tmp_path / "t.parquet"
    assert typed("split", table, "-o", path, "--stratify", "any").returncode == 0
    before = path.read_bytes()
    refused(typed("index", "rsna_ich", phantom, "-o", path), 2, "holds folds that would be lost")
    refused(typed("split", path), 2, "has folds already", "--force")
    assert path.read_bytes() == before


def _labels(phantom, tmp_path, change):
    data = shutil.copytree(phantom, tmp_path / "data")
    sheet = data / "stage_2_train.csv"
    change(pd.read_csv(sheet)).to_csv(sheet, index=False)
    return data


def _unknown(rows):
    rows.loc[3, "ID"] = "ID_000000000_subdral"
    return rows


def _contradicting(rows):
    return pd.concat([rows, rows.head(1).assign(Label=1 - rows["Label"].iloc[0])])


def _foreign(rows):
    other = rows.head(6).copy()
    other["ID"] = "ID_fffffffff_" + other["ID"].str.rsplit("_", n=1).str[1]
    return pd.concat([rows, other])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_unknown, "row 5: 'ID_000000000_subdral' names no label"),
        (_contradicting, "stand with 0 and with 1"),
        (_foreign, "labelled images are not in stage_2_train/, such as ID_fffffffff"),
        (lambda rows: rows.iloc[:-1], "1 images lack some of their six rows"),
        (lambda rows: rows.rename(columns={"Label": "label"}), "expected the columns ID,Label"),
    ],
)
def test_a_label_file_that_does_not_fit(typed, phantom, tmp_path, change, said):
    data = _labels(phantom, tmp_path, change)
    refused(typed("index", "rsna_ich", data, "-o", tmp_path / "t.parquet"), 1, "stage_2_train.csv: ", said)
    assert names(tmp_path) == {"data"}


def test_split_asked_wrongly(typed, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cut.parquet").write_bytes(table.read_bytes()[:500])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    before, out = names(tmp_path), ("-o", "s.parquet")
    refused(typed("split", "nowhere.parquet"), 2, "no such table (make one with `medtf index`)")
    refused(typed("split", "cut.parquet"), 1, "not a Parquet file, or a cut one")
    refused(typed("split", "foreign.parquet"), 2, "not an example table")
    refused(typed("split", table, "--stratify", "anny", *out), 2, "--stratify 'anny'", "did you mean 'any'?")
    assert "read_" not in refused(typed("split", table, "--column", "xyz", *out), 2, "--column 'xyz'")
    refused(typed("split", table, "--column", "path", *out), 2, "is no fold: expected train, valid, test")
    refused(typed("split", table, "--valid", "0.7", "--test", "0.5", *out), 2, "leave nothing to train on")
    refused(typed("split", table, "--valid", "1.5", *out), 2, "--valid")
    refused(typed("split", table, "--folds", "1", *out), 2, "--folds")
    refused(typed("split", table, "--folds", "50", *out), 1, "12 patients cannot fill 50 folds")
    refused(typed("split", table, "-o", "s.csv"), 2, "expected a name that ends in .parquet")
    assert names(tmp_path) == before


def test_split_lists_the_folds_in_the_order_of_their_use(typed, table, tmp_path):
    done = typed("split", table, "-o", tmp_path / "s.parquet", "--stratify", "any")
    assert done.returncode == 0, done.stderr
    lines = [line.split(":")[0].strip() for line in done.stdout.splitlines()]
    assert [*lines[:3], lines[-1]] == ["train", "valid", "test", "table"]
    assert "next: medtf fit" in done.stdout


@pytest.mark.parametrize(("column", "said"), [("patient", "1 patient in both"), ("pixels", "1 picture in both")])
def test_a_leak_is_refused_with_the_rows_that_leak(typed, table, tmp_path, column, said):
    found = tables.load(table)
    patients = found.frame["patient"].unique()
    frame = found.frame.assign(given=np.where(found.frame["patient"].isin(patients[:6]), "train", "test"))
    test = frame.index[frame["given"] == "test"]
    train = frame.index[frame["given"] == "train"]
    frame.loc[test[0], column] = frame.loc[train[0], column]
    path = tables.save(found.with_frame(frame), tmp_path / "t.parquet")
    before = path.read_bytes()
    refused(typed("split", path, "--column", "given"), 1, "the split leaks", said, "rows ")
    assert path.read_bytes() == before


def test_a_reader_that_goes_away_loses_no_table(phantom, tmp_path):
    import subprocess
    import sys

    path = tmp_path / "t.parquet"
    words = f"{sys.executable} -m medtf index rsna_ich {phantom} -o {path} | head -c 1"
    done = subprocess.run(words, shell=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert len(tables.load(path)) == 72


def test_no_command_and_an_unknown_one():
    assert "Commands:" in medtf().stderr
    refused(medtf("evalute"), 2, "did you mean 'evaluate'?", "medtf --help")
