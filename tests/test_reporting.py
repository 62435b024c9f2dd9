"""The report of a run: what it takes from the folder, the gallery that it keeps, and that of a cross-validation."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import reported

from medtf import reporting
from medtf.evaluate.draw import plots
from medtf.evaluate.judge import judge

GALLERY = {
    "groups": [
        {
            "target": "any", "kind": "worst", "title": "The worst mistakes", "words": "Furthest from the truth.",
            "pictures": [{"row": 17, "truth": "1", "prediction": "0.02", "uncertainty": "", "picture": "data:image/png;base64,AAAA"}],
        }
    ],
    "seen": "One window.", "wide": False, "reason": None,
}  # fmt: skip
ANY = {"any": {"binary": {"positive": "bleeding"}}}


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(plots, "png", lambda figure: b"no picture")


@pytest.fixture
def run(tmp_path):
    return reported.write(tmp_path / "run", targets=ANY, replicates=50)


def test_the_gallery_is_kept_for_the_next_report(run):
    metrics, found = reporting.judged(run), reporting.predictions(run)
    assert "row 17" in reporting.write(run, metrics, found, pictures=GALLERY).read_text()
    assert "row 17" in reporting.again(run).read_text()
    kept = json.loads((run.folder / "gallery.json").read_text())
    assert (kept["split"], kept["fingerprint"]) == (metrics["split"], metrics["fingerprint"])


def test_a_gallery_of_another_judgement_is_not_shown(run):
    metrics, found = reporting.judged(run), reporting.predictions(run)
    reporting.write(run, metrics, found, pictures=GALLERY)
    text = reporting.write(run, metrics | {"fingerprint": "other"}, found).read_text()
    assert "row 17" not in text
    assert 'id="gallery"' not in text


def test_the_report_goes_where_it_is_asked_to_and_figures_to_the_run(run, tmp_path):
    (run.folder / "report.html").unlink(missing_ok=True)
    path = reporting.again(run, path=tmp_path / "elsewhere.html")
    assert path == tmp_path / "elsewhere.html"
    assert not run.report.exists()
    assert (run.plots / "roc_any.png").is_file()


def test_people_come_from_the_whole_table_not_from_the_judged_fold(run):
    text = reporting.again(run).read_text()
    frame = run.table().frame
    assert f"Trained on {(frame['fold'] == 'train').sum():,} examples of 60 patients (pipeline table)." in text
    assert "<b>Example table</b> 240 examples of 120 patients" in text


def test_a_cross_validation_is_told_by_its_folds(tmp_path):
    frame = reported.people().assign(fold="test")
    frame["cv_fold"] = (np.arange(len(frame)) // 2) % 3
    run = reported.write(tmp_path / "run", targets=ANY, frame=reported.people(), replicates=50)
    from medtf import table

    table.save(table.Table(frame, meta={"salt": "one"}), run.folder / "table.parquet")
    found = reported.predicted(frame, ANY).assign(cv_fold=frame["cv_fold"], any_threshold=0.5)
    found.to_parquet(run.predictions, index=False)
    at = {"any": {"value": 0.5, "rule": "median of the folds", "fold": "valid", "n": 0, "patients": 0}}
    metrics = judge(found, run.config(), at, split="test", fingerprint=run.table().fingerprint())
    run.write_json("metrics.json", metrics)
    text = reporting.again(run).read_text()
    for wanted in (
        "<b>fold 0</b>",
        "<b>fold 2</b>",
        "By fold of the cross-validation",
        "3 networks, each trained without its own fold",
    ):
        assert wanted in text, wanted
    assert text.count('class="here">judged here') == 3


def test_the_config_shown_is_the_one_that_judged(run):
    metrics = reporting.judged(run)
    settings = run.config().evaluate.model_dump(mode="json") | {"replicates": 4321}
    text = reporting.write(run, metrics | {"settings": settings}, reporting.predictions(run)).read_text()
    assert "replicates: 4321" in text
    assert "replicates: 50" in reporting.write(run, metrics, reporting.predictions(run)).read_text()


@pytest.mark.parametrize("fault", ["three people", "one class", "no label", "constant"])
def test_the_poorest_of_folds_still_gives_a_page_and_no_warning(tmp_path, fault):
    frame = reported.people(12 if fault == "three people" else 40, 1)
    if fault == "one class":
        frame["any"] = frame["any"].where(frame["fold"] != "test", "none")
    if fault == "no label":
        frame[["any", "age_years"]] = frame[["any", "age_years"]].where(frame["fold"] != "test")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = reported.write(
            tmp_path / "run", frame=frame, targets={k: reported.TARGETS[k] for k in ("any", "age_years")}
        )
        if fault == "constant":
            found = reporting.predictions(run).assign(any=0.5, age_years=50.0)
            found.to_parquet(run.predictions, index=False)
            chosen = run.read_json("thresholds.json")["targets"]
            metrics = judge(found, run.config(), chosen, split="test", fingerprint="f")
        else:
            metrics = reporting.judged(run)
        text = reporting.write(run, metrics, reporting.predictions(run)).read_text()
    assert "Intended use and limits" in text
    assert not re.search(r"\bnan\b", re.sub(r'data:image[^"]*', "", text), re.IGNORECASE)


def test_an_ordinary_table_keeps_its_folds():
    from medtf.table import Table

    plain = Table(pd.DataFrame({"fold": ["train", "test"]}))
    assert reporting.by_fold(plain) is plain
