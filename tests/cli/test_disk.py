"""A full disk, a read-only disk: one line, and nothing half-written in place."""

import os
import shutil

import pytest
from commands import medtf, names, refused


def fill(folder, leave: int) -> None:
    """All of the disk but some kB."""
    free = shutil.disk_usage(folder).free
    (folder / "ballast").write_bytes(os.urandom(max(0, free - 1024 * leave)))


def test_a_full_disk_keeps_the_old_table(typed, phantom, table, small_disk):
    shutil.copy(table, small_disk / "t.parquet")
    before = (small_disk / "t.parquet").read_bytes()
    fill(small_disk, 4)
    refused(typed("index", "rsna_ich", phantom, "-o", small_disk / "t.parquet"), 1, "t.parquet", "the disk is full")
    refused(typed("split", small_disk / "t.parquet"), 1, "t.parquet", "the disk is full")
    assert names(small_disk) == {"ballast", "t.parquet"}
    assert (small_disk / "t.parquet").read_bytes() == before


def test_a_full_disk_under_predict_and_preview(typed, phantom, config, trained, small_disk):
    fill(small_disk, 0)
    files = sorted((phantom / "stage_2_train").iterdir())[:40]
    refused(typed("predict", trained, *files, "-o", small_disk / "p.csv"), 1, "p.csv", "the disk is full")
    refused(typed("preview", config, "--data", phantom, "-o", small_disk / "p.png"), 1, "p.png", "the disk is full")
    assert names(small_disk) == {"ballast"}


@pytest.mark.slow
def test_a_full_disk_under_fit(typed, phantom, config, table, small_disk):
    words = ("fit", config, "--data", phantom, "--run", small_disk / "run", "--set", f"data.table={table}")
    line = refused(typed(*words), 1, "the disk is full", "--resume")  # config and table fit, the checkpoint does not
    assert str(small_disk / "run") in line
    assert not [name for name in names(small_disk) if name.startswith(".")]
    assert not list((small_disk / "run").rglob(".*"))
    fill(small_disk, 4)
    words = ("fit", config, "--data", phantom, "--run", small_disk / "second", "--set", f"data.table={table}")
    refused(typed(*words), 1, "the disk is full", "nothing was left there")
    assert names(small_disk) == {"ballast", "run"}


def test_a_full_disk_under_phantom(small_disk):
    done = medtf("phantom", "ct", small_disk / "ct", "--patients", "4", "--jobs", "1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("medtf: ")
    assert "No space left" in done.stderr


def test_a_read_only_disk_is_seen_before_the_work(typed, phantom, config, trained, table, read_only):
    said = ("cannot be written to", "choose another")
    refused(typed("index", "rsna_ich", phantom, "-o", read_only / "t.parquet"), 1, *said)
    refused(typed("split", table, "-o", read_only / "t.parquet"), 1, *said)
    refused(typed("predict", trained, phantom, "-o", read_only / "a" / "p.csv"), 1, *said)
    refused(typed("preview", config, "--data", phantom, "-o", read_only / "p.png"), 1, *said)
    refused(typed("fit", config, "--data", phantom, "--run", read_only / "runs" / "a"), 1, "--run", *said)
