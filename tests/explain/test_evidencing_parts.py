"""The words of a finding follow from its numbers by fixed rules; what stands behind a page, by itself."""

import numpy as np
import pandas as pd
import pytest

from medtf.explain.evidence.null import Case
from medtf.explain.runs import evidence_pictures, evidence_table, evidence_words
from medtf.explain.runs.evidence_kept import Kept


def entry(**changed) -> dict:
    """What the words are made of: people enough, better than a guess, nothing shown."""
    tested = {"p": 0.5, "p_holm": 0.5, "expected": 0.2}
    metric = {"value": 0.2, "low": 0.1, "high": 0.3, "cases": 30}
    return {
        "label": "Grad-CAM",
        "unit": "the logit of any",
        "patients": 30,
        "cases": 30,
        "empty_maps": 0,
        "trust": {"passed": True},
        "performance": {
            "metric": "auc",
            "label": "AUC",
            "value": {"value": 0.9, "low": 0.85, "high": 0.95},
            "floor": 0.5,
            "less_is_better": False,
        },
        "measures": {"pointing": metric},
        "others": {"pointing": tested},
        "shifted": {"pointing": tested},
        "interventions": {"erase": changes()},
    } | changed


def changes(marked=0.0, p=0.8, hottest=0.0, p_hottest=0.8) -> dict:
    def metric(value, **more):
        return {"value": value, "low": value - 1, "high": value + 1} | more

    found = {"annotated": metric(marked), "elsewhere": metric(0.0), "hottest": metric(hottest)}
    found["annotated_more"] = metric(marked, p=p, p_holm=p)
    return found | {"hottest_more": metric(hottest - marked, p=p_hottest, p_holm=p_hottest)}


HITS = {"pointing": {"value": 0.8, "low": 0.7, "high": 0.9, "cases": 30}}
SURE = {"pointing": {"p": 0.001, "p_holm": 0.002, "expected": 0.1}}
WIDE = {"pointing": {"value": 0.4, "low": 0.2, "high": 0.6, "cases": 30}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Grad-CAM does not look where the experts look, and that the answer hangs on what they marked is not shown: AUC 0.900"),
        ({"others": SURE, "measures": HITS}, "Grad-CAM looks where the experts look, but that the answer hangs on what they marked is not shown"),
        ({"others": SURE, "measures": HITS, "interventions": {}}, "Grad-CAM looks where the experts look: "),
        ({"shifted": SURE, "measures": HITS, "interventions": {"erase": changes(2, 0.001)}}, "Grad-CAM looks at the usual place"),
        ({"interventions": {"erase": changes(2, 0.001)}}, "Grad-CAM does not look where the experts look, and yet the answer hangs"),
        ({"interventions": {"erase": changes(2, 0.001, 5, 0.001)}}, "The model is right, but not for the experts' reason"),
        ({"interventions": {"erase": changes(-2, 0.001)}}, "Grad-CAM does not look where the experts look, and that the answer"),
        ({"others": SURE, "interventions": {}}, "Grad-CAM looks mostly elsewhere, though where the experts look more often than chance: AUC"),
        ({"measures": WIDE}, "These data cannot tell whether Grad-CAM looks where the experts look: AUC"),
        ({"patients": 5}, "These data cannot tell whether Grad-CAM looks where the experts look: 5 people are too few"),
        ({"empty_maps": 16}, "These data cannot tell whether Grad-CAM looks where the experts look, for 16 of its 30 maps are empty"),
        ({"trust": {"passed": None}}, "Grad-CAM does not look where the experts look, and that the answer hangs on what they marked is not shown"),
        ({"trust": {"passed": False}}, "Grad-CAM fails its trust check on this model, so its maps are no evidence."),
    ],
)  # fmt: skip
def test_the_finding_follows_its_rules(changed, said):
    assert evidence_words.finding(entry(**changed)).startswith(said)


def test_a_guess_is_not_called_right():
    guess = entry()["performance"] | {"value": {"value": 0.52, "low": 0.4, "high": 0.64}}
    assert evidence_words.finding(entry(performance=guess)).startswith(
        "The model is not shown to be better than a guess"
    )
    years = {
        "metric": "mean_absolute_error",
        "value": {"value": 4, "low": 3, "high": 5},
        "floor": 9,
        "less_is_better": True,
    }
    assert evidence_words.right(years)
    assert not evidence_words.right(years | {"floor": 4.5})


def test_called_and_missed_cases_apart():
    """Two people: one with a hit called and a miss missed, one with a hit called."""
    frame = pd.DataFrame({"row": [0, 1, 2], "patient": ["a", "a", "b"], "right": [1.0, 0.0, 1.0], "area": 0.1})
    for name in evidence_table.SHOWN:
        frame[name] = [1.0, 0.0, 0.5]
    found = evidence_table.by_call(frame, seed=0)
    assert found["right"]["dice"]["value"] == pytest.approx(0.75)
    assert found["wrong"]["dice"]["value"] == 0
    assert found["difference"]["dice"]["value"] == pytest.approx(0.75)
    assert evidence_table.by_call(frame[frame["right"] == 1], seed=0) is None


def test_kept_cases_come_back_to_the_bit(tmp_path):
    generator = np.random.default_rng(0)
    kept, given = Kept(tmp_path / "kept"), []
    for shape, brain in (((5, 7), None), ((3, 4, 5), np.ones((3, 4, 5), bool))):
        given.append(Case(generator.random(shape, np.float32), generator.random(shape) > 0.5, "somebody", brain))
        kept.add(given[-1])
    for one, back in zip(given, kept, strict=True):
        assert back.heat.tobytes() == one.heat.tobytes()
        assert (back.mask == one.mask).all()
        assert back.patient == one.patient
        assert (back.brain is None) if one.brain is None else (back.brain == one.brain).all()


def test_the_outline_hides_nothing_of_what_is_marked():
    drawn, inside = np.full((40, 40, 3), 100, np.uint8), np.zeros((40, 40), bool)
    inside[10:20, 10:20] = True
    made = evidence_pictures.outlined(drawn, inside)
    assert (made[inside] == 100).all()
    changed = (made != drawn).any(axis=-1)
    assert changed[9, 10:20].all(), "a line on every side"
    assert changed[10:20, 9].all()
    assert changed[20, 10:20].all()
    assert not changed[:6].any(), "three pixels wide"
    assert {0, 255} == set(np.unique(made[changed])), "light and dark, so that it shows on both"


def test_best_and_worst_are_of_different_cases():
    frame = pd.DataFrame({"patient": list("aabcd"), "pointing": [1, 0, 1, 0, 0], "mass": [0.9, 0.1, 0.5, 0.3, 0.2]})
    best, worst = evidence_pictures.chosen(frame, 2)
    assert best == [0, 2]
    assert worst == [1, 4], "the worst first, one a person"
