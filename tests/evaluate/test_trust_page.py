"""The parts of the report on calibration, conformal sets and what may be left to the machine; their figures."""

import json
import warnings

import numpy as np
import pytest
from samples import known
from scipy.special import expit, softmax

from medtf.config import Target
from medtf.evaluate import calibration_classes, conformal, scaled, scaling, selective
from medtf.evaluate.draw import calibration_plots, trust_plots
from medtf.evaluate.draw.drawing import png
from medtf.evaluate.pages import report
from medtf.evaluate.statistics.intervals import PatientBootstrap

PAGE = """{% from "report_calibration.html.j2" import calibration_section, calibrated_section with context %}
{% from "report_conformal.html.j2" import conformal_section, selective_section with context %}
{% if "calibration" in n %}{{ calibration_section("sex", n) }}{{ calibrated_section(n.calibrated) }}{% endif %}
{{ conformal_section(n.conformal) }}{{ selective_section(n.selective) }}"""


def page(numbers: dict) -> str:
    environment = report.template("report_style.html.j2").environment
    return " ".join(environment.from_string(PAGE).render(n=numbers).split())


def classes(k, n=120, seed=0):
    generator = np.random.default_rng(seed)
    x = 2 * generator.normal(size=(n, k))
    truth = [generator.choice(k, p=softmax(row / 2)) for row in x]
    p = softmax(x, axis=1)
    return known(truth, p[:, 1] if k == 2 else p)


def of_classes(target, k, how="platt", n=120, n_valid=120):
    test, valid = classes(k, n), classes(k, n_valid, seed=1)
    bootstrap = PatientBootstrap(range(n), replicates=100)
    return {
        "positive": "<M>",
        "calibration": calibration_classes.section(test, target, bootstrap),
        "calibrated": scaled.section(test, target, scaling.fit(valid, how, target.kind), bootstrap),
        "conformal": conformal.section(test, valid, bootstrap, 0.1, target=target, people=range(n_valid)),
        "selective": selective.section(test, bootstrap, 0.5 if k == 2 else None, valid=(valid, None)),
    }, test.prediction


def of_values(n=100):
    generator = np.random.default_rng(0)
    sd = generator.uniform(1, 8, n)
    age = generator.normal(60, 10, n)
    sample, bootstrap = known(age, age + sd * generator.normal(size=n)), PatientBootstrap(range(n), replicates=100)
    spread = {"sd": sd, "sd_valid": sd}
    target = Target(kind="regression")
    return {
        "conformal": conformal.section(
            sample, sample, bootstrap, 0.1, target=target, people=range(n), fold="valid", **spread
        ),
        "selective": selective.section(sample, bootstrap, uncertainty=sd, name="predicted standard deviation"),
    }, None


BINARY, LETTERS = Target(kind="binary"), Target(kind="multiclass", classes=("a<b", "b", "c"))
MADE = {
    "binary": lambda: of_classes(BINARY, 2),
    "staircase": lambda: of_classes(BINARY, 2, "isotonic"),
    "several": lambda: of_classes(LETTERS, 3, "temperature"),
    "values": of_values,
    "three": lambda: of_classes(BINARY, 2, n=3, n_valid=8),
}


@pytest.mark.parametrize("which", MADE)
def test_page_and_figures_of_every_kind(which):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        numbers, probabilities = MADE[which]()
        numbers = json.loads(json.dumps(numbers, allow_nan=False))
        text = page(numbers)
        drawn = [*calibration_plots.figures("s$x", numbers, probabilities), *trust_plots.figures("s$x", numbers)]
        assert all(png(figure, dpi=40).startswith(b"\x89PNG") for _, _, figure in drawn)
    assert "<M>" not in text
    assert "a<b" not in text
    expected = {
        "binary": {"reliability", "risk_coverage", "conformal"},
        "several": {"reliability", "reliability_classes", "risk_coverage", "conformal"},
        "values": {"risk_coverage"},
        "three": {"reliability", "risk_coverage"},
    }
    assert {kind for kind, _, _ in drawn} == expected.get(which, expected["binary"])


def test_the_page_says_what_flatters():
    numbers, _ = of_values()
    assert "by construction" in page(numbers)
    numbers, _ = of_classes(BINARY, 2)
    assert "flatters the calibrated numbers" not in page(numbers)
    numbers["calibrated"]["fitted_on"]["judged_too"] = True
    assert "flatters the calibrated numbers" in page(numbers)


def test_reasons_stand_in_place_of_numbers():
    why = {key: {"reason": f"because of {key}"} for key in ("calibration", "calibrated", "conformal", "selective")}
    text = page(why | {"positive": "1"})
    assert all(f"because of {key}" in text for key in why)
    assert not [*calibration_plots.figures("x", why), *trust_plots.figures("x", why)]


def test_a_point_that_lies_outside_its_interval_is_drawn():
    """Wilson's interval of a bin always holds its share, BCa's may not."""
    p = expit(np.linspace(-2, 2, 30))
    numbers, _ = of_classes(BINARY, 2)
    row = numbers["calibration"]["reliability"][0]["observed"]
    row |= {"low": row["value"] + 0.01, "high": row["value"] + 0.02}
    figure = calibration_plots.reliability(numbers["calibration"], title="t", probabilities=p)
    assert png(figure, dpi=40)
