"""Samples of one target as `medtf.evaluate.predictions.sample` gives them, without a table."""

import numpy as np

from medtf.evaluate.predictions import Sample


def known(truth, prediction, patients=None) -> Sample:
    """All of them labelled; `patients` (n,) whose each is, default: one each."""
    people = len(truth) if patients is None else len(np.unique(patients))
    return Sample(np.asarray(truth, np.float64), np.asarray(prediction, np.float64), np.arange(len(truth)), people, 0)
