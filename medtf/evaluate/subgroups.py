"""The same error among women and men, at each site, in each decade of age: an average hides who it is wrong for."""

import itertools

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from medtf.evaluate.intervals import PatientBootstrap, measured
from medtf.evaluate.predictions import Sample
from medtf.evaluate.ranking import Ranking
from medtf.table import is_empty

PREFIX = "covariate_"  # of these columns in the table of predictions; a target of the same name keeps its own
DEFAULT = ("sex", "site", "age")  # where the example table has them
FEWEST = 10  # people in a group; below this its numbers are not given
MOST = 12  # groups of a column; the rarest become one
DECADE = 10


def groups(values: pd.Series, column: str) -> pd.Series:
    """The group of each row as text, None where unknown; `.cat.categories` are the groups in their order.

    Numbers with more than eight values: decades (or twenty years) in a column named age, else five bins of about equal size.
    """
    known = ~is_empty(values)
    numbers = pd.to_numeric(values.where(known), errors="coerce").replace([np.inf, -np.inf], np.nan)
    if numbers[known].notna().all() and numbers.nunique() > 8:
        edges = _edges(numbers[known].to_numpy(np.float64), decades="age" in column.lower().split("_"))
        digits = next((d for d in range(4, 17) if len({f"{e:.{d}g}" for e in edges}) == len(edges)), 17)
        names = [f"{a:.{digits}g} to <{b:.{digits}g}" for a, b in itertools.pairwise(edges)]
        return pd.Series(pd.cut(numbers, edges, right=False, labels=names))
    words = values.where(known).map(_word, na_action="ignore")
    frequent = words.value_counts().index
    if len(frequent) > MOST:
        words = words.where(words.isna() | words.isin(frequent[: MOST - 1]), "other")
    return pd.Series(pd.Categorical(words, categories=sorted(words.dropna().unique())), index=values.index)


def _edges(numbers: np.ndarray, *, decades: bool) -> np.ndarray:
    """Edges of half-open bins [a, b) that hold all numbers: decades where they make sense, else five bins of equal size.

    Twenty years make a bin where most decades would have too few people to say anything of, and most bins of twenty years have enough.
    """
    low, high = numbers.min(), numbers.max()
    if decades and high - low < MOST * DECADE:
        one, two = (
            np.arange(np.floor(low / width) * width, high + width + 1e-9, width) for width in (DECADE, 2 * DECADE)
        )
        fewest = [np.median(np.histogram(numbers, edges)[0]) for edges in (one, two)]
        return two if fewest[0] < FEWEST <= fewest[1] else one
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, 6)))
    edges[-1] = np.nextafter(edges[-1], np.inf)
    return edges


def by_group(frame: pd.DataFrame, known: Sample, kind: str, bootstrap: PatientBootstrap, columns) -> dict:
    """{column: [one dict a group: `group`, `n`, `patients` and its metrics]}.

    Args:
        frame: predictions of the fold, with `covariate_<column>`.
        known: the examples of one target whose label is known. kind: regression or binary.
        bootstrap: the draws of the fold's patients; every group sees the same draws.
        columns: without the prefix.
    """
    found = {}
    for column in columns:
        labels = groups(frame[PREFIX + column], column).iloc[known.at]
        if not len(labels.dropna()):
            continue
        rows = []
        for group in labels.cat.categories:
            inside = np.flatnonzero(labels == group)
            if len(inside):
                rows.append({"group": str(group), **_one(frame, known, inside, kind, bootstrap)})
        unknown = int(labels.isna().sum())
        found[column] = rows + ([{"group": None, "n": unknown}] if unknown else [])
    return found


def _one(frame, known: Sample, inside: np.ndarray, kind: str, bootstrap: PatientBootstrap) -> dict:
    at = known.at[inside]
    truth, prediction = known.truth[inside], known.prediction[inside]
    people = frame["patient"].iloc[at].nunique()
    metrics = _regression(truth, prediction) if kind == "regression" else _binary(truth, prediction)
    values, statistic, undefined = metrics
    few = f"too few people: {people}, expected at least {FEWEST}" if people < FEWEST else None
    replicates = {} if few or None in values.values() else bootstrap.replicate(statistic, at)
    result = {"n": len(inside), "patients": int(people)}
    if kind == "binary":
        result["positives"] = int(truth.sum())
    for name, value in values.items():
        result[name] = measured(
            None if few else value, replicates.get(name), undefined=few or undefined, why_not=bootstrap.why_not(at)
        )
    return result


def _regression(truth, prediction):
    error = prediction - truth
    linear = np.column_stack([np.abs(error), error, np.ones_like(error)])

    def statistic(weights):
        sums = weights @ linear
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"mean_absolute_error": sums[:, 0] / sums[:, 2], "bias": sums[:, 1] / sums[:, 2]}

    return {"mean_absolute_error": np.abs(error).mean(), "bias": error.mean()}, statistic, "undefined here"


def _binary(truth, prediction):
    ranking = Ranking(truth, prediction)
    both = 0 < truth.mean() < 1
    value = roc_auc_score(truth, prediction) if both else None
    return {"auc": value}, lambda weights: {"auc": ranking(weights)[0]}, "this group has one class only"


def _word(value) -> str:
    """`1` and `1.0` are one value."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
