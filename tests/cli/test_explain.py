"""`medtf explain` as it is typed."""

import json

import pandas as pd
import pytest
from commands import names, refused


@pytest.fixture
def explain(typed, trained):
    """`medtf explain RUN ... --target any --no-trust`: the checks have tests of their own."""

    def run(*words):
        return typed("explain", trained, "--target", "any", "--no-trust", *words)

    return run


def test_a_fold_becomes_a_page_and_pictures(explain, trained, tmp_path):
    done = explain("--pick", "all", "--count", "3", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("what speaks for any = 1: 3 of ")
    assert "of the test fold" in lines[0]
    (method,) = [line for line in lines if line.startswith("  grad-cam")]
    assert method.rstrip().endswith("not checked")
    assert " places of layer " in method
    assert lines[-1] == f"page: {tmp_path / 'out' / 'explain.html'}"
    content = json.loads((tmp_path / "out" / "explain.json").read_text())
    assert names(tmp_path / "out") == {"explain.html", "explain.json", "grad-cam"}
    table = pd.read_parquet(trained / "table.parquet")
    for case in content["cases"]:
        assert table["fold"].iloc[case["row"]] == "test"
        assert table["patient"].iloc[case["row"]] == case["patient"]


def test_a_second_time_replaces_the_first(explain, tmp_path):
    out = tmp_path / "out"
    assert explain("--pick", "all", "--count", "3", "-o", out).returncode == 0
    assert explain("--pick", "all", "--count", "1", "-o", out).returncode == 0
    assert len(names(out / "grad-cam")) == 1
    assert names(tmp_path) == {"out"}


def test_new_files_get_numbers_and_a_list_of_their_own(explain, phantom, tmp_path):
    files = sorted((phantom / "stage_2_train").iterdir())[:3]
    done = explain(*files, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 rows of the new files" in done.stdout
    listed = pd.read_csv(tmp_path / "out" / "rows.csv")
    assert listed["path"].tolist() == [file.name for file in files]
    page = (tmp_path / "out" / "explain.html").read_text()
    content = json.loads((tmp_path / "out" / "explain.json").read_text())
    assert [case["truth"] for case in content["cases"]] == [None] * 3
    assert not [file for file in files if file.stem in page + json.dumps(content)]
    from pydicom import dcmread

    people = {str(dcmread(file, stop_before_pixels=True).PatientID) for file in files}
    assert people
    assert not people & {case["patient"] for case in content["cases"]}


REFUSED = {
    "method": (("--method", "gradcam"), "method 'gradcam'", "did you mean 'grad-cam'?"),
    "class": (("--class", "1"), "--class 1: any has no classes"),
    "layer": (("--layer", "conv1_rely"), "layer 'conv1_rely'", "did you mean 'conv1_relu'?"),
    "layer without places": (("--layer", "any"), "layer 'any'"),
    "fold": (("--split", "tset"), "--split tset: the run has no such fold"),
    "group": (("--group", "sexx"), "--group sexx: no column of the run's table"),
    "regions of pictures": (("--regions", "."), "--regions: is for volumes"),
    "names without regions": (("--region-names", "x.csv"), "--region-names: is for --regions"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_asked_wrongly_is_one_line_and_writes_nothing(explain, tmp_path, case):
    words, *said = REFUSED[case]
    refused(explain(*words, "-o", tmp_path / "out"), 2, *said)
    assert names(tmp_path) == set()


def test_several_targets_want_one_named(typed, trained):
    refused(typed("explain", trained), 2, "name one with --target", "subdural")
    refused(typed("explain", trained, "--target", "subdurl"), 2, "did you mean 'subdural'?")


def test_new_files_want_a_folder_and_no_mistakes(explain, phantom, tmp_path):
    file = next((phantom / "stage_2_train").iterdir())
    refused(explain(file), 2, "name a folder for them with -o")
    refused(explain(file, "--split", "test", "-o", tmp_path / "out"), 2, "--split: is of the run's own table")
    refused(explain(file, "--pick", "mistakes", "-o", tmp_path / "out"), 2, "--pick mistakes: no row has a known any")
    refused(explain(tmp_path / "away.dcm", "-o", tmp_path / "out"), 1, "away.dcm: no such file or folder")
    (tmp_path / "notes.dcm").write_text("not an image")
    refused(explain(tmp_path / "notes.dcm", "-o", tmp_path / "out"), 1, "no file can be predicted")
    assert names(tmp_path) == {"notes.dcm"}


def test_a_folder_of_something_else_stays(explain, trained):
    before = names(trained)
    refused(explain("-o", trained), 2, "holds something else (no explain.json)")
    assert names(trained) == before


def test_what_is_no_single_finished_run_is_refused(typed, run, tmp_path):
    refused(typed("explain", tmp_path), 2, "not a run folder")
    (run / "ensemble.json").write_text("{}")  # what tells an ensemble
    refused(typed("explain", run, "--target", "any"), 2, "is an ensemble: explain one of its members")
    (run / "ensemble.json").unlink()
    (run / "model.keras").unlink()
    refused(typed("explain", run, "--target", "any"), 1, "the training has not ended (no model.keras yet)")
    (run / "pretraining.json").write_text("{}")
    refused(typed("explain", run), 2, "is a pretraining")
