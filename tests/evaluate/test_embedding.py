"""Figures are made small for the page and look the same; a report of many targets can be mailed."""

import base64
import io

import numpy as np
import pytest
import reported
from PIL import Image

from medtf import reporting
from medtf.evaluate.draw import plots
from medtf.evaluate.pages.embedding import embedded, small_png


@pytest.fixture(scope="module")
def figure() -> bytes:
    truth = np.arange(200) % 2
    score = truth + np.random.default_rng(0).normal(size=200)
    numbers = {
        "auc": {"value": 0.8, "low": 0.7, "high": 0.9},
        "sensitivity": {"value": 0.7},
        "specificity": {"value": 0.7},
    }
    return plots.png(plots.roc(truth, score, numbers | {"threshold": {"value": 0.5}}, title="ROC curve"))


def test_a_figure_becomes_half_as_large_at_most_and_looks_the_same(figure):
    small = small_png(figure)
    assert len(small) < len(figure) / 2
    before, after = (np.asarray(Image.open(io.BytesIO(c)).convert("RGB"), dtype=float) for c in (figure, small))
    assert before.shape == after.shape
    assert np.abs(before - after).mean() < 1  # of 255
    assert np.abs(before - after).max() < 64


def test_a_picture_that_gains_nothing_stays_as_it_is(figure):
    small = small_png(figure)
    assert len(small_png(small)) <= len(small)
    assert small_png(b"no picture") == b"no picture"
    assert base64.b64decode(embedded(b"no picture")) == b"no picture"


@pytest.mark.slow
def test_the_page_of_fourteen_findings_stays_far_below_ten_megabytes(tmp_path):
    frame = reported.people()
    targets = {f"finding_{i}": {"binary": {"positive": "bleeding"}} for i in range(14)}
    run = reported.write(tmp_path / "run", targets=targets, frame=frame.assign(**dict.fromkeys(targets, frame["any"])))
    assert reporting.again(run).stat().st_size < 5_000_000
