"""McNemar's test (1947, Psychometrika 12:153): of those whom two runs call differently, is one right more often than the other?"""

import numpy as np
from scipy import stats

METHOD = "McNemar, mid-p"


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> dict:
    """Two runs' calls of the same people.

    The people whom both call rightly or both wrongly say nothing; of the others half should favour either run (binomial). `p` is the mid-p
    value, which counts the table seen by half: it keeps the 5 % that it promises, whereas the exact test stays well below (Fagerland, Lydersen
    and Laake 2013, BMC Med Res Methodol 13:91). `p_exact` is the exact conditional one, for those who must not pass 5 % in any case.

    Args:
        right_a, right_b: (n,) bool, whether each run calls the person rightly.
    Returns:
        counts `both_right`, `only_a`, `only_b`, `both_wrong`; `p`, `p_exact`, two-sided; `favours` a, b or None.
    """
    a, b = np.asarray(right_a, dtype=bool), np.asarray(right_b, dtype=bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    found = {"both_right": int((a & b).sum()), "only_a": only_a, "only_b": only_b, "both_wrong": int((~a & ~b).sum())}
    p, exact = p_values(only_a, only_b)
    favours = "a" if only_a > only_b else "b" if only_b > only_a else None
    return found | {"p": p, "p_exact": exact, "favours": favours, "method": METHOD}


def p_values(only_a: int, only_b: int) -> tuple[float, float]:
    """Mid-p and exact p, two-sided, of the two counts that differ; both 1 where they are equal or 0."""
    n, fewer = only_a + only_b, min(only_a, only_b)
    if only_a == only_b:
        return 1.0, 1.0
    exact = float(stats.binomtest(fewer, n).pvalue)
    return exact - float(stats.binom.pmf(fewer, n, 0.5)), exact
