"""The rule by which a method fails on a model, fixed before any map was seen, and the words that a report tells it in."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import t as student

from medtf.explain.trust import similarity
from medtf.explain.trust.randomised import Cascade

# A method fails on a model where, on the mean of the pictures,
RANDOM = 0.5  # a map under all weights random has more than half the order of the places in common with the original (rank correlation)
PERMUTED = 0.9  # a head that was fitted to shuffled labels changes the map hardly at all
CLASSES = 0.95  # every other class has the same map
LEAST = 8  # pictures that tell something


@dataclass(frozen=True)
class Verdict:
    """passed: may maps of this method be read on this model? None: it cannot be told. words: for a report, one line. details: numbers behind
    it, ready for JSON."""

    passed: bool | None
    words: str
    details: dict = field(default_factory=dict)


def judge(drawn: Cascade, *, of_classes: np.ndarray | None = None, permuted: np.ndarray | None = None) -> Verdict:
    """The verdict of the checks that were made.

    A method fails by the limits at the top of this file. One that passes is told with a reserve where its maps with all weights random are still more
    like its own than the maps of different pictures are like each other (the lower end of a 95 % interval over pictures; Arun 2021 holds methods
    against the same baseline): part of what it shows was there without training. That alone is no failure, for a convolution with random weights sees
    the picture too. Pictures whose own map is empty tell nothing and are left out.

    Args:
        drawn: of `randomised.cascade`.
        of_classes: (k, n, *spatial), of `labels.of_classes`. permuted: (d, n, *spatial), of `labels.permuted_head`.
    """
    told = drawn.original.reshape(len(drawn.original), -1)
    told = np.flatnonzero(np.ptp(told, axis=1) > 0)
    details = {
        "pictures": len(drawn.original),
        "told": len(told),
        "limits": {"random": RANDOM, "permuted_head": PERMUTED, "other_classes": CLASSES},
    }
    if len(told) < 2:
        empty = len(drawn.original) - len(told)
        return Verdict(
            None, f"Cannot be told: the maps of {empty} of {len(drawn.original)} pictures are empty.", details
        )
    original = drawn.original[told]
    details["steps"] = [
        {"layers": list(paths)} | _alike(original, maps[None, told])
        for paths, maps in zip(drawn.layers, drawn.steps, strict=True)
    ]
    details["random"] = random = _alike(original, drawn.random[:, told])
    if random["rank_correlation"] is None:
        words = "Cannot be told: with random weights the network gives no finite numbers; try it in float32."
        return Verdict(None, words, details)
    pairs = np.nanmean(similarity.between(original), axis=1)
    excess = np.nanmean(_pairs(original, drawn.random[:, told]), axis=0) - pairs
    details["between_pictures"] = _number(pairs.mean())
    details["excess"] = dict(zip(("mean", "low", "high"), _interval(excess), strict=True))
    if of_classes is not None:
        means = [_alike(original, maps[None, told])["rank_correlation"] for maps in of_classes]
        details["other_classes"] = {"rank_correlation": min(means), "each": means}
    if permuted is not None:
        details["permuted_head"] = _alike(original, permuted[:, told])
    return Verdict(not _failures(details), _words(details), details)


def _failures(details: dict) -> list[str]:
    found = []
    if (value := details["random"]["rank_correlation"]) > RANDOM:
        what = "it shows edges of the picture, not what the network learnt"
        if (between := details["between_pictures"]) >= value:
            what = (
                f"it shows much the same of every picture (between pictures {between:.2f}), whatever the network learnt"
            )
        found.append(f"with all weights random its maps still look alike (rank correlation {value:.2f}): {what}")
    if "other_classes" in details and (value := details["other_classes"]["rank_correlation"]) > CLASSES:
        found.append(
            f"its maps of other classes or targets are the same (rank correlation {value:.2f}): it does not show what speaks for this one"
        )
    if "permuted_head" in details and (value := details["permuted_head"]["rank_correlation"]) > PERMUTED:
        found.append(
            f"with a head that was fitted to shuffled labels its maps are the same (rank correlation {value:.2f}): they do not depend on what"
            " the labels taught the head"
        )
    return found


def _words(details: dict) -> str:
    few = f" Told by {details['told']} pictures only." if details["told"] < LEAST else ""
    failures = _failures(details)
    if failures:
        return f"Fails: {'; and '.join(failures)}.{few}"
    value, low = details["random"]["rank_correlation"], details["excess"]["low"]
    said = [f"with all weights random its maps are others (rank correlation {value:.2f})"]
    if "other_classes" in details:
        said.append(f"other classes or targets have other maps ({details['other_classes']['rank_correlation']:.2f})")
    if "permuted_head" in details:
        said.append(f"so has a head fitted to shuffled labels ({details['permuted_head']['rank_correlation']:.2f})")
    words = f"Passes: {', '.join(said[:-1])}{' and ' if len(said) > 1 else ''}{said[-1]}."
    if low is not None and low > 0:
        words += " With a reserve: part of what it shows is there without training, for the maps of different pictures are less alike"
        words += f" ({details['between_pictures']:.2f})."
    return words + few


def _alike(original: np.ndarray, others: np.ndarray) -> dict:
    """Means over pictures and draws; None where no number was finite."""
    correlation = _pairs(original, others)
    finite = np.isfinite(correlation)
    structure = np.array([similarity.ssim(original, maps) for maps in others])
    mean = [_number(values[finite].mean()) if finite.any() else None for values in (correlation, structure)]
    return {"rank_correlation": mean[0], "ssim": mean[1], "draws": len(others)}


def _pairs(original, others) -> np.ndarray:
    return np.array([similarity.rank_correlation(original, maps) for maps in others])


def _interval(values: np.ndarray) -> tuple[float | None, ...]:
    """Mean over pictures and its 95 % interval by Student's t."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return None, None, None
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return tuple(_number(values.mean() + by) for by in (0, -half, half))


def _number(value) -> float:
    return round(float(value), 4)
