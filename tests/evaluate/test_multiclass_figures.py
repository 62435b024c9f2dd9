"""Figures and sentences of a target with several classes, and the class that is meant, named."""

import warnings

import numpy as np
import pandas as pd
import pytest

from medtf.evaluate.draw import multiclass_plots
from medtf.evaluate.draw.figures import figures
from medtf.evaluate.judge import judge
from medtf.evaluate.pages.words import in_words, of_multiclass

CLASSES = ["T1", "T2", "FLAIR"]


@pytest.fixture
def judged(config):
    def build(p, truth, classes=CLASSES):
        p, truth = np.asarray(p, float), np.asarray(truth, float)
        columns = {f"seq_{i}": p[:, i] for i in range(p.shape[1])}
        frame = pd.DataFrame(
            {"row": range(len(p)), "patient": range(len(p)), "fold": "test", **columns, "seq_true": truth}
        )
        settings = config({"seq": {"classes": classes}}, evaluate={"replicates": 50})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            metrics = judge(frame, settings, {}, split="test", fingerprint="f")
            return metrics, frame, {name: figure for name, _, _, figure in figures(metrics, frame)}

    return build


def calls(*pairs):
    """One-hot answers: (true class, called class, how often)."""
    truth = np.repeat([t for t, _, _ in pairs], [n for _, _, n in pairs])
    called = np.repeat([c for _, c, _ in pairs], [n for _, _, n in pairs])
    return 0.1 + 0.7 * np.eye(3)[called], truth


def test_sentences_name_the_class_that_is_missed_and_for_what(judged):
    # 12 of 20 right; the most frequent class is T1, 10 of 20; of T2 2 of 6 are recognised, 3 taken for FLAIR
    p, truth = calls((0, 0, 8), (0, 1, 2), (1, 1, 2), (1, 2, 3), (1, 0, 1), (2, 2, 2), (2, 0, 2))
    said = of_multiclass(judged(p, truth)[0]["targets"]["seq"])
    assert "Of 100 examples the model names the class of 60 rightly" in said
    assert "always naming the most frequent one, T1, would be right for 50." in said
    assert said.endswith("Missed most often: T2, of which it recognises 33.3\u00a0% of 6 and takes 3 for FLAIR.")


def test_nothing_missed_nothing_said_of_it(judged):
    p, truth = calls((0, 0, 5), (1, 1, 5), (2, 2, 5))
    assert "Missed" not in of_multiclass(judged(p, truth)[0]["targets"]["seq"])


def test_each_class_has_a_curve_with_its_auc(judged):
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 90)
    p = generator.dirichlet(np.ones(3), 90) + np.eye(3)[truth] / 2
    metrics, _, drawn = judged(p / p.sum(axis=1, keepdims=True), truth)
    assert {"roc_seq", "confusion_seq", "classes_seq"} <= set(drawn)
    labels = [text.get_text() for text in drawn["roc_seq"].axes[0].get_legend().get_texts()]
    for name in CLASSES:
        auc = metrics["targets"]["seq"]["per_class"][name]["auc"]["value"]
        assert any(label.startswith(f"{name}: AUC {auc:.3f}") for label in labels), labels
    ticks = [label.get_text() for label in drawn["classes_seq"].axes[0].get_yticklabels()]
    assert ticks == [f"{name}\nn {(truth == i).sum()}" for i, name in enumerate(CLASSES)]


def test_of_many_classes_the_worst_are_drawn(judged):
    generator = np.random.default_rng(0)
    truth = np.arange(240) % 12
    p = generator.dirichlet(np.ones(12), 240) + np.eye(12)[truth] * (truth / 12)[:, None]
    names = [f"c{i}" for i in range(12)]
    metrics, frame, _ = judged(p / p.sum(axis=1, keepdims=True), truth, names)
    numbers = metrics["targets"]["seq"]
    figure = multiclass_plots.roc_per_class(
        frame["seq_true"], frame[[f"seq_{i}" for i in range(12)]].to_numpy(), numbers
    )
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    worst = sorted(names, key=lambda name: numbers["per_class"][name]["auc"]["value"])[:8]
    assert {label.split(":")[0] for label in labels if ": AUC" in label} == set(worst)
    assert "the 8 lowest of 12 classes" in labels


def test_one_class_only_still_gives_figures_and_words(judged):
    p, truth = calls((0, 0, 8), (0, 1, 2))
    metrics, _, drawn = judged(p, truth)
    assert {"confusion_seq", "classes_seq"} <= set(drawn)
    assert "roc_seq" not in drawn
    assert "Missed most often: T1" in of_multiclass(metrics["targets"]["seq"])


def test_the_positive_class_stands_in_titles_and_sentences(config, predicted, at):
    settings = config({"any": {"binary": {"positive": "bleeding"}}}, evaluate={"replicates": 50})
    frame = predicted()
    metrics = judge(frame, settings, at("any"), split="test", fingerprint="f")
    drawn = {name: figure for name, _, _, figure in figures(metrics, frame)}
    for name in ("roc_any", "precision_recall_any"):
        assert drawn[name].axes[0].get_title(loc="left").endswith("any = bleeding")
    said = in_words(metrics["targets"]["any"], "any")
    assert "Of 100 positive examples (any = bleeding)" in said
    assert "of 100 negative examples (any = not bleeding)" in said
    assert in_words(metrics["targets"]["any"]).startswith("Of 100 positive examples the model")
