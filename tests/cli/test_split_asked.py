"""`medtf split` for people of several sexes, ages and sites: what it says, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from commands import names, refused

from medtf import table as tables


@pytest.fixture
def people(tmp_path, monkeypatch):
    """200 people with two volumes each, as an index would list them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    person = {
        "patient": [f"p{k}" for k in range(200)],
        "sex": rng.choice(["F", "M"], 200),
        "age": np.clip(rng.normal(50, 14, 200), 21, 79),
        "site": rng.choice(["Guys", "HH", "IOP"], 200, p=[0.6, 0.3, 0.1]),
    }
    rows = pd.concat([pd.DataFrame(person).assign(sequence=s) for s in ("T1", "MRA")], ignore_index=True)
    rows["path"] = [f"{k}.nii.gz" for k in range(400)]
    return tables.save(tables.Table(rows), tmp_path / "t.parquet")


def test_counts_per_fold_and_stratum(typed, people):
    done = typed("split", people, "-o", "s.parquet", "--stratify", "sex,age,site", "--valid", "0.2", "--test", "0.2")
    assert done.returncode == 0, done.stderr
    lines = {line[:16].strip(): line[16:].split() for line in done.stdout.splitlines() if line.startswith("  ")}
    frame = tables.load("s.parquet").frame.drop_duplicates("patient")
    assert lines["patients"] == [str((frame["fold"] == f).sum()) for f in ("train", "valid", "test")]
    for label, rows in (
        ("sex F", frame["sex"] == "F"),
        ("site HH", frame["site"] == "HH"),
        ("age 50 to 60", frame["age"].between(50, 60)),
    ):
        assert lines[label][::2] == [str((rows & (frame["fold"] == f)).sum()) for f in ("train", "valid", "test")], (
            label
        )
    assert "largest difference between a fold's share of a value and the share of all: sex " in done.stdout
    assert "sex x age x site at once" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) < 200


def test_an_even_fold_and_a_site_left_out(typed, people):
    done = typed(
        "split", people, "-o", "s.parquet", "--uniform", "age:30", "--leave-out", "site=HH", "--leave-out", "site=IOP"
    )
    assert done.returncode == 0, done.stderr
    frame = tables.load("s.parquet").frame
    assert set(frame.loc[frame["fold"] == "test", "site"]) == {"HH", "IOP"}
    assert "HH" not in set(frame.loc[frame["fold"] != "test", "site"])
    assert frame.loc[frame["fold"] == "valid", "patient"].nunique() == 30
    assert "age in valid: 30 patients" in done.stdout
    assert "Kolmogorov-Smirnov distance to uniform 0." in done.stdout
    assert "a random draw 0." in done.stdout
    assert "age in valid, taken of those there: 20-30: " in done.stdout


def test_a_split_twice_is_the_same(typed, people):
    for name in ("a.parquet", "b.parquet"):
        typed("split", people, "-o", name, "--stratify", "sex", "--stratify", "age", "--uniform", "age:20")
    assert tables.load("a.parquet").fingerprint() == tables.load("b.parquet").fingerprint()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--stratify", "sex,aeg"), ("--stratify 'aeg' is no column of", "did you mean 'age'?")),
        (("--uniform", "age"), ("--uniform age: expected COLUMN:N",)),
        (("--uniform", "age:one"), ("--uniform age:one: expected COLUMN:N",)),
        (("--uniform", "aeg:20"), ("--uniform: 'aeg' is no column", "did you mean 'age'?")),
        (("--uniform", "age:500"), ("--uniform 500: of 200 patients 180 are not in the test fold", "nobody is left")),
        (("--uniform", "sex:20"), ("--uniform: column 'sex' holds", "expected numbers")),
        (("--leave-out", "Guys"), ("--leave-out Guys: expected COLUMN=VALUE",)),
        (("--leave-out", "site=Guy"), ("--leave-out: no row has site 'Guy'", "did you mean 'Guys'?")),
        (("--leave-out", "site=Guys", "--test", "0.2"), ("--test 0.2: --leave-out chooses that fold",)),
        (("--uniform", "age:20", "--valid", "0.2"), ("--valid 0.2: --uniform chooses that fold",)),
        (("--leave-out", "site=Guys", "--folds", "5"), ("--folds and --leave-out exclude each other",)),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else v,
)
def test_asked_wrongly(typed, people, words, said):
    refused(typed("split", people, "-o", "s.parquet", *words), 2, *said)
    assert names(".") == {"t.parquet"}
