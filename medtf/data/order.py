"""The order of examples: a seeded stream of row numbers, never of images.

The order is a pure function of (seed, epoch): undersampling, shuffling, sharding and seeking happen on integers, so a perfect shuffle of a
million examples costs 8 MB, and the stream from step s on can be had without touching a file.
"""

from dataclasses import dataclass, field

import numpy as np

from medtf.config import Undersample


@dataclass(frozen=True, eq=False)
class Order:
    """Which row comes when.

    Args:
        rows: int64 (n,), row numbers of the fold.
        classes: int64 (n,), class of each row for undersampling; -1 = unknown (never undersampled).
        patients: int64 (n,), a number for each row's patient.
        policy: `none`, `fixed` (one draw of the majority for all epochs), `each_epoch` (a fresh draw), `weighted` and `balanced` (with
            replacement: classes of one target, or of all of them at once).
        seed: of everything drawn here.
        weights: float64 (n,), how often each row is drawn against the others; `balanced` only: see `balanced_weights`.
    """

    rows: np.ndarray
    classes: np.ndarray
    patients: np.ndarray
    policy: Undersample = field(default_factory=Undersample)
    seed: int = 0
    weights: np.ndarray | None = None

    def epoch(self, epoch: int) -> np.ndarray:
        """Row numbers of one epoch, int64; the same for the same (seed, epoch), whatever was asked before."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, epoch]))
        if self.policy.policy in ("weighted", "balanced"):
            weights = self._weights() if self.policy.policy == "weighted" else self.weights / self.weights.sum()
            return self.rows[rng.choice(len(self.rows), len(self.rows), p=weights)]
        if self.policy.policy == "none":
            return rng.permutation(self.rows)
        drawn_by = (
            np.random.default_rng(np.random.SeedSequence([self.seed, 0xF17ED]))
            if self.policy.policy == "fixed"
            else rng
        )
        return rng.permutation(self.rows[self._drawn(drawn_by)])

    def steps(self, batch_size: int) -> int:
        """Whole batches of an epoch; what does not fill the last one is left out of that epoch (others, each time: the shuffle is fresh)."""
        return self.length() // batch_size

    def length(self) -> int:
        """Examples of an epoch; the same for every epoch under `level: examples`, nearly so under `level: patients`."""
        if self.policy.policy in ("none", "weighted", "balanced"):
            return len(self.rows)
        if self.policy.level == "examples":
            return int(sum(self._quota(self.classes).values()) + (self.classes < 0).sum())
        # patients have different numbers of examples: the shortest of the first epochs bounds the steps
        return min(len(self.epoch(e)) for e in range(8))

    def batches(self, epoch: int, batch_size: int, *, step: int = 0, shard: tuple[int, int] = (0, 1)) -> np.ndarray:
        """int64 (steps - step, batch_size / shards): what process `shard[0]` of `shard[1]` reads from `step` on."""
        index, count = shard
        steps = self.steps(batch_size)
        # np.resize repeats from the front: a draw of patients can fall a few examples short of the usual length
        whole = np.resize(self.epoch(epoch), steps * batch_size).reshape(steps, batch_size)
        return whole[step:, index::count]

    def _quota(self, classes: np.ndarray) -> dict[int, int]:
        """How many of each class an epoch holds: all of the smallest, at most `ratio` times as many of each other."""
        names, sizes = np.unique(classes[classes >= 0], return_counts=True)
        if len(names) == 0:
            return {}
        most = max(1, round(sizes.min() * self.policy.ratio))
        return {
            int(name): int(size if size == sizes.min() else min(size, most))
            for name, size in zip(names, sizes, strict=True)
        }

    def _drawn(self, rng: np.random.Generator) -> np.ndarray:
        """Places in `rows` that this draw keeps, in ascending order."""
        if self.policy.level == "examples":
            unit_of_row, unit_classes = np.arange(len(self.rows)), self.classes
        else:  # a patient's class is the largest of its examples: one bleeding slice makes a bleeding patient
            _, unit_of_row = np.unique(self.patients, return_inverse=True)
            unit_classes = np.full(unit_of_row.max() + 1, -1)
            np.maximum.at(unit_classes, unit_of_row, self.classes)
        keep = unit_classes < 0
        for name, size in self._quota(unit_classes).items():
            keep[rng.permutation(np.flatnonzero(unit_classes == name))[:size]] = True
        return np.flatnonzero(keep[unit_of_row])

    def _weights(self) -> np.ndarray:
        """Probability of each row: every class is drawn equally often; rows of unknown class as often as the average row."""
        weights = np.ones(len(self.rows))
        names, sizes = np.unique(self.classes[self.classes >= 0], return_counts=True)
        for name, size in zip(names, sizes, strict=True):
            weights[self.classes == name] = (self.classes >= 0).sum() / (len(names) * size)
        return weights / weights.sum()


def classes_of(labels: np.ndarray) -> np.ndarray:
    """int64 (n,): class of each row of a label array (n, k); -1 where it is unknown."""
    known = ~np.isnan(labels).any(axis=1)
    classes = np.full(len(labels), -1)
    classes[known] = (labels[known].argmax(axis=1) if labels.shape[1] > 1 else labels[known, 0]).astype(np.int64)
    return classes


def balanced_weights(labels: dict[str, np.ndarray]) -> np.ndarray | None:
    """Float64 (n,): how often each row is drawn where the classes of several targets are balanced at once.

    A row's weight is the mean, over the targets that it has a label of, of 1 / (share of its class among the known labels of that target):
    so each class of each target brings the same weight into the draw. Rows without any label get the mean weight of the others; a target
    with one class in the fold has nothing to balance and is left out.

    With one target every class is drawn equally often. With several it is a middle way: a row is drawn with all its labels, and a finding
    that is rare among many targets comes more often than it is, but not as often as its absence.

    Args:
        labels: (n, k) of each binary and multi-class target, NaN = unknown.

    Returns:
        The weights; None where no target has two classes.
    """
    total, targets = 0.0, 0
    for values in labels.values():
        classes = classes_of(values)
        known = classes >= 0
        sizes = np.bincount(classes[known])
        if (sizes > 0).sum() < 2:
            continue
        weights = np.zeros(len(classes))
        weights[known] = known.sum() / sizes[classes[known]]
        total, targets = total + weights, targets + known.astype(int)
    if np.ndim(targets) == 0:
        return None
    found = total / np.maximum(targets, 1)
    found[targets == 0] = found[targets > 0].mean()
    return found
