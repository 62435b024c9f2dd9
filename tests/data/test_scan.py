"""Many files: every one a verdict, in order, in parallel, after a kill, in bounded memory; and no id in clear."""

import json
import os
import subprocess
import sys

import factory
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from medtf import table
from medtf.data import scan as scanning
from medtf.data.header import COLUMNS
from medtf.errors import MedtfError

PATIENT = "MUELLER^HANS-19450508"


@pytest.fixture
def folder(tmp_path):
    """Seven files: five slices, a text, an empty one."""
    for n in range(5):
        factory.slice_of_head(tmp_path / "data" / f"s{n}.dcm", seed=n, patient=PATIENT if n < 3 else f"P{n}")
    (tmp_path / "data" / "notes.txt").write_text("x")
    (tmp_path / "data" / "empty.dcm").touch()
    return tmp_path / "data"


@pytest.fixture
def read(monkeypatch):
    """Which files were opened."""
    seen = []
    real = scanning.read_header
    monkeypatch.setattr(scanning, "read_header", lambda root, path: seen.append(path) or real(root, path))
    return seen


def test_every_file_one_row_in_the_order_of_the_paths(folder):
    paths = scanning.files_below(folder)
    assert paths == ["empty.dcm", "notes.txt", "s0.dcm", "s1.dcm", "s2.dcm", "s3.dcm", "s4.dcm"]
    calls = []
    found = scanning.scan(folder, paths[::-1], jobs=1, progress=lambda done, whole: calls.append((done, whole)))
    assert found["path"].tolist() == paths[::-1]
    assert list(found.columns) == list(COLUMNS)
    assert found["excluded"].tolist()[-2:] == ["not an image: no DICOM, PNG or JPEG header", "empty file"]
    assert calls[0] == (0, 7)
    assert calls[-1] == (7, 7)
    assert {c: str(t) for c, t in found.dtypes.items()} == COLUMNS
    assert len(scanning.scan(folder, [], jobs=1)) == 0


def test_folders_that_cannot_be_scanned(tmp_path):
    with pytest.raises(MedtfError, match="no such folder"):
        scanning.files_below(tmp_path / "away")
    with pytest.raises(MedtfError, match="the folder is empty"):
        scanning.files_below(tmp_path)


def test_hidden_folders_are_not_entered(folder):
    """A trash can holds copies; and the index's own parts would change the list that a resume compares."""
    factory.slice_of_head(folder / ".Trash-1000" / "s0.dcm")
    before = scanning.files_below(folder)
    scanning.scan(folder, before, jobs=1, parts=folder / ".table.index")
    assert scanning.files_below(folder) == before
    assert not any("Trash" in p for p in before)


def test_a_stopped_scan_goes_on_where_it_was(folder, tmp_path, monkeypatch, read):
    monkeypatch.setattr(scanning, "PART", 2)
    paths, parts = scanning.files_below(folder), tmp_path / "parts"

    def stop(done, whole):
        if done >= 5:  # the third part is read and kept, and then the power goes
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scanning.scan(folder, paths, jobs=1, parts=parts, progress=stop)
    assert len(list(parts.glob("*.parquet"))) == 3
    assert read == paths[:6]
    (parts / "x-000003.77").write_bytes(b"half a part")  # what a kill in the middle of writing leaves
    read.clear()
    found = scanning.scan(folder, paths, jobs=1, parts=parts)
    assert read == paths[6:]
    pd.testing.assert_frame_equal(found, scanning.scan(folder, paths, jobs=1))
    scanning.forget(parts)
    assert not parts.exists()


def test_parts_of_other_files_or_another_salt_are_not_used(folder, tmp_path, monkeypatch, read):
    paths, parts = scanning.files_below(folder), tmp_path / "parts"
    one = scanning.scan(folder, paths, jobs=1, parts=parts)
    read.clear()
    assert len(scanning.scan(folder, paths[:-1], jobs=1, parts=parts)) == 6
    assert len(read) == 6
    monkeypatch.setenv("MEDTF_SALT", "another")
    other = scanning.scan(folder, paths, jobs=1, parts=parts)
    assert not set(one["patient"]) & set(other["patient"]) - {""}


def test_ids_are_hashed_and_stand_nowhere_in_the_file(folder, tmp_path):
    found = scanning.scan(folder, scanning.files_below(folder), jobs=1, parts=tmp_path / "parts")
    assert found["patient"].str.fullmatch(r"[0-9a-f]{20}|").all()
    assert found.groupby("patient").size().to_dict().get(found["patient"].iloc[2]) == 3
    path = table.save(table.Table(found), tmp_path / "t.parquet")
    plain = tmp_path / "plain.parquet"  # without compression, which would hide a name from this test
    pq.write_table(pq.read_table(path), plain, compression="none", use_dictionary=False)
    part = next((tmp_path / "parts").iterdir())
    pq.write_table(pq.read_table(part), tmp_path / "part.parquet", compression="none", use_dictionary=False)
    for file in (plain, tmp_path / "part.parquet"):
        content = file.read_bytes()
        assert b"s0.dcm" in content
        assert b"MUELLER" not in content
        assert b"1.2.3.4" not in content  # SeriesInstanceUID


def test_names_that_are_not_utf8_do_not_stop_the_scan(folder, tmp_path):
    factory.slice_of_head(folder / os.fsdecode(b"M\xfcller.dcm"))
    paths = scanning.files_below(folder)
    found = scanning.scan(folder, paths, jobs=1, parts=tmp_path / "parts")
    assert len(found) == 8
    assert found["excluded"].str.contains("not UTF-8").sum() == 1
    assert (found["excluded"] == "").sum() == 5


def links(folder, count):
    """One small file under many names: the work of many headers, and the space of one."""
    source = factory.slice_of_head(folder / "source.dcm")
    for n in range(count):
        (folder / f"{n // 1000:03d}").mkdir(exist_ok=True)
        os.link(source, folder / f"{n // 1000:03d}" / f"ID_{n:09d}.dcm")
    source.unlink()


def test_parallel_equals_serial(tmp_path):
    links(tmp_path, 900)
    factory.dicom(tmp_path / "multi.dcm", np.stack([factory.head()] * 3))
    paths = scanning.files_below(tmp_path)
    serial = scanning.scan(tmp_path, paths, jobs=1)
    assert len(serial) == 903
    pd.testing.assert_frame_equal(scanning.scan(tmp_path, paths, jobs=2), serial)


MEASURE = """
import json, resource, sys, time
from pathlib import Path
from medtf.data import scan as scanning
root, parts, jobs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
paths = scanning.files_below(root)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
frame = scanning.scan(root, paths, jobs=jobs, parts=parts)
seconds = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"files": len(paths), "rows": len(frame), "files/s": len(paths) / seconds, "before MB": before / 1024, "peak MB": after / 1024}))
"""


def measured(root, parts, jobs) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, root, parts, str(jobs)], capture_output=True, text=True, check=True
    )
    print(done.stdout)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_memory_stays_bounded(tmp_path):
    links(tmp_path / "few", 3_000)
    links(tmp_path / "many", 12_000)
    few, many = (measured(tmp_path / name, tmp_path / f"{name}.parts", 2) for name in ("few", "many"))
    assert many["rows"] == 12_000
    bytes_a_file = (many["peak MB"] - few["peak MB"]) * 2**20 / 9_000
    assert bytes_a_file < 3_000  # a million files: below 3 GB
