"""A label-fraction curve from predictions made by hand: numbers, comparisons, sentences, sheet, picture and page."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from medtf.config import parse
from medtf.errors import MedtfError
from medtf.evaluate import label_curve
from medtf.evaluate.draw import curve_plots
from medtf.evaluate.metrics import as_text
from medtf.evaluate.pages import curve_report
from medtf.evaluate.settings_words import of_curve, of_probes

TARGETS = parse(
    {"pipeline": "table", "targets": {"ill": "binary", "site": {"classes": ["a", "b"]}, "age": "regression"}}
).targets
PEOPLE, SHARES = 60, (0.05, 1.0)
ILL = (np.arange(2 * PEOPLE) // 2 % 2).astype(float)


def frame(apart: float, seed: int) -> pd.DataFrame:
    """Two examples of each of 60 people; the further apart the better every target is told."""
    generator = np.random.default_rng(seed)
    probability = 1 / (1 + np.exp(-(apart * (2 * ILL - 1) + generator.normal(size=len(ILL)))))
    found = {"row": np.arange(len(ILL)), "patient": [f"p{i // 2}" for i in range(len(ILL))], "fold": "test"}
    found |= {"ill": probability, "ill_true": ILL, "site_0": 1 - probability, "site_1": probability, "site_true": ILL}
    return pd.DataFrame(
        found | {"age": 50 + 10 * ILL + generator.normal(size=len(ILL)) / (apart + 0.1), "age_true": 50 + 10 * ILL}
    )


@pytest.fixture
def frames():
    """Pretrained is far better with few labels, and the same with all."""
    better = {
        ("from scratch", 0.05): 0.1,
        ("pretrained", 0.05): 2.5,
        ("from scratch", 1.0): 2.5,
        ("pretrained", 1.0): 2.5,
    }
    return {key: [frame(apart, 10 * i + seed) for seed in range(2)] for i, (key, apart) in enumerate(better.items())}


@pytest.fixture
def counts(frames):
    return {key: [{"patients": 400 * key[1], "examples": 800 * key[1]}] * 2 for key in frames}


@pytest.fixture
def content(frames, counts):
    targets = label_curve.curve(frames, counts, TARGETS, replicates=400)
    for name, found in targets.items():
        found["words"] = of_curve(name, found)
    about = {
        "schema": 1,
        "split": "test",
        "model": "mobilenet",
        "weights": ["from scratch", "pretrained"],
        "shares": list(SHARES),
    }
    about |= {"seeds": 2, "probe": None, "least_steps": 0, "targets": targets, "notes": ["a note"], "leaks": []}
    return about | {"intervals": {"replicates": 400, "level": 0.95, "seed": 0}, "fingerprint": "0"}


def test_a_point_is_the_mean_of_its_seeds(content, frames):
    found = content["targets"]["age"]
    assert (found["metric"], found["n"], found["patients"]) == ("mean_absolute_error", 120, 60)
    for point in found["points"]:
        each = [(one["age"] - one["age_true"]).abs().mean() for one in frames[point["weights"], point["share"]]]
        assert point["metric"]["seeds"] == pytest.approx(each)
        assert point["metric"]["value"] == pytest.approx(np.mean(each))
        assert point["patients"] == 400 * point["share"]


@pytest.mark.parametrize("target", ["ill", "site", "age"])
def test_where_pretraining_helps_it_is_said_and_only_there(content, target):
    found = content["targets"][target]
    few, every = found["comparisons"]
    assert (few["share"], few["weights"], few["against"]) == (0.05, "pretrained", "from scratch")
    assert few["p_holm"] < 0.05 < every["p_holm"]
    start = f"pretrained predicts {target} better than from scratch with 5 % (by {as_text(few).removeprefix('-')}) of the labels"
    assert found["words"].startswith(f"{start}; with 100 % the data cannot tell. That it cannot tell is no proof")
    assert "over 60 test patients, p adjusted for 2 comparisons (Holm)." in found["words"]


def test_nothing_can_be_told_and_all_is_worse():
    one = {"weights": "new", "against": "old", "value": 0.01, "low": -1.0, "high": 1.0}
    found = {"kind": "regression", "label": "mean absolute error", "patients": 9, "points": []}
    open_ = {"comparisons": [one | {"share": 0.05, "p_holm": 0.3}, one | {"share": 1.0, "p_holm": None}]}
    words = of_curve("age", found | open_)
    assert words.startswith(
        "With 5 % and 100 % of the labels the data cannot tell which of new and old predicts age better."
    )
    worse = of_curve("age", found | {"comparisons": [one | {"share": 0.05, "value": 2.0, "p_holm": 0.01}]})
    assert worse == (
        "new predicts age worse than old with 5 % (by 2.00) of the labels. By mean absolute error, paired bootstrap over 9 test patients."
    )


def test_labels_that_are_unknown_take_no_part(frames, counts):
    some = {
        key: [one.assign(ill_true=one["ill_true"].where(one["row"] >= 20)) for one in every]
        for key, every in frames.items()
    }
    found = label_curve.curve(some, counts, {"ill": TARGETS["ill"]}, replicates=50)["ill"]
    assert (found["n"], found["patients"]) == (100, 50)


@pytest.mark.parametrize(
    "changed", [lambda f: f.iloc[1:], lambda f: f.assign(ill_true=1 - f["ill_true"]), lambda f: f.assign(patient="p")]
)
def test_points_on_other_examples_are_refused(frames, counts, changed):
    frames["pretrained", 1.0][1] = changed(frames["pretrained", 1.0][1])
    with pytest.raises(
        MedtfError, match="ill: the trainings of pretrained at 100 % were asked about other test examples"
    ):
        label_curve.curve(frames, counts, TARGETS, replicates=50)


def test_the_sheet_has_a_row_a_point(content):
    sheet = label_curve.rows(content["targets"])
    assert len(sheet) == 3 * 2 * 2
    first = sheet[(sheet["weights"] == "from scratch")]
    assert first["difference_value"].isna().all()
    other = sheet[(sheet["weights"] == "pretrained") & (sheet["target"] == "ill") & (sheet["share"] == 0.05)].iloc[0]
    scratch = sheet[(sheet["weights"] == "from scratch") & (sheet["target"] == "ill") & (sheet["share"] == 0.05)].iloc[
        0
    ]
    assert other["difference_value"] == pytest.approx(other["value"] - scratch["value"])
    assert len(other["seeds"].split()) == 2


def test_four_files_that_need_no_others(content, tmp_path):
    content["weights"] = ["from scratch", "<b>pretrained</b>"]
    for found in content["targets"].values():
        for one in [*found["points"], *found["comparisons"]]:
            one["weights"] = one["weights"].replace("pretrained", "<b>pretrained</b>")
    curve_report.write(tmp_path, content, "Labels and ill")
    assert {path.name for path in tmp_path.iterdir()} == {"curve.json", "curve.csv", "curve.png", "curve.html"}
    page = (tmp_path / "curve.html").read_text()
    assert "<b>pretrained</b>" not in page
    assert "&lt;b&gt;pretrained&lt;/b&gt;" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "everything is in the page"
    assert page.count("data:image/png;base64,") == 3
    assert 'class="n better"' in page
    assert "a note" in page
    assert json.loads((tmp_path / "curve.json").read_text())["targets"].keys() == TARGETS.keys()


def test_a_panel_has_a_line_a_start_and_a_tick_a_share(content):
    figure = curve_plots.draw(content["targets"], content["weights"])
    assert len(figure.axes) == 3
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["20\n5 %", "400\n100 %"]
    assert axes.get_xscale() == "log"
    assert {text.get_text() for text in axes.get_legend().get_texts()} == {"from scratch", "pretrained"}
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    points = [p["metric"]["value"] for p in content["targets"]["ill"]["points"] if p["weights"] == "pretrained"]
    assert list(lines["pretrained"]) == points


def test_one_start_alone_is_told_without_a_verdict(frames, counts):
    alone = {key: every for key, every in frames.items() if key[0] == "from scratch"}
    found = label_curve.curve(alone, counts, {"ill": TARGETS["ill"]}, replicates=50)["ill"]
    assert found["comparisons"] == []
    assert re.fullmatch(r"AUC of ill with 100 % of the labels: from scratch 0\.\d+ \(.*\)\.", of_curve("ill", found))


def test_probes_in_words():
    number = {"value": 0.8, "low": 0.7, "high": 0.9}
    probes = [{"weights": name, "method": "linear", "auc": number} for name in ("untrained", "a", "b", "c")]
    between = {"against": "untrained", "method": "linear", "low": 0.0, "high": 0.2}
    comparisons = [
        {"weights": "a", "value": 0.1, "p_holm": 0.01, **between},
        {"weights": "b", "value": -0.1, "p_holm": 0.02, **between},
        {"weights": "c", "value": 0.1, "p_holm": 0.2, **between},
    ]
    found = {"kind": "binary", "metric": "auc", "label": "AUC", "probes": probes, "comparisons": comparisons}
    words = of_probes("ill", found)
    assert "a knows more than untrained (difference 0.100, 0.000 to 0.200, p = 0.010)." in words
    assert "b knows less than untrained" in words
    assert "c cannot be told from untrained" in words
    assert words.endswith("p adjusted for 3 comparisons (Holm).")
