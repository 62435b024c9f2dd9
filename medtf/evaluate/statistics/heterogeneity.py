"""Do groups differ by more than chance explains? Each test gives {"statistic", "df", "p", "method"}, or nulls with a "reason".

Which one fits depends on the number: Cochran's Q for anything with a variance, chi-squared or Fisher for counts of people, Kruskal-Wallis for
errors, whose distribution is skewed, and Welch's analysis of variance for means.
"""

import numpy as np
from scipy import stats

DRAWS = 9999  # tables of Fisher's test beyond 2 x 2
_EXPECTED = 5  # Cochran (1954): chi-squared holds where no expected count is below 1 and at most a fifth are below 5


def tested(statistic, df, p, method: str) -> dict:
    """One test as it stands in metrics.json."""
    df = None if df is None else [float(d) for d in df] if isinstance(df, tuple) else int(df)
    return {
        "statistic": None if statistic is None else float(statistic),
        "df": df,
        "p": float(min(1.0, p)),
        "method": method,
    }


def untested(reason: str, method: str | None = None) -> dict:
    """No test, and why."""
    return {"statistic": None, "df": None, "p": None, "method": method, "reason": reason}


def cochran_q(estimates, covariance, method: str = "Cochran's Q", *, people: int | None = None) -> dict:
    """Cochran's Q (1954) of k estimates: how far they lie from their weighted mean, in units of their own standard errors.

    Of independent groups it is the sum of (estimate - weighted mean)² / variance. A covariance matrix that is not diagonal (groups that
    share patients) gives the Wald test of equality, which is the same sum in general form.

    Args:
        estimates: (k,), k >= 2. covariance: (k, k), or (k,) variances of independent groups.
        people: how many patients a clustered variance was estimated from: Q / (k - 1) is then held against F with people - k degrees of
            freedom, since with few patients such a variance is itself uncertain. None: Q against chi-squared with k - 1.
    """
    estimates, covariance = np.asarray(estimates, np.float64), np.asarray(covariance, np.float64)
    covariance = np.diag(covariance) if covariance.ndim == 1 else covariance
    spread = np.diagonal(covariance)
    if not (np.isfinite(covariance).all() and np.isfinite(estimates).all() and (spread > 0).all()):
        return untested("a group has no variance to judge differences by", method)
    steps = np.eye(len(estimates))[1:] - np.eye(len(estimates))[0]  # each group less the first
    apart, within = steps @ estimates, steps @ covariance @ steps.T
    if np.linalg.matrix_rank(within, tol=1e-10 * spread.max(), hermitian=True) < len(apart):
        return untested("the groups hold the same people, whose numbers rise and fall together", method)
    q = float(apart @ np.linalg.solve(within, apart))
    df = len(apart)
    if people is None:
        return tested(q, df, stats.chi2.sf(q, df), method)
    rest = max(1, people - len(estimates))
    return tested(q / df, (df, rest), stats.f.sf(q / df, df, rest), method)


def proportions(table) -> dict:
    """Equal shares in all groups? Pearson's chi-squared test, without Yates's correction; Fisher's exact test where counts are small.

    Args:
        table: (k, 2) counts of yes and no, one row a group, each **person** counted once. No empty row.
    """
    table = np.asarray(table)
    if (table.sum(axis=0) == 0).any():
        return untested("the same answer for everybody in all groups", "chi-squared")
    expected = stats.contingency.expected_freq(table)
    if expected.min() >= 1 and (expected < _EXPECTED).mean() <= 0.2:
        found = stats.chi2_contingency(table, correction=False)
        return tested(found.statistic, found.dof, found.pvalue, "Pearson's chi-squared test")
    if table.shape == (2, 2):
        return tested(None, None, stats.fisher_exact(table).pvalue, "Fisher's exact test")
    draws = stats.MonteCarloMethod(n_resamples=DRAWS, rng=np.random.default_rng(0))
    p = stats.fisher_exact(table, method=draws).pvalue
    return tested(None, None, p, f"Fisher's exact test (Freeman and Halton), {DRAWS:,} tables drawn")


def kruskal_wallis(samples) -> dict:
    """Kruskal and Wallis (1952) on k samples of one value a person."""
    pooled = np.concatenate(samples)
    method = "Kruskal-Wallis test"
    if (pooled == pooled[0]).all():
        return untested("the same value for everybody in all groups", method)
    found = stats.kruskal(*samples)
    return tested(found.statistic, len(samples) - 1, found.pvalue, method)


def welch(samples) -> dict:
    """Welch's analysis of variance (1951): equal means, the variances as they may be; k samples of one value a person."""
    method = "Welch's analysis of variance"
    variances = np.array([np.var(sample, ddof=1) if len(sample) > 1 else 0.0 for sample in samples])
    means = np.array([np.mean(sample) for sample in samples])
    if not (variances > 1e-24 * np.maximum(1, means**2)).all():
        return untested("a group has no variance to judge differences by", method)
    found = stats.f_oneway(*samples, equal_var=False)
    weights = np.array([len(sample) for sample in samples]) / variances
    k = len(samples)
    lack = sum((1 - weights / weights.sum()) ** 2 / (np.array([len(sample) for sample in samples]) - 1))
    return tested(found.statistic, (k - 1, (k**2 - 1) / (3 * lack)), found.pvalue, method)


def detectable(covariance) -> float | None:
    """The difference between the two best-measured groups that a test at 5 % would find four times in five.

    Half of all readers take "p = 0.4" for "no difference"; this says how large a difference could have hidden. It is 2.80 standard errors
    of the difference, 1.96 + 0.84, of the pair for which that is smallest.

    Args:
        covariance: (k, k) of the groups' numbers, in their own unit.
    """
    covariance = np.asarray(covariance, np.float64)
    variances = np.diagonal(covariance)
    between = variances[:, None] + variances[None] - 2 * covariance
    above = between[np.triu_indices(len(variances), 1)]
    above = above[np.isfinite(above) & (above > 0)]
    if not len(above):
        return None
    return float((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * np.sqrt(above.min()))
