"""`medtf report`: the page anew, from the run folder alone."""

import json
import shutil

import pytest
import reported
from commands import medtf, names, refused

from medtf import printing


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return reported.write(tmp_path_factory.mktemp("reported") / "run").folder


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


@pytest.fixture
def undrawn(monkeypatch):
    from medtf.evaluate.draw import plots

    monkeypatch.setattr(plots, "png", lambda figure: b"no picture")


def test_the_page_comes_from_the_folder_alone(typed, run, undrawn):
    (run / "local.json").unlink()  # the data are away
    done = typed("report", run)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"report: {run / 'report.html'}\n"
    text = (run / "report.html").read_text()
    for wanted in ("21,785,568 that training changes", "Intended use and limits", "weights of epoch 2", "view = AP"):
        assert wanted in text, wanted
    first = text
    assert typed("report", run).returncode == 0
    assert (run / "report.html").read_text() == first


def test_it_imports_no_framework(run):
    import subprocess
    import sys

    code = (
        "import sys; from medtf import reporting, runs; reporting.again(runs.existing(sys.argv[1]));"
        "sys.exit(bool({'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, run], check=False).returncode == 0


def test_what_a_report_can_do_without(typed, run, undrawn):
    for name in ("history.csv", "model.json", "thresholds.json", "valid_predictions.parquet"):
        (run / name).unlink()
    done = typed("report", run)
    assert done.returncode == 0, done.stderr
    assert "not recorded (model.json is not in the run)" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("schema", "said"),
    [(1, "judge the run again with `medtf evaluate"), (None, "judge the run again"), (99, "update medtf")],
)
def test_numbers_of_another_schema_are_refused_with_the_way_out(typed, run, monkeypatch, schema, said):
    from medtf import reporting

    monkeypatch.setattr(reporting, "SCHEMA", 2)
    reported.rejudge(run, lambda metrics: metrics.update(schema=schema))
    refused(typed("report", run), 1, "metrics.json: schema", said)
    assert "report.html" not in names(run)


def test_what_is_no_judged_run(typed, run, tmp_path):
    refused(typed("report", tmp_path / "no"), 2, "no such run folder")
    refused(typed("report"), 2, "Missing argument 'RUN'")
    (run / "predictions.parquet").write_text("rubbish")
    refused(typed("report", run), 1, "predictions.parquet: damaged", f"`medtf evaluate {run}`")
    (run / "predictions.parquet").unlink()
    refused(typed("report", run), 1, "predictions.parquet: away")
    (run / "metrics.json").unlink()
    refused(typed("report", run), 2, "not judged yet (no metrics.json)")
    (run / "metrics.json").write_text("{")
    refused(typed("report", run), 1, "metrics.json: damaged: not JSON")


def test_without_a_browser_the_page_is_there_and_one_line_says_what_is_missing(typed, run, undrawn, monkeypatch):
    monkeypatch.setattr(printing, "browser", lambda: None)
    refused(typed("report", run, "--pdf"), 1, "no browser to print with", "MEDTF_BROWSER")
    assert (run / "report.html").is_file()
    assert "report.pdf" not in names(run)


@pytest.mark.skipif(printing.browser() is None, reason="no Chromium or Chrome on this machine")
def test_a_pdf_of_several_pages(run):
    done = medtf("report", run, "--pdf")
    assert done.returncode == 0, done.stderr
    assert f"pdf: {run / 'report.pdf'}" in done.stdout
    content = (run / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") >= 5
    assert not [name for name in names(run) if name.startswith(".")]


def test_json_of_the_run_is_left_as_it_was(typed, run, undrawn):
    before = json.loads((run / "metrics.json").read_text())
    typed("report", run)
    assert json.loads((run / "metrics.json").read_text()) == before
