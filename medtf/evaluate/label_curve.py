"""A label-fraction curve: the number that a target is known by, over how many labels there were, from each start.

Every point is the mean over its seeds, with an interval over test patients: a draw of patients counts for all starts, shares and seeds
alike. At every share each start is compared to the first one, and p is adjusted over all comparisons of a target by Holm's method.
"""

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.errors import MedtfError
from medtf.evaluate import settings
from medtf.evaluate.metrics import MAIN
from medtf.evaluate.predictions import of_fold, sample

Key = tuple[str, float]  # what it starts from, share of the training patients


def curve(
    frames: dict[Key, list[pd.DataFrame]], counts: dict[Key, list[dict]], targets: dict[str, Target], *, replicates: int
) -> dict:
    """`targets` of curve.json.

    Args:
        frames: {(start, share): predictions of the test fold, one frame a seed}, of the same rows.
        counts: {(start, share): {"patients", "examples"} of the training fold, one a seed}.
        targets: of the config.
        replicates: draws of the test patients, at least.
    Returns:
        {target: {"kind", "metric", "label", "n", "patients", "points": [{weights, share, patients, examples, metric}], "comparisons":
        [{weights, against, share, value, low, high, p, p_holm}]}}; patients and examples of a point are means over its seeds.
    Raises:
        MedtfError: frames of other rows, or with other truths.
    """
    frames = {key: [of_fold(frame, "test") for frame in every] for key, every in frames.items()}
    starts, shares = list(dict.fromkeys(name for name, _ in frames)), sorted({share for _, share in frames})
    pairs = [((name, share), (starts[0], share)) for name in starts[1:] for share in shares]
    found = {}
    for name, target in targets.items():
        truth, patients, answers = _answers(frames, name, target)
        numbers, differences = settings.together(target.kind, truth, patients, answers, pairs, replicates=replicates)
        points = [
            {"weights": key[0], "share": key[1], **_mean(counts[key]), "metric": number}
            for key, number in numbers.items()
        ]
        comparisons = [
            {"weights": a[0], "against": b[0], "share": a[1], **one}
            for (a, b), one in zip(pairs, differences, strict=True)
        ]
        about = {"kind": target.kind, "metric": MAIN[target.kind], "label": settings.label_of(target.kind)}
        about |= {"n": len(truth), "patients": len(np.unique(patients))}
        found[name] = about | {"points": points, "comparisons": comparisons}
    return found


def rows(targets: dict) -> pd.DataFrame:
    """`targets` of curve.json as a sheet: one row a target, start and share; differences are from the first start."""
    made = []
    for name, found in targets.items():
        against = {(one["weights"], one["share"]): one for one in found["comparisons"]}
        for point in found["points"]:
            row = {"target": name, **{key: point[key] for key in ("weights", "share", "patients", "examples")}}
            row |= {"metric": found["metric"], **{key: point["metric"][key] for key in ("value", "low", "high")}}
            row["seeds"] = " ".join("" if one is None else f"{one:.6g}" for one in point["metric"]["seeds"])
            one = against.get((point["weights"], point["share"]), {})
            row |= {f"difference_{key}": one.get(key) for key in ("value", "low", "high")}
            made.append(row | {key: one.get(key) for key in ("p", "p_holm")})
    return pd.DataFrame(made)


def _answers(frames: dict, name: str, target: Target):
    """Truth (n,), patients (n,), and {key: (seeds, n) or (seeds, n, k)} of the rows whose label is known."""
    first, answers = None, {}
    for key, every in frames.items():
        each = []
        for frame in every:
            known = sample(frame, name, target)
            there = frame.iloc[known.at]
            told = (there["row"].tolist(), there["patient"].tolist(), known.truth.tolist())
            first = first or told
            if told != first:
                raise MedtfError(
                    f"{name}: the trainings of {key[0]} at {100 * key[1]:g} % were asked about other test examples, or have other"
                    " labels: all points need one table"
                )
            each.append(known.prediction)
        answers[key] = np.stack(each)
    return np.array(first[2]), np.array(first[1]), answers


def _mean(counts: list[dict]) -> dict:
    return {key: float(np.mean([one[key] for one in counts])) for key in ("patients", "examples")}
