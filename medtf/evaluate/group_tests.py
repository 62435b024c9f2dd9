"""The tests for a difference between the groups of one column, one a metric.

They hold where no person stands in two groups. Where some do (an age at each of two studies), every metric is tested by the Wald test with
the groups' joint covariance, clustered by patient, which allows for it.
"""

import numpy as np

from medtf.evaluate import permutation
from medtf.evaluate.compare import holm
from medtf.evaluate.group_metrics import Rows, of_each, too_small, with_influence
from medtf.evaluate.statistics import heterogeneity, influence
from medtf.evaluate.statistics.heterogeneity import untested

_LOGIT = ("auc", "auc_macro")
_MEANS = ("bias", "calibration_in_the_large")
_NO_VARIANCE = "there is no variance to judge differences by"
_SHARES = ("sensitivity", "specificity", "accuracy")


def differences(groups: dict[str, Rows], metrics) -> dict:
    """{metric: test} over the groups that are large enough for that metric.

    Args:
        groups: {name: its rows}. metrics: to test.
    Returns:
        each test as heterogeneity.py makes it, with `groups` (the names compared) and `detectable` (see there; null where undefined).
    """
    found = {}
    for metric in metrics:
        compared = {name: rows for name, rows in groups.items() if too_small(rows, metric) is None}
        if len(compared) < 2:
            found[metric] = untested(
                f"of {len(groups)} groups {len(compared)} have enough people for it, expected at least 2"
            ) | {
                "groups": list(compared),
                "detectable": None,
            }
            continue
        parts = [with_influence(rows, metric) for rows in compared.values()]
        patients = [rows.patients for rows in compared.values()]
        joint = influence.covariance([moved for _, moved in parts], patients)
        test = _one(metric, list(compared.values()), [value for value, _ in parts], joint)
        found[metric] = test | {"groups": list(compared), "detectable": heterogeneity.detectable(joint)}
    return found


def adjust(columns: dict[str, dict]) -> None:
    """Put `p_holm` into the tests {column: {metric: test}}: of each metric, over the columns of one target (Holm 1979)."""
    for metric in {metric: None for tests_ in columns.values() for metric in tests_}:
        of_metric = [tests_[metric] for tests_ in columns.values() if metric in tests_]
        for test, p in zip(of_metric, holm([test["p"] for test in of_metric]), strict=True):
            test["p_holm"] = p


def _one(metric: str, groups: list[Rows], values: list[float], joint: np.ndarray) -> dict:
    everybody = np.concatenate([np.unique(rows.patients) for rows in groups])
    shared = len(np.unique(everybody)) < len(everybody)
    single = all(rows.people == len(rows.truth) for rows in groups)
    if metric in _LOGIT or metric in ("pearson_r", "balanced_accuracy"):
        return _q(metric, groups, values, joint, shared=shared, single=single)
    if metric in _SHARES:
        parts = [rows.of(_taking_part(rows, metric)) for rows in groups]
        if single and not shared:
            counts = [(rows.called == rows.truth).sum() for rows in parts]
            return heterogeneity.proportions(
                [[yes, len(rows.truth) - yes] for yes, rows in zip(counts, parts, strict=True)]
            )
        return _clustered_shares(parts, shared=shared)
    if shared:
        method = _method("Wald test of equality", shared=True, single=False)
        return heterogeneity.cochran_q(values, joint, method, people=_people(groups))
    samples = [_of_people(rows, of_each(rows, metric)) for rows in groups]
    test = heterogeneity.welch(samples) if metric in _MEANS else heterogeneity.kruskal_wallis(samples)
    what = {"mean_absolute_error": "absolute error", "bias": "error"}.get(metric, "probability - label")
    return test | {"method": test["method"] + ("" if single else f" on each patient's mean {what}")}


def _q(metric, groups, values, joint, *, shared: bool, single: bool) -> dict:
    """Cochran's Q on a scale on which the estimate is nearer to normal, and its variance does not hang on its value.

    An AUC near 1 is skewed and cannot pass 1: its logit. A correlation: Fisher's z, though not with the variance 1 / (n - 3), which is
    that of normal variables: ages are not.
    """
    values = np.asarray(values)
    method = "Cochran's Q"
    if metric in _LOGIT:
        if not (np.diagonal(joint) > 0).all() or ((values <= 0) | (values >= 1)).any():
            return (
                permutation.of_auc(groups)
                if not shared
                else untested(f"a group's AUC is 0 or 1: {_NO_VARIANCE}", method)
            )
        slope = 1 / (values * (1 - values))
        values, joint = np.log(values / (1 - values)), joint * np.outer(slope, slope)
        method += " on the logit of the AUC"
    elif metric == "pearson_r":
        if (np.abs(values) > 1 - 1e-12).any():
            return untested(f"a group's r is 1 or -1: {_NO_VARIANCE}", method)
        slope = 1 / (1 - values**2)
        joint = joint * np.outer(slope, slope)
        values = np.arctanh(values)
        method += " on Fisher's z, jackknife variance"
    people = None if single and not shared and metric != "pearson_r" else _people(groups)
    return heterogeneity.cochran_q(values, joint, _method(method, shared=shared, single=single), people=people)


def _clustered_shares(parts: list[Rows], *, shared: bool) -> dict:
    """Shares of right calls where a patient has several rows.

    The influences are taken around the share of all groups together, as the null hypothesis has it: a group in which all or none are
    right then still has a variance.
    """
    correct = [(rows.called == rows.truth).astype(np.float64) for rows in parts]
    pooled = float(np.concatenate(correct).mean())
    method = _method("Cochran's Q, variance under the null hypothesis", shared=shared, single=False)
    if pooled in (0.0, 1.0):
        return untested("the same answer for everybody in all groups", method)
    found = [influence.of_mean(values, rows.patients, pooled) for values, rows in zip(correct, parts, strict=True)]
    joint = influence.covariance([moved for _, moved in found], [rows.patients for rows in parts])
    return heterogeneity.cochran_q([value for value, _ in found], joint, method, people=_people(parts))


def _taking_part(rows: Rows, metric: str) -> np.ndarray:
    if metric == "accuracy":
        return np.ones(len(rows.truth), bool)
    return rows.truth == (metric == "sensitivity")


def _people(groups: list[Rows]) -> int:
    return len(np.unique(np.concatenate([rows.patients for rows in groups])))


def _of_people(rows: Rows, values: np.ndarray) -> np.ndarray:
    """The mean of each patient's values, (people,)."""
    codes = np.unique(rows.patients, return_inverse=True)[1]
    return np.bincount(codes, values) / np.bincount(codes)


def _method(name: str, *, shared: bool, single: bool) -> str:
    if shared:
        return f"{name}, joint covariance of groups that share patients"
    return name if single else f"{name}, variance clustered by patient"
