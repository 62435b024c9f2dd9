"""Tables of small pictures and volumes that somebody annotates."""

import factory
import numpy as np
import pandas as pd

from medtf import config as configs
from medtf.data.header import read_header


def config_of(*size, **keys):
    """A config whose network sees `size`."""
    model = {"name": "cnn3d" if len(size) == 3 else "mobilenet_v2"}
    spec = {"size": list(size), "aspect": "pad", **keys} if len(size) == 2 else {"size": list(size), **keys}
    return configs.parse({"pipeline": "table", "targets": {"any": "binary"}, "model": model, "input": spec})


def table_of(root, *paths, **columns) -> pd.DataFrame:
    """The rows of files, headers read."""
    rows = [row for path in paths for row in read_header(root, path)]
    assert [row["excluded"] for row in rows] == [""] * len(rows)
    return pd.DataFrame(rows).assign(**columns)


def pictures(root, *paths, shape=(16, 16), **columns) -> pd.DataFrame:
    """Grey PNGs of noise, and their rows."""
    for seed, path in enumerate(paths):
        factory.picture(root / path, np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))
    return table_of(root, *paths, **columns)


def square(shape, rows: slice, columns: slice, value=255) -> np.ndarray:
    """uint8 of `shape`: `value` in a rectangle, else 0."""
    made = np.zeros(shape, np.uint8)
    made[rows, columns] = value
    return made
