"""Heat maps with their annotations on disk: a null reads all of them twice, and of volumes no memory would hold them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medtf.explain.evidence.null import Case


class Kept(Sequence):
    """Cases by position, each a file below a folder that the caller throws away.

    Args:
        folder: is made.
    """

    def __init__(self, folder: Path):
        self.folder, self._patients = Path(folder), []
        self.folder.mkdir(parents=True)

    def add(self, case: Case) -> None:
        """One more case; its map stays float32 to the last bit, so that whatever ties here tied there."""
        packed = {"heat": case.heat.astype(np.float32), "mask": np.packbits(case.mask)}
        if case.brain is not None:
            packed["brain"] = np.packbits(case.brain)
        with open(self._path(len(self)), "wb") as file:
            np.savez(file, **packed)
        self._patients.append(case.patient)

    def __len__(self) -> int:
        return len(self._patients)

    def __getitem__(self, number: int) -> Case:
        if not 0 <= number < len(self):
            raise IndexError(number)
        with np.load(self._path(number)) as held:
            heat = held["heat"]
            mask, brain = (_unpacked(held[name], heat.shape) if name in held else None for name in ("mask", "brain"))
        return Case(heat, mask, self._patients[number], brain)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.npz"


class Masks:
    """The annotations of rows, read when they are asked for, as `summary.ceiling` takes them.

    Args:
        mask: number of a row in the table -> bool array. numbers: {row id: that number}.
    """

    def __init__(self, mask, numbers: dict[int, int]):
        self._mask, self._numbers = mask, numbers

    def __iter__(self):
        return iter(self._numbers)

    def __contains__(self, row: int) -> bool:
        return row in self._numbers

    def __getitem__(self, row: int) -> np.ndarray:
        return self._mask(self._numbers[row])


def _unpacked(bits: np.ndarray, shape) -> np.ndarray:
    return np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape).astype(bool)
