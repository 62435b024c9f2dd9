"""The parts of the page that show groups, rules of aggregation, classes and series."""

import re

import numpy as np
import pytest

from medtf.evaluate.draw.figures import figures
from medtf.evaluate.judge import judge
from medtf.evaluate.metrics import DEFINITIONS, PER_CLASS
from medtf.evaluate.pages.report import template


@pytest.fixture
def metrics(config, predicted, at):
    """Of a binary target and one with classes, six examples a patient, by site."""
    generator = np.random.default_rng(0)
    frame = predicted(patients=90, per=6)
    truth = np.repeat(generator.integers(0, 3, 90), 6)
    p = generator.dirichlet(np.ones(3), len(frame)) + 0.3 * np.eye(3)[truth]
    p /= p.sum(axis=1, keepdims=True)
    frame = frame.assign(seq_0=p[:, 0], seq_1=p[:, 1], seq_2=p[:, 2], seq_true=truth.astype(float))
    frame["covariate_site"] = np.repeat(["Guys", "<HH>", None], [240, 240, 60])
    targets = {"any": {"binary": {"positive": "bleeding"}}, "seq": {"classes": ["T1", "T2", "<b>"]}}
    settings = config(targets, evaluate={"replicates": 50})
    valid = frame.assign(fold="valid")
    return judge(frame, settings, at("any"), split="test", fingerprint="f", valid=valid)


def text(name: str, macro: str, *arguments, **context) -> str:
    module = template(name).make_module({"per_class": PER_CLASS, "definitions": DEFINITIONS, **context})
    page = str(getattr(module, macro)(*arguments))
    assert "<b>" not in page.replace("<b>Two", "")
    assert "<HH>" not in page
    return re.sub(r"\s+", " ", page)


def test_groups(metrics):
    for name, first in (("any", "AUC"), ("seq", "AUC, macro")):
        numbers = metrics["targets"][name]
        page = text("report_further.html.j2", "subgroup_section", numbers["kind"], numbers["subgroups"])
        test = next(iter(numbers["subgroups"]["site"]["tests"].values()))
        assert f'<th class="n">{first}</th>' in page
        assert "&lt;HH&gt;" in page
        assert '<th scope="row">unknown</th>' in page
        assert test["method"].replace("'", "&#39;") in page
        assert numbers["subgroups"]["site"]["words"].split("<")[0][:60] in page.replace("&lt;", "<")
        assert "Difference<small>p, after Holm" in page


def test_rules_of_aggregation(metrics):
    for name in ("any", "seq"):
        numbers = metrics["targets"][name]
        rules = numbers["aggregation"]
        page = text("report_further.html.j2", "aggregation_section", rules, numbers["kind"])
        assert page.count("in use</small>") == 1
        assert page.count("<tr>") == 1 + len(rules["rules"])
        assert "validation fold</small>" in page
        assert rules["words"] in page


def test_classes_and_their_confusion(metrics):
    numbers, patients = metrics["targets"]["seq"], metrics["per_patient"]["targets"]["seq"]
    page = text("report_parts.html.j2", "multiclass_details", numbers, patients, one_example_a_patient=False)
    assert "By class, per patient" in page
    assert "truly &lt;b&gt;" in page
    total = sum(numbers["confusion"][0])
    share = 100 * numbers["confusion"][0][1] / total
    assert f"{numbers['confusion'][0][1]} <small>{share:.0f} %</small>" in page
    alone = text("report_parts.html.j2", "multiclass_details", numbers, one_example_a_patient=True)
    assert "per patient" not in alone


def test_series(metrics):
    series = metrics["per_patient"]["targets"]["any"]  # of the same form
    page = text("report_further.html.j2", "series_section", DEFINITIONS["binary"], series)
    assert "Per series<small>90 of 90 patients" in page
    assert "The threshold is that of patients, 0.5." in page


def test_a_figures_name_is_one_file_whatever_the_column_is_called(config, predicted, at):
    frame = predicted(patients=60, per=1).assign(covariate_foo="A")
    frame = frame.rename(columns={"covariate_foo": "covariate_../site (a/b)"})
    settings = config(evaluate={"replicates": 50, "subgroups": ["../site (a/b)"]})
    found = judge(frame, settings, at("any"), split="test", fingerprint="f")
    assert "by_.._site_a_b__any" in {name for name, *_ in figures(found, frame)}
