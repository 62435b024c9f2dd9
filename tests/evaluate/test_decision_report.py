"""What a reader sees of thresholds, decision curves and prevalences: figures and pieces of the report."""

import re
import warnings

import numpy as np
import pytest

from medtf.config import Target
from medtf.evaluate.decision import section
from medtf.evaluate.draw import decision_plots
from medtf.evaluate.draw.drawing import png
from medtf.evaluate.judge import judge
from medtf.evaluate.pages.report import template
from medtf.evaluate.predictions import sample
from medtf.evaluate.prevalence import predictive_section, prior_section
from medtf.evaluate.statistics.intervals import PatientBootstrap
from medtf.evaluate.thresholds import choose


@pytest.fixture(autouse=True)
def _nothing_from_the_depths():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def numbers_of(frame, config, rule="youden", given=0.05, trained=0.5):
    """One target's section of metrics.json, and that of its patients."""
    target = {"any": Target(kind="binary")}
    chosen = choose(frame.assign(fold="valid"), target, rule, aggregate="max")
    parsed = config(evaluate={"replicates": 40, "prevalence": given})
    metrics = judge(frame, parsed, chosen, split="test", fingerprint="f")
    numbers, patients = metrics["targets"]["any"], metrics["per_patient"]["targets"]["any"]
    known, bootstrap = sample(frame, "any", target["any"]), PatientBootstrap(frame["patient"], replicates=40)
    marks = {"data": numbers["prevalence"]["value"], "given": given}
    numbers["decision"] = section(known, bootstrap, given)
    numbers["predictive_values"] = predictive_section(known, chosen["any"]["value"], bootstrap, marks)
    numbers["prior"] = prior_section(known, bootstrap, trained, given)
    return numbers, patients


def rendered(macro, *arguments) -> str:
    names = [f"a{i}" for i in range(len(arguments))]
    text = f'{{% from "report_decision.html.j2" import {macro} with context %}}{{{{ {macro}({", ".join(names)}) }}}}'
    environment = template("report.html.j2").environment
    html = environment.from_string(text).render(dict(zip(names, arguments, strict=True)))
    assert "None" not in html
    assert "nan" not in html.lower()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html).replace("&nbsp;", " "))


def all_of(numbers, patients) -> str:
    return " ".join((
        rendered("threshold_section", numbers, patients),
        rendered("predictive_section", "any", numbers),
        rendered("decision_section", numbers["decision"]),
        rendered("prior_section", numbers["prior"]),
    ))  # fmt: skip


def test_the_report_tells_where_the_threshold_comes_from(predicted, config):
    numbers, patients = numbers_of(predicted(), config, {"sensitivity": 0.9})
    text = rendered("threshold_section", numbers, patients)
    assert "sensitivity at least 0.9" in text
    assert "Validation fold, examples" in text
    assert "Judged here, patients" in text
    assert "are too few to show a sensitivity of 0.9: at least 35 are needed" in text  # 1.96² x 9 = 34.6
    assert "after the test" not in text
    numbers["threshold"]["after_test"] = True
    assert "Chosen after the test fold had been judged." in rendered("threshold_section", numbers, patients)


def test_a_threshold_of_an_old_run_has_less_to_say(predicted, config):
    numbers, _ = numbers_of(predicted(), config)
    numbers["threshold"] = {"value": 0.5, "rule": "youden", "fold": "valid", "n": 10, "patients": 5}
    assert "Validation fold" not in rendered("threshold_section", numbers)


def test_a_cost_stands_beside_what_calibrated_probabilities_would_have(predicted, config):
    numbers, patients = numbers_of(predicted(), config, {"cost": 4, "prevalence": 0.1})
    assert "these costs would put the threshold at 0.2 at a prevalence of 10 %" in rendered(
        "threshold_section", numbers, patients
    )


def test_the_report_names_each_prevalence(predicted, config):
    numbers, patients = numbers_of(predicted(), config)
    text = all_of(numbers, patients)
    assert "5 % given in the config" in text
    assert "of this fold" in text
    assert "weighted to the given prevalence of 5 %" in text
    assert "Training saw a prevalence of 50 %; the model is meant for 5 %" in text
    assert "speaks for the model only where they are calibrated" in text


def test_what_cannot_be_known_is_said(predicted, config):
    frame = predicted().assign(any_true=0.0)
    numbers, patients = numbers_of(frame, config)
    text = all_of(numbers, patients)
    assert "one class only" in text
    assert [kind for kind, _, _ in decision_plots.figures("any", numbers)] == []


@pytest.mark.parametrize("change", ["", "constant", "one patient"])
def test_figures_are_drawn_without_a_warning(predicted, config, change):
    frame = predicted()
    if change == "constant":
        frame["any"] = 0.4
    if change == "one patient":
        frame["patient"] = "p"
    numbers, patients = numbers_of(frame, config)
    drawn = {kind: (caption, png(figure)) for kind, caption, figure in decision_plots.figures("any", numbers)}
    assert set(drawn) == {"decision", "predictive_values"}
    assert all("any = 1" in caption and content.startswith(b"\x89PNG") for caption, content in drawn.values())
    all_of(numbers, patients)


def test_the_curve_in_the_figure_is_that_of_the_section(predicted, config):
    numbers, _ = numbers_of(predicted(), config)
    (axes,) = decision_plots.decision_curve(numbers["decision"]).axes
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
    assert lines["act on the model"].tolist() == [row["model"]["value"] for row in numbers["decision"]["curve"]]
    assert lines["treat everyone"].tolist() == [row["treat_all"] for row in numbers["decision"]["curve"]]
