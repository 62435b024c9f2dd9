"""Rows as the network is given them: one picture, one volume, or the patches of a volume and how they lie in it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medtf import pipeline
from medtf.explain.runs.subject import Subject
from medtf.faults import reading


@dataclass(frozen=True)
class Case:
    """One row of a subject.

    number: its place in the subject's table. row: its id, which names it everywhere. image: float32 (height, width, channels), or the whole
    volume (x, y, z, 1) in RAS+ on the grid of `volume_grid.plan`, as far as blocks cover it (NaN elsewhere). blocks: float32 (k, *size,
    channels), what the network was given. starts: int (k, 2 or 3), first pixel of each block, below 0 where it was padded. weights: (k,), how
    much each block counts in the answer.
    """

    number: int
    row: int
    patient: str
    image: np.ndarray
    blocks: np.ndarray
    starts: np.ndarray
    weights: np.ndarray

    @property
    def grid(self) -> tuple[int, ...]:
        """Sides of the picture or volume."""
        return self.image.shape[:-1]

    def whole(self, of_blocks: np.ndarray) -> np.ndarray:
        """Numbers of blocks (k, *size) put together to float32 (*grid): where several overlap, their mean by `weights`; 0 where none is."""
        return together(of_blocks, self.starts, self.weights, self.grid, empty=0.0)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """A changed picture or volume (*grid, channels) as blocks (k, *size, channels): what the network would be given of it."""
        made = self.blocks.copy()
        for block, start in zip(made, self.starts, strict=True):
            here, there = _overlap(start, block.shape[:-1], self.grid)
            block[here] = image[there]
        return made


def cases(subject: Subject, *, progress=None) -> Iterator[Case]:
    """Every row of a subject, in its order, read through the pipeline as in judgement.

    Args:
        progress: called with (done, all) rows.
    Raises:
        MedtfError: a file that is away or damaged.
    """
    config, table = subject.config, subject.table
    rows, starts, shapes = _places(subject)
    ends, held, done = np.searchsorted(rows, np.arange(1, len(table) + 1)), [], 0
    module = pipeline.find(config.pipeline)
    with reading(table, subject.root):
        for images, _, weights in module.dataset(table, subject.root, config, training=False):
            held += list(zip(np.asarray(images), np.asarray(weights), strict=True))
            while done < len(table) and len(held) >= ends[done] - (ends[done - 1] if done else 0):
                count = ends[done] - (ends[done - 1] if done else 0)
                mine, held = held[:count], held[count:]
                yield _case(subject, done, mine, starts[ends[done] - count : ends[done]], shapes[done])
                done += 1
                if progress:
                    progress(done, len(table))


def _places(subject: Subject):
    """Row of each block, its first pixel, and the shape of each row's grid."""
    config, frame = subject.config, subject.table.frame
    if config.model.dimensions == 2:
        count = len(frame)
        return np.arange(count), np.zeros((count, 2), int), [tuple(config.input.size)] * count
    from medtf.data import volume_grid

    plan = volume_grid.plan(frame, config)
    rows, starts = volume_grid.blocks(frame, config, plan)
    return rows, starts, [tuple(int(side) for side in shape) for shape in plan.shapes]


def _case(subject: Subject, number: int, mine, starts: np.ndarray, shape) -> Case:
    blocks, weights = np.stack([block for block, _ in mine]), np.array([weight for _, weight in mine], np.float64)
    if not weights.any():  # a volume without foreground: every block counts alike, as in `predictions.gather`
        weights = np.ones_like(weights)
    channels = [
        together(blocks[..., channel], starts, np.ones(len(blocks)), shape, empty=np.nan)
        for channel in range(blocks.shape[-1])
    ]
    frame = subject.table.frame
    row, patient = int(frame["row"].iloc[number]), str(frame["patient"].iloc[number])
    return Case(number, row, patient, np.stack(channels, axis=-1), blocks, starts, weights)


def together(of_blocks: np.ndarray, starts: np.ndarray, weights: np.ndarray, shape, *, empty: float) -> np.ndarray:
    """Float32 of `shape`: blocks laid down where they begin, the mean by weight where they overlap, `empty` where none lies."""
    total, of = np.zeros(shape, np.float64), np.zeros(shape, np.float64)
    for block, start, weight in zip(of_blocks, starts, np.maximum(weights, 1e-6), strict=True):
        here, there = _overlap(start, block.shape, shape)
        total[there] += weight * block[here]
        of[there] += weight
    return np.divide(total, of, out=np.full(shape, empty), where=of > 0).astype(np.float32)


def _overlap(start, size, shape) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """What of a block lies inside the grid: its own slices, and those of the grid."""
    here, there = [], []
    for first, side, whole in zip(start, size, shape, strict=True):
        low, high = max(first, 0), min(first + side, whole)
        here.append(slice(low - first, high - first))
        there.append(slice(low, high))
    return tuple(here), tuple(there)
