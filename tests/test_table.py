"""The table: a round trip that loses nothing, a fingerprint that sees everything, and files that are not to be trusted."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medtf import table
from medtf.errors import AskedWronglyError, MedtfError


def frame():
    return pd.DataFrame(
        {
            "path": ["a/1.dcm", "a/2.dcm", "ü/3.dcm"],
            "patient": ["aa", "aa", "bb"],
            "age": [60.0, np.nan, 45.5],
            "read_frame": np.array([0, 1, 2], np.int32),
            "read_signed": [True, False, True],
            "site": ["x", None, ""],
        }
    )


def test_round_trip(tmp_path):
    excluded = pd.DataFrame({"path": ["b.dcm", "NA"], "reason": ["scout (localizer), not a slice", 'a, "b"\nc']})
    one = table.Table(frame(), excluded, {"pipeline": "rsna_ich", "salt": "s"})
    path = table.save(one, tmp_path / "deep" / "t.parquet")
    found = table.load(path)
    pd.testing.assert_frame_equal(found.frame, one.frame.astype({"path": "str"}), check_dtype=False)
    assert found.frame["read_frame"].dtype == np.int32
    assert found.frame["read_signed"].dtype == bool
    pd.testing.assert_frame_equal(found.excluded, excluded, check_dtype=False)
    assert (found.meta["pipeline"], found.meta["salt"], found.meta["schema"]) == ("rsna_ich", "s", 1)
    assert found.fingerprint() == one.fingerprint()
    # nothing is left out any more: the list of last time must not stay
    table.save(table.Table(frame()), path)
    assert not (tmp_path / "deep" / "t.excluded.csv").exists()
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["t.parquet"]


CHANGES = [
    ("path", "z"),
    ("patient", "bb"),
    ("age", 60.000001),
    ("age", np.nan),
    ("read_frame", 9),
    ("read_signed", False),
    ("site", ""),
]


@pytest.mark.parametrize(("column", "value"), CHANGES)
def test_the_fingerprint_sees_every_value(column, value):
    other = frame()
    other.loc[0, column] = value
    assert table.Table(other).fingerprint() != table.Table(frame()).fingerprint()


def test_the_fingerprint_sees_rows_and_names_and_not_the_columns_order():
    one = table.Table(frame()).fingerprint()
    assert len(one) == 16
    assert table.Table(frame()[::-1]).fingerprint() != one
    assert table.Table(frame()[:2]).fingerprint() != one
    assert table.Table(frame().rename(columns={"age": "years"})).fingerprint() != one
    assert table.Table(frame().assign(fold="train")).fingerprint() != one
    assert table.Table(frame()[sorted(frame(), reverse=True)]).fingerprint() == one


@pytest.mark.parametrize(
    "values",
    [
        pd.Categorical(["a", "b", "a"]),
        pd.to_datetime(["2020-01-01", None, "2021-01-01"]),
        pd.array([1, None, 3], dtype="Int64"),
        pd.array([True, None, False], dtype="boolean"),
        [1, "two", None],
    ],
    ids=["categorical", "dates", "Int64", "boolean", "mixed"],
)
def test_columns_that_a_sheet_may_bring(values):
    one = table.Table(frame().assign(extra=values))
    other = frame().assign(extra=values)
    other.loc[0, "extra"] = other.loc[1, "extra"] if other.loc[1, "extra"] is not None else other.loc[2, "extra"]
    assert one.fingerprint() == table.Table(frame().assign(extra=values)).fingerprint()
    assert one.fingerprint() != table.Table(other).fingerprint()


def test_reasons_are_counted_and_tags_are_not_numbers():
    reasons = [f"truncated: {n} of 512 bytes of pixel data are missing" for n in (3, 4, 5)]
    reasons += ["no Rows (0028,0010)"] * 2 + ["8-bit CT: BitsStored (0028,0101) is 8, the values are not HU"]
    found = table.Table(frame(), pd.DataFrame({"path": list("abcdef"), "reason": reasons})).reasons()
    assert found == {
        "truncated: N of N bytes of pixel data are missing": 3,
        "no Rows (0028,0010)": 2,
        "8-bit CT: BitsStored (0028,0101) is 8, the values are not HU": 1,
    }
    assert list(found.values()) == [3, 2, 1]
    assert table.Table(frame()).reasons() == {}


def test_leave_out_moves_rows():
    found = table.Table(frame()).leave_out(pd.Series(["", "bad", ""]))
    assert list(found.frame["path"]) == ["a/1.dcm", "ü/3.dcm"]
    assert list(found.frame.index) == [0, 1]
    assert found.excluded.to_dict("records") == [{"path": "a/2.dcm", "reason": "bad"}]


# === Files that are not what they should be ===


def test_a_write_that_fails_leaves_the_old_table_and_no_rubbish(tmp_path, monkeypatch):
    path = table.save(table.Table(frame()), tmp_path / "t.parquet")
    before = path.read_bytes()

    def full(_, where, **how):
        with open(where, "wb") as file:
            file.write(b"PAR1half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table.pq, "write_table", full)
    with pytest.raises(OSError, match="No space"):
        table.save(table.Table(frame()[:1]), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]


def test_what_load_refuses(tmp_path):
    path = tmp_path / "t.parquet"
    with pytest.raises(AskedWronglyError, match=r"t\.parquet: no such table"):
        table.load(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(MedtfError, match="not a Parquet file"):
        table.load(path)
    frame().to_parquet(path)
    with pytest.raises(AskedWronglyError, match="not an example table"):
        table.load(path)
    table.save(table.Table(frame()), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MedtfError, match="or a cut one"):
        table.load(path)
    arrow = pa.Table.from_pandas(frame()).replace_schema_metadata({b"medtf": json.dumps({"schema": 2}).encode()})
    pq.write_table(arrow, path)
    with pytest.raises(AskedWronglyError, match="schema 2, this medtf reads up to 1: update medtf"):
        table.load(path)
    with pytest.raises(AskedWronglyError, match=r"ends in \.parquet"):
        table.save(table.Table(frame()), tmp_path / "t.csv")


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.dcm", "a/../../b.dcm", "..", ""])
def test_a_table_may_not_name_files_outside_the_root(tmp_path, path):
    with pytest.raises(AskedWronglyError, match="below the data root"):
        table.inside(tmp_path, path)
    evil = frame()
    evil.loc[1, "path"] = path
    table.save(table.Table(evil), tmp_path / "evil.parquet")
    with pytest.raises(AskedWronglyError, match="below the data root"):
        table.load(tmp_path / "evil.parquet")


@pytest.mark.parametrize("path", ["a.dcm", "a/b/c.dcm", "a..b.dcm", "...dcm", "C.dcm", "ID_1..dcm"])
def test_odd_names_below_the_root_are_fine(tmp_path, path):
    assert table.inside(tmp_path, path) == path
    table.save(table.Table(frame().assign(path=[path, "x", "y"])), tmp_path / "t.parquet")
    assert table.load(tmp_path / "t.parquet").frame["path"][0] == path


def test_links_below_the_root_are_followed(tmp_path):
    """Decided: a table cannot make a link, so who laid out the root wants it (git-annex, DVC)."""
    import factory

    from medtf.data.header import read_header

    factory.slice_of_head(tmp_path / "store" / "x.dcm")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.dcm").symlink_to(tmp_path / "store" / "x.dcm")
    assert table.inside(tmp_path / "root", "a.dcm") == "a.dcm"
    assert read_header(tmp_path / "root", "a.dcm")[0]["excluded"] == ""


def test_is_empty():
    values = pd.Series([None, np.nan, "", "  ", "x", 0, False], dtype=object)
    assert table.is_empty(values).tolist() == [True, True, True, True, False, False, False]
