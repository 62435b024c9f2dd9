"""The same error among women and men, at each site, in each decade of age: an average hides who it is wrong for.

Here groups are made and their numbers gathered; group_metrics.py holds the numbers, group_tests.py the tests, group_words.py the sentences.
"""

import itertools

import numpy as np
import pandas as pd

from medtf.config import Target
from medtf.evaluate import group_metrics, group_tests, group_words
from medtf.evaluate.group_metrics import FEWEST, Rows, too_small
from medtf.evaluate.predictions import Sample, class_names
from medtf.evaluate.statistics.heterogeneity import untested
from medtf.evaluate.statistics.intervals import PatientBootstrap
from medtf.table import is_empty

PREFIX = "covariate_"  # of these columns in the table of predictions; a target of the same name keeps its own
DEFAULT = ("sex", "site", "age")  # where the example table has them
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


def by_group(
    frame: pd.DataFrame,
    known: Sample,
    name: str,
    target: Target,
    bootstrap: PatientBootstrap,
    columns,
    *,
    threshold: float | np.ndarray | None = None,
) -> dict:
    """{column: `groups` (a dict each: `group`, `n`, `patients`, its metrics), `tests` ({metric: test}), `words`}.

    Args:
        frame: predictions of the fold, with `patient` and `covariate_<column>`.
        known: the examples of the target whose label is known. name, target: of it.
        bootstrap: the draws of the fold's patients; every group sees the same draws.
        columns: without the prefix.
        threshold: of a binary target, one for all or (n,) one a known example; None: no sensitivity and specificity.
    """
    whole = rows_of(frame, known, name, target, threshold)
    found, tests = {}, {}
    for column in columns:
        labels = groups(frame[PREFIX + column], column).iloc[known.at]
        if not len(labels.dropna()):
            continue
        split = {str(group): whole.of(np.flatnonzero(labels == group)) for group in labels.cat.categories}
        split = {group: rows for group, rows in split.items() if len(rows.truth)}
        of_groups = [{"group": group, **_numbers(rows, bootstrap)} for group, rows in split.items()]
        unknown = int(labels.isna().sum())
        found[column] = {"groups": of_groups + ([{"group": None, "n": unknown}] if unknown else [])}
        own = column == name  # bins of the true value: a shrunk prediction must differ between them
        tests[column] = _untested(whole.metrics) if own else group_tests.differences(split, whole.metrics)
    group_tests.adjust(tests)
    for column, section in found.items():
        section["tests"] = tests[column]
        section["words"] = group_words.of_column(name, column, section, target.kind)
    return found


def rows_of(
    frame: pd.DataFrame, known: Sample, name: str, target: Target, threshold: float | np.ndarray | None
) -> Rows:
    """The examples of a target as group_metrics.py wants them."""
    called = None
    if target.kind == "multiclass":
        called = known.prediction.argmax(axis=1)
    elif target.kind == "binary" and threshold is not None:
        called = (known.prediction >= threshold).astype(int)
    patients = np.unique(frame["patient"].to_numpy(), return_inverse=True)[1][known.at]
    labels = tuple(f"{name} = {label}" for label in class_names(target))
    return Rows(target.kind, known.truth, known.prediction, patients, known.at, called, labels)


def _numbers(rows: Rows, bootstrap: PatientBootstrap) -> dict:
    """n, people, and each metric with its interval, or the reason why the group is too small for it."""
    result = {"n": len(rows.truth), "patients": rows.people}
    if rows.kind == "binary":
        result["positives"] = int(rows.truth.sum())
    small = {metric: too_small(rows, metric) for metric in rows.metrics}
    values, draws, own = {}, {}, {}
    if None in small.values():
        units = bootstrap.units(rows.at)
        own = group_metrics.own(rows, units)
        statistic = group_metrics.statistic(rows, units)
        values = {metric: float(value[0]) for metric, value in statistic(np.ones((1, rows.people))).items()}
        drawn = bootstrap.intervals != "auto" or own.get("auc") is None
        draws = bootstrap.replicate(group_metrics.statistic(rows, units, auc=drawn), rows.at, by_patient=True)
    why_not = bootstrap.why_not(rows.at)
    for metric, reason in small.items():
        value = None if reason else values[metric]
        undefined = reason or "undefined here"
        result[metric] = group_metrics.shown(
            value, draws.get(metric), undefined=undefined, why_not=why_not, own=own.get(metric)
        )
    return result


def _untested(metrics) -> dict:
    reason = (
        "the groups are made of the true value itself: predictions that are pulled to the mean must differ between them"
    )
    return {metric: untested(reason) | {"groups": [], "detectable": None} for metric in metrics}


def _word(value) -> str:
    """`1` and `1.0` are one value."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
