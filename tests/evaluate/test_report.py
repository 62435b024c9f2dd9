import os
import re
import subprocess
import sys

import pandas as pd
import pytest
from matplotlib.figure import Figure

from medtf.evaluate.draw import plots
from medtf.evaluate.draw.figures import figures
from medtf.evaluate.judge import judge
from medtf.evaluate.pages.report import write_report

FOLDS = pd.DataFrame({"fold": ["train", "test"], "examples": [12345, 120], "patients": [400, 40]})
HISTORY = pd.DataFrame({"epoch": [0, 1], "loss": [0.7, 0.5], "val_loss": [0.6, 0.55]})


@pytest.fixture
def written(tmp_path, config, predicted, at, monkeypatch):
    """Write a report and read it; figures are drawn, but rendered only where `rendered` (it takes the most time)."""

    def build(targets=None, frame=None, rendered=False, evaluate=None, **options):
        if not rendered:
            monkeypatch.setattr(plots, "png", lambda figure: b"no picture")
        frame = predicted() if frame is None else frame
        settings = config(
            targets or {"any": {"binary": {"positive": "bleeding"}}},
            evaluate={"prevalence": 0.144, "replicates": 50} | (evaluate or {}),
        )
        found = judge(frame, settings, at(*settings.targets), split="test", fingerprint="abc123")
        options = {
            "config_text": "a: 1",
            "environment": {"keras": "3.15"},
            "folds": FOLDS,
            "history": HISTORY,
        } | options
        return write_report(tmp_path / "report.html", metrics=found, predictions=frame, **options).read_text()

    return build


def test_report_is_self_contained(written):
    text = written(rendered=True)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?\s*(?:https?:)?//""", text)
    assert not re.search(r"<script|<link|@import|url\(", text)
    assert set(re.findall(r'<img src="([^"]{22})', text)) == {"data:image/png;base64,"}
    captions = re.findall(r"<figcaption>(ROC|Precision|Counts|Loss)", text)
    assert sorted(captions) == ["Counts", "Loss", "Precision", "ROC"]
    assert text.count("<img") == text.count("<figcaption>")


def test_report_says_what_it_is_and_defines_its_words(written):
    text = re.sub(r"\s+", " ", written())
    for wanted in (
        "For research use; not a medical device.",
        "any = bleeding",
        "the miss rate",
        "Missed positives divided by all examples",
        "given in the config",
        "BCa bootstrap over patients",
        "abc123",
        "12,345",
        "120 examples of 40 patients",
    ):
        assert wanted in text, wanted


def test_anchors_of_the_contents_exist(written, predicted):
    text = written({"any": "binary", "sex": "binary"}, frame=predicted(targets=("any", "sex")))
    wanted = set(re.findall(r'href="#([^"]+)"', text))
    assert {"summary", "data", "target-1", "target-2", "how", "config", "environment"} <= wanted
    assert any(link.startswith("method-") for link in wanted)
    there = re.findall(r'id="([^"]+)"', text)
    assert wanted <= set(there)
    assert len(there) == len(set(there))


def test_names_are_escaped(written):
    evil = "<script>alert(1)</script>"
    text = written(
        {"any": {"binary": {"positive": evil}}},
        title=evil,
        config_text=evil,
        environment={evil: evil},
        warnings=[evil],
        leaks=[evil],
        excluded=pd.DataFrame({"reason": [evil], "count": [2]}),
        folds=pd.DataFrame({"fold": [evil], evil: [evil]}),
        selected={"dropped": 9, "by": {evil: [evil]}},
        card={evil: [evil]},
        facts={evil: [(evil, evil)]},
        people={
            "folds": [evil], "examples": [1], "patients": [1],
            "rows": [{"column": evil, "role": None, "levels": [{"level": evil, "counts": [1]}], "known": [1], "unknown": [0]}],
        },
        gallery={
            "reason": None, "seen": evil, "wide": False,
            "groups": [{"target": "any", "title": evil, "words": evil, "pictures": [
                {"row": evil, "truth": evil, "prediction": evil, "uncertainty": evil, "picture": evil},
            ]}],
        },
    )  # fmt: skip
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 25


def test_what_a_physician_reads_comes_before_what_a_reviewer_checks(written):
    text = written(warnings=["careful"], card={"Known limits": ["one limit."]}, facts={"Network": [("Name", "a net")]})
    order = (
        'class="headline"',
        "careful",
        "Of 100 positive",
        "one limit.",
        "12,345",
        "a net",
        'id="target-1"',
        "Intervals of 95 %",
        "a: 1",
    )
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_what_is_folded_on_a_screen_stands_open_on_paper(written):
    text = written()
    assert text.count("<details") == text.count("</details>") >= 3
    paper = text[text.index("@media print") : text.index("</style>")]
    assert re.search(r"details::details-content \{[^}]*content-visibility: visible", paper)
    assert re.search(r"nav \{ display: none", paper)


def test_every_interval_names_its_method_and_each_method_is_explained_once(written):
    text = written()
    marked = set(re.findall(r'href="#method-(\w)"', text))
    explained = re.findall(r'<dt id="method-(\w)">', text)
    assert len(marked) > 2
    assert marked <= set(explained)
    assert len(explained) == len(set(explained))
    table = text[text.index('id="target-1"') :]
    table = table[: table.index("<details")]
    intervals = re.findall(r'<span class="ci">([^<]+ to [^<]+)(<a)?', table)
    assert len(intervals) > 10
    assert all(link for _, link in intervals), [said for said, link in intervals if not link]


def test_the_flow_and_the_people_are_shown(written):
    people = {
        "folds": ["train", "all"], "examples": [4, 4], "patients": [2, 2],
        "rows": [{"column": "sex", "role": "sex", "levels": [{"level": "F", "counts": [1, 1]}], "known": [2, 2], "unknown": [0, 0]}],
    }  # fmt: skip
    excluded = pd.DataFrame({"reason": ["no pixels"], "count": [7]})
    text = re.sub(
        r"\s+", " ", written(people=people, excluded=excluded, selected={"dropped": 7535, "by": {"view": ["AP", "PA"]}})
    )
    for wanted in (
        "<b>Found</b> 20,007 examples and files",
        "no pixels: 7",
        "view = AP, PA",
        "judged here",
        "1 (50.0)",
    ):
        assert wanted in text, wanted


def test_leaks_stand_in_red_above_the_numbers(written):
    text = written(leaks=["patient p1 stands in two folds"])
    assert "not to be trusted" in text
    assert text.index("patient p1 stands in two folds") < text.index('class="headline"')
    assert "not to be trusted" not in written()


def test_a_single_class_and_no_history_still_give_a_report(written, predicted):
    text = written(frame=predicted().assign(any_true=0.0), history=None)
    assert "one class only" in text
    assert "Confusion" in text
    assert "ROC curve" not in text  # nothing to rank


def test_one_example_a_patient_has_no_second_column(written, predicted):
    assert "Per patient<small>" in written()
    assert "Per patient<small>" not in written(frame=predicted(per=1))


def test_every_kind_of_target_is_reported(written, predicted):
    frame = predicted().assign(age=lambda t: t["row"] * 1.0, age_true=lambda t: t["row"] + 1.0, site_0=0.4, site_1=0.6)
    frame["site_true"] = frame["any_true"]
    text = written({"any": "binary", "age": "regression", "site": {"classes": ["HH", "IOP"]}}, frame=frame)
    for wanted in ("Mean absolute error", "Cohen&#39;s kappa", "IOP", "Floor"):
        assert wanted in text, wanted


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("top 3", "the mean of the 3 highest"),
        ("noisy_or", "1 - the product"),
        ("mean", "the mean of its"),
        ("max", "the largest"),
    ],
)
def test_the_rule_of_patients_is_told_in_words(written, rule, said):
    assert f"a patient's probability is {said}" in written(evaluate={"aggregate": rule}).replace("&#39;", "'")


def test_a_failed_write_leaves_the_old_report(written, tmp_path, monkeypatch):
    written()
    old = (tmp_path / "report.html").read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        written(title="another")
    assert (tmp_path / "report.html").read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_plots_are_written_beside_the_report(written, tmp_path):
    written(rendered=True, plots_folder=tmp_path / "plots")
    names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert {"confusion_any.png", "history.png", "precision_recall_any.png", "roc_any.png"} <= set(names)
    assert (tmp_path / "plots" / "roc_any.png").read_bytes().startswith(b"\x89PNG")


def test_roc_shows_curve_interval_and_threshold(config, predicted, at):
    frame = predicted()
    found = judge(frame, config(evaluate={"replicates": 50}), at("any"), split="test", fingerprint="f")
    drawn = {name: figure for name, _, _, figure in figures(found, frame)}
    axes = drawn["roc_any"].axes[0]
    labels = " ".join(text.get_text() for text in axes.get_legend().get_texts())
    auc = found["targets"]["any"]["auc"]
    assert f"AUC {auc['value']:.3f}  ({auc['low']:.3f} to {auc['high']:.3f})" in labels
    dot = next(line for line in axes.get_lines() if line.get_label().startswith("threshold"))
    numbers = found["targets"]["any"]
    assert dot.get_xydata()[0] == pytest.approx([1 - numbers["specificity"]["value"], numbers["sensitivity"]["value"]])


def test_confusion_prints_counts_and_row_shares():
    texts = {text.get_text() for text in plots.confusion([[3, 1], [0, 0]], ["yes$", "no"]).axes[0].texts}
    assert texts == {"3\n75.0%", "1\n25.0%", "0\n–"}
    assert plots.png(plots.confusion([[3, 1], [0, 0]], ["a$b$c", "no"])).startswith(b"\x89PNG")


def test_history_marks_the_best_epoch():
    figure = plots.history(HISTORY)
    assert isinstance(figure, Figure)
    assert any("best: epoch 2" in line.get_label() for line in figure.axes[0].get_lines())


def test_package_imports_no_framework():
    code = (
        "import sys, medtf.evaluate.judge, medtf.evaluate.pages.report, medtf.evaluate.thresholds;"
        "sys.exit(bool({'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
