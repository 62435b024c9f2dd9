"""Patients into folds of given sizes: greedily by what each fold lacks, then, for strata, by exchanges until none helps.

scikit-learn's StratifiedGroupKFold balances one label over folds of equal size. Here folds have sizes of their own and several columns
count at once, so its greedy idea is carried over: patients that are hardest to place first, each to the fold that needs it most.
"""

from itertools import combinations, pairwise, permutations

import numpy as np
import pandas as pd

from medtf.table import is_empty

BINS = 5  # of a number with more than ten values, equally filled
CLASSES = 300  # kinds of patients that one search for an exchange looks at: 300 x 300 pairs take some ms
# what one patient too many costs: in the fold, in a column's value, in a pair of columns' cell, in the cell of all columns. The finer the
# cell the more of its cost is rounding, which must not add up to a fault in the columns themselves
SIZE, COLUMN, PAIR, CELL, ROWS = 4.0, 1.0, 0.5, 0.25, 0.25


def by_columns(frame: pd.DataFrame, codes: np.ndarray, sizes: np.ndarray, columns, seed: int) -> np.ndarray:
    """(patients,) fold numbers with each column balanced by itself: patients and rows that hold each of its values.

    Args:
        frame: rows of the table.
        codes: (rows,) int, the patient of each row, 0 ... patients - 1.
        sizes: (folds,) shares that sum to 1.
        columns: names.
        seed: of the order among equals.
    """
    return _place(_needs(frame, codes, int(codes.max()) + 1, columns), sizes, seed)


def by_strata(frame: pd.DataFrame, codes: np.ndarray, sizes: np.ndarray, columns, seed: int) -> np.ndarray:
    """(patients,) fold numbers with the columns balanced by themselves, in pairs and all at once; arguments as in `by_columns`.

    A cell of the joint table that is too small to be shared out (three women of 80 at one site over ten folds) costs the same wherever its
    patients go; the columns and pairs that it belongs to then decide.
    """
    features, weights = _features(frame, codes, words(frame, codes, columns))
    start = _place(features / features.sum(axis=0), sizes, seed)
    return _exchanged(start, features, weights, sizes, seed)


def words(frame: pd.DataFrame, codes: np.ndarray, columns) -> pd.DataFrame:
    """One row a patient, one word a column: its value, its bin, all its values where it has several, or `unknown`."""
    made = {}
    for name in columns:
        values = frame[name].reset_index(drop=True).mask(is_empty(frame[name]))
        if is_many_numbers(values):
            made[name] = binned(values.groupby(codes).median(), edges(values))
        else:
            pairs = pd.DataFrame({"patient": codes, "word": values}).dropna().drop_duplicates()
            pairs["word"] = pairs["word"].map(plain)
            joined = pairs.drop_duplicates().sort_values("word").groupby("patient")["word"].agg("+".join)
            made[name] = joined.reindex(range(int(codes.max()) + 1)).fillna("unknown")
    return pd.DataFrame(made, index=range(int(codes.max()) + 1))


def plain(value) -> str:
    """`1`, `1.0`, `True` and `"1"` are one value."""
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, (float, np.floating)) and float(value).is_integer()):
        return str(int(value))
    return str(value).strip()


def edges(values: pd.Series) -> np.ndarray:
    """Round edges of bins over the values: decades where they span 20 to 120 (years), else some four to nine bins."""
    low, high = float(values.min()), float(values.max())
    width = 10.0
    if not 20 <= high - low <= 120:
        rough = max(high - low, 1e-9) / 8
        power = 10.0 ** np.floor(np.log10(rough))
        width = next(w * power for w in (1, 2, 5, 10) if w * power >= rough * (1 - 1e-9))
    first = np.floor(low / width) * width
    return first + width * np.arange(int(np.floor((high - first) / width)) + 2)


def binned(values: pd.Series, borders: np.ndarray) -> pd.Series:
    """Each value's bin in words that sort as the bins do: `40 to 50` holds 40 and not 50; `unknown` for NaN."""
    names = [f"{a:g} to {b:g}" for a, b in pairwise(borders)]
    return pd.cut(values, borders, right=False, labels=names).astype(object).fillna("unknown").astype(str)


def is_many_numbers(values: pd.Series) -> bool:
    """Ages and the like: numbers with more than ten values."""
    return pd.api.types.is_numeric_dtype(values) and values.nunique() > 10


def _features(frame: pd.DataFrame, codes: np.ndarray, people: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(patients, features) with about 1 for a patient that has a feature, and (features,) what one patient too many costs."""
    rows = np.bincount(codes).astype(float)
    found, weights = [np.ones(len(people)), rows / rows.mean()], [SIZE, ROWS]
    for size in range(1, len(people.columns) + 1):
        if 2 < size < len(people.columns):
            continue
        for chosen in combinations(people.columns, size):
            first, *others = (people[name] for name in chosen)
            cells = first.str.cat(others, sep="|") if others else first
            counts = cells.value_counts()
            for cell in sorted(counts.index[counts > 1]):  # a cell of one patient cannot be shared out
                found.append((cells == cell).to_numpy(float))
                weights.append({1: COLUMN, 2: PAIR}.get(size, CELL))
    for name in [name for name in people.columns if is_many_numbers(frame[name])]:  # wide bins leave room inside
        values = frame[name].groupby(codes).median()
        finer = pd.qcut(values, 2 * BINS, labels=False, duplicates="drop")
        for number in sorted(finer.dropna().unique()):
            found.append((finer == number).to_numpy(float))
            weights.append(PAIR)
        height = (values.fillna(values.mean()) - values.min()) / values.std()
        found.append(
            np.round(2 * height.to_numpy()) / 2
        )  # the mean; in half deviations, so that some patients stay alike
        weights.append(COLUMN)
    for name in people.columns:  # labels of slices: how many, beside whether
        if people[name].str.contains("+", regex=False).any():
            for value in sorted(frame[name].dropna().unique(), key=str):
                count = np.bincount(codes[(frame[name] == value).to_numpy()], minlength=len(people)).astype(float)
                found.append(count / count[count > 0].mean())
                weights.append(COLUMN)
    return np.stack(found, axis=1), np.array(weights)


def _exchanged(fold, features, weights, sizes, seed: int) -> np.ndarray:
    """Exchange patients of two folds, or move one, as long as it lowers the cost: sum of weight * (has - should have)^2 / fold's size."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x57A7A]))
    kinds, kind = np.unique(features, axis=0, return_inverse=True)
    kinds, kind = np.vstack([kinds, np.zeros(features.shape[1])]), kind.ravel()  # the last kind is nobody: a move
    nobody, fold = len(kinds) - 1, fold.copy()
    off = np.stack([features[fold == f].sum(axis=0) for f in range(len(sizes))]) - sizes[:, None] * features.sum(axis=0)
    idle = 0
    for _ in range(10 * len(fold)):
        some = np.arange(nobody) if nobody <= CLASSES else rng.choice(nobody, CLASSES, replace=False)
        gain, f, g, a, b = _best(np.append(some, nobody), kinds, kind, fold, off, weights, sizes)
        if gain > -1e-9:
            idle += 1
            if nobody <= CLASSES or idle == 20:
                break
            continue
        idle = 0
        picked = [
            (rng.choice(np.flatnonzero((kind == one) & (fold == here))), there)
            for one, here, there in ((a, f, g), (b, g, f))
            if one != nobody
        ]
        for patient, there in picked:
            off[fold[patient]] -= features[patient]
            off[there] += features[patient]
            fold[patient] = there
    return fold


def _best(some, kinds, kind, fold, off, weights, sizes):
    """(change of the cost, f, g, a, b): the exchange of an `a` of fold f for a `b` of fold g that lowers the cost most."""
    chosen, nobody = kinds[some], len(kinds) - 1
    gram = (chosen * weights) @ chosen.T
    distance = np.diag(gram)[:, None] + np.diag(gram)[None, :] - 2 * gram
    counts = np.stack([np.bincount(kind[fold == f], minlength=nobody + 1)[some] for f in range(len(sizes))])
    members = np.bincount(fold, minlength=len(sizes))
    there = (counts > 0) | (some == nobody)
    best = (0.0, 0, 0, nobody, nobody)
    for f, g in permutations(range(len(sizes)), 2):
        slope = (chosen * weights) @ (off[f] / sizes[f] - off[g] / sizes[g])
        change = 2 * (slope[None, :] - slope[:, None]) + distance * (1 / sizes[f] + 1 / sizes[g])
        change = np.where(there[f][:, None] & there[g][None, :], change, np.inf)
        if members[f] == 1:  # never leave a fold without a patient
            change[:, some == nobody] = np.inf
        if members[g] == 1:
            change[some == nobody, :] = np.inf
        a, b = np.unravel_index(np.argmin(change), change.shape)
        if change[a, b] < best[0]:
            best = (float(change[a, b]), f, g, int(some[a]), int(some[b]))
    return best


def _needs(frame: pd.DataFrame, codes: np.ndarray, patients: int, columns) -> np.ndarray:
    """(patients, features): 1 a patient, its examples, and for each class of each column whether (and how often) it has it.

    Each feature is divided by its sum over all patients, so that rare labels weigh as much as common ones.
    """
    features = [np.ones(patients), np.bincount(codes, minlength=patients).astype(float)]
    for name in columns:
        values = frame[name]
        known = ~is_empty(values)
        if is_many_numbers(values):
            values = pd.qcut(values.where(known), BINS, labels=False, duplicates="drop")
        for value in sorted(values[known].unique(), key=str):
            count = np.bincount(codes[(values == value).to_numpy() & known], minlength=patients).astype(float)
            features += [count, np.minimum(count, 1)]
    needs = np.stack(features, axis=1)
    return needs / np.maximum(needs.sum(axis=0), 1)


def _place(needs: np.ndarray, sizes: np.ndarray, seed: int) -> np.ndarray:
    """(patients,) fold numbers. A fold's lack is the squared distance of what it has from its share of every feature."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x5B117]))
    order = rng.permutation(len(needs))
    order = order[np.argsort(-(needs**2).sum(axis=1)[order], kind="stable")]
    have = np.zeros((len(sizes), needs.shape[1]))
    fold = np.empty(len(needs), np.int64)
    members = np.zeros(len(sizes), np.int64)
    left = len(needs)
    for patient in order:
        lack = sizes[:, None] - have
        gain = ((lack**2) - (lack - needs[patient]) ** 2).sum(axis=1) / sizes  # relative to the fold's own size
        empty = members == 0
        if left <= empty.sum():  # never leave a fold without a patient
            gain = np.where(empty, gain, -np.inf)
        best = int(np.argmax(gain))
        fold[patient], have[best], members[best], left = best, have[best] + needs[patient], members[best] + 1, left - 1
    return fold
