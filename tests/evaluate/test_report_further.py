"""What the report shows and says of numbers with a unit, groups and matched people."""

import re

import numpy as np
import pandas as pd
import pytest
from ages import ages

from medtf.evaluate.draw import group_plots, plots
from medtf.evaluate.draw.figures import figures
from medtf.evaluate.judge import judge
from medtf.evaluate.pages.report import write_report
from medtf.evaluate.pages.words import of_regression, of_sd


@pytest.fixture
def both(config, at):
    """metrics and predictions of age and sex, with everything that can be told."""
    frame = ages(120, shrink=0.7).assign(age_sd=2.0)
    generator = np.random.default_rng(0)
    sex = (np.arange(120) % 2).astype(float)
    size = 1300 + 60 * sex + generator.normal(0, 100, 120)
    frame = frame.assign(sex=1 / (1 + np.exp(-(size - 1330) / 50)), sex_true=sex, covariate_foreground_ml=size)
    frame = frame.assign(covariate_site=["Guys"] * 113 + ["<IOP>"] * 7, covariate_age=frame["age_true"])
    settings = config({"age": "regression", "sex": "binary"}, evaluate={"replicates": 100})
    valid = ages(60, shrink=0.7, fold="valid", seed=1)
    valid = valid.assign(sex=0.5, sex_true=1.0)
    return judge(frame, settings, at("sex"), split="test", fingerprint="f", valid=valid), frame


def test_the_page_says_what_correction_does_and_escapes_groups(both, tmp_path, monkeypatch):
    monkeypatch.setattr(plots, "png", lambda figure: b"no picture")
    metrics, frame = both
    folds = pd.DataFrame({"fold": ["test"], "examples": [120]})
    page = write_report(
        tmp_path / "r.html", metrics=metrics, predictions=frame, config_text="", environment={}, folds=folds
    )
    text = re.sub(r"\s+", " ", page.read_text())
    for wanted in (
        "This uses the true value of the very person who is judged",
        "Both lines were fitted on the validation fold (60 examples of 60 patients)",
        "Floor: mean absolute error of a constant",
        "too few people: 7, expected at least 10",
        "&lt;IOP&gt;",
        "AUC of foreground_ml alone",
        "the model is too sure of itself",
        "Spearman r",
        "20 to &lt;30",
    ):
        assert wanted in text, wanted
    assert "<IOP>" not in text


def test_figures_of_an_age(both):
    drawn = {name: figure for name, _, _, figure in figures(*both)}
    assert {"scatter_age", "bland_altman_age", "by_site_age", "by_age_age"} <= set(drawn)
    labels = [t.get_text() for t in drawn["scatter_age"].axes[0].get_legend().get_texts()]
    assert "identity" in labels
    slope = np.polyfit(both[1]["age_true"], both[1]["age"], 1)[0]
    assert any(f"{slope:.3g} x true" in label for label in labels)
    lines = [line.get_ydata()[0] for line in drawn["bland_altman_age"].axes[0].get_lines()]
    agreement = both[0]["targets"]["age"]["agreement"]
    for key in ("lower_limit", "mean_difference", "upper_limit"):
        assert any(value == pytest.approx(agreement[key]["value"]) for value in lines), key


def test_a_group_of_few_is_named_in_its_figure(both):
    numbers = both[0]["targets"]["age"]
    axes = group_plots.forest(numbers["subgroups"]["site"], "site", numbers).axes[0]
    assert "too few" in {text.get_text() for text in axes.texts}
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["<IOP>\n7 people", "Guys\n113 people", "all\n120 people"]


def test_a_column_whose_groups_are_all_too_small_has_no_figure(both, config):
    frame = both[1].head(20).assign(covariate_site=[f"s{i // 5}" for i in range(20)])
    metrics = judge(frame, config({"age": "regression"}), {}, split="test", fingerprint="f")
    assert len(metrics["targets"]["age"]["subgroups"]["site"]["groups"]) == 4
    assert "by_site_age" not in {name for name, *_ in figures(metrics, frame)}


def test_sentences(both):
    said = of_regression(both[0]["targets"]["age"])
    assert re.match(r"A prediction is off by [\d.]+ \([\d.]+ to [\d.]+\) on average; always guessing the median", said)
    assert "predictions are pulled towards the mean" in said
    share = {"value": 0.95, "low": 0.9, "high": 0.98, "expected": 0.95}
    assert of_sd({"within_1_96_sd": share}).endswith("as it should be.")
    assert "less sure than it could be" in of_sd({"within_1_96_sd": share | {"low": 0.96}})


def test_constant_predictions_still_give_figures(config):
    frame = ages(20).assign(age=50.0)
    metrics = judge(frame, config({"age": "regression"}), {}, split="test", fingerprint="f")
    assert {name for name, *_ in figures(metrics, frame)} == {"scatter_age", "bland_altman_age"}
    metrics = judge(frame.head(1), config({"age": "regression"}), {}, split="test", fingerprint="f")
    assert {name for name, *_ in figures(metrics, frame.head(1))} == {"scatter_age"}
