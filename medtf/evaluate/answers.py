"""Several answers to one example (passes of one network, members of an ensemble) as their mean and how far they differ."""

import numpy as np
from scipy.special import entr

from medtf.config import Target

# kinds of answers -> over what they spread, the most telling first
OVER = {"ens": "over the members", "mc": "over passes with dropout on", "tta": "over changed images"}


def telling(columns, name: str, target: Target) -> tuple[str, str] | None:
    """The column of a frame of predictions that tells best how unsure each answer is, and what it is; None where none does.

    Of classes the entropy, of values the standard deviation: of an ensemble, of passes with dropout on, of changed images, in this order; of
    a Gaussian head its own at last. Higher is less sure.
    """
    measure, words = ("sd", "standard deviation") if target.kind == "regression" else ("entropy", "entropy")
    for key, over in OVER.items():
        if f"{name}_{key}_{measure}" in columns:
            return f"{name}_{key}_{measure}", f"{words} {over}"
    if target.head == "gaussian" and f"{name}_sd" in columns:
        return f"{name}_sd", "predicted standard deviation"
    return None


def summary(answers: np.ndarray, name: str, target: Target, key: str) -> dict[str, np.ndarray]:
    """Mean and spread of the answers to each example, float32: `<name>_<key>` (of several classes `<name>_<key>_<i>`), and `spread`.

    Args:
        answers: (T, n, k): probabilities of shape k = 1 (binary) or k classes, values (k = 1), or mean and standard deviation (k = 2).
        name: of the target.
        target: what it is.
        key: of the kind of answers: mc, tta or ens.
    """
    mean = np.asarray(answers, np.float64).mean(axis=0)
    if target.kind == "multiclass":
        columns = {f"{name}_{key}_{i}": values.astype(np.float32) for i, values in enumerate(mean.T)}
    else:
        columns = {f"{name}_{key}": mean[:, 0].astype(np.float32)}
    return columns | spread(answers, name, target, key)


def spread(answers: np.ndarray, name: str, target: Target, key: str) -> dict[str, np.ndarray]:
    """How unsure the answers to each example are, and how far they differ: columns `<name>_<key>_...`, float32.

    Classes: `_sd`, the standard deviation over the answers, of several classes that of the class the mean calls; `_entropy` of the mean, in
    nats: all that is not known; `_mutual_information`, that entropy less the mean of the answers' own, in nats: what is not known because
    they disagree (Houlsby 2011, arXiv 1112.5745; Gal 2017, arXiv 1703.02910). It is 0 where they agree, however unsure they are.

    Values: `_sd`. A Gaussian head gives a mixture of normal distributions: `_sd` is that of the mixture, its square the sum of the
    squares of `_sd_data`, what the answers predict of their own error (root of the mean variance), and `_sd_model`, how far they lie
    apart (Lakshminarayanan 2017, arXiv 1612.01474; Kendall and Gal 2017, arXiv 1703.04977).

    Args:
        answers, name, target, key: as for `summary`.
    """
    answers = np.asarray(answers, np.float64)
    if target.kind == "regression":
        columns = _of_values(answers, target)
    elif target.kind == "binary":
        both = np.concatenate([answers, 1 - answers], axis=2)
        columns = {"sd": answers[..., 0].std(axis=0)} | _entropies(both)
    else:
        called = answers.mean(axis=0).argmax(axis=1)
        columns = {"sd": answers.std(axis=0)[np.arange(len(called)), called]} | _entropies(answers)
    return {f"{name}_{key}_{end}": values.astype(np.float32) for end, values in columns.items()}


def mean_outputs(answers: np.ndarray, target: Target) -> np.ndarray:
    """(T, n, k) as the one answer (n, k) of all: the mean, and of a Gaussian head the deviation of the mixture too."""
    answers = np.asarray(answers, np.float64)
    mean = answers.mean(axis=0)
    if target.head == "gaussian":
        mean[:, 1] = _of_values(answers, target)["sd"]
    return mean.astype(np.float32)


def _of_values(answers: np.ndarray, target: Target) -> dict[str, np.ndarray]:
    apart = answers[..., 0].std(axis=0)
    if target.head != "gaussian":
        return {"sd": apart}
    own = np.sqrt((answers[..., 1] ** 2).mean(axis=0))
    return {"sd": np.hypot(own, apart), "sd_data": own, "sd_model": apart}


def _entropies(probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Of (T, n, classes); rounding must not make an information negative."""
    entropy = entr(np.clip(probabilities.mean(axis=0), 0, 1)).sum(axis=1)
    own = entr(np.clip(probabilities, 0, 1)).sum(axis=2).mean(axis=0)
    return {"entropy": entropy, "mutual_information": np.maximum(entropy - own, 0)}
