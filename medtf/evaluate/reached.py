"""What a threshold gives on the fold it was chosen on."""

import numpy as np

from medtf.evaluate.predictions import Sample
from medtf.evaluate.statistics.rates import share_interval


def reached(known: Sample, people: np.ndarray, threshold: float) -> dict:
    """Sensitivity and specificity on the validation fold, with intervals that hold the threshold where it is.

    The threshold was chosen to be good on these very people, so both are a little too good; the test fold says how much.

    Args:
        known: the examples, or the patients, with a known label; at least one.
        people: (n,) patient of each.
        threshold: called positive from here on.

    Returns:
        {"positives", "negatives", "sensitivity", "specificity"}; each of the last two a metric by Wilson (see rates.py), with `units`,
        the number of patients behind it.
    """
    truth, called = known.truth == 1, known.prediction >= threshold
    units = np.unique(people, return_inverse=True)[1]
    found = {"positives": int(truth.sum()), "negatives": int((~truth).sum())}
    for name, of, right in (("sensitivity", truth, called), ("specificity", ~truth, ~called)):
        kind = "positive" if name == "sensitivity" else "negative"
        found[name] = _share(right[of], units[of], undefined=f"no {kind} example")
    return found


def _share(right: np.ndarray, units: np.ndarray, *, undefined: str) -> dict:
    people = len(np.unique(units))
    found = {"value": None, "low": None, "high": None, "units": people}
    if not people:
        return found | {"reason": undefined}
    found["value"] = float(right.mean())
    if people == 1 and len(right) > 1:
        return found | {"reason": "no interval: a single patient"}
    return found | share_interval(right, units)._asdict()
