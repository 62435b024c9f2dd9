"""Rows of files through the reader inside the graph, in a tf.data pipeline as in training."""

import numpy as np
import pandas as pd
import tensorflow as tf

from medtf.data import graph
from medtf.data.header import read_header


def rows_of(root, *names) -> list[dict]:
    """The rows of files, none of which is left out."""
    found = [row for name in names for row in read_header(root, name)]
    assert [row["excluded"] for row in found] == [""] * len(found)
    return found


def through_graph(root, rows, size=None, **how) -> list[np.ndarray]:
    """[(height, width, channels)] of every row; `size` None: as large as the first row."""
    frame, size = pd.DataFrame(rows), size or (rows[0]["read_rows"], rows[0]["read_columns"])
    how = {"aspect": "stretch", "channels": 1, "intensity": "full", "raster_range": "bits"} | how
    layouts, codes = graph.layouts(frame, intensity=how["intensity"])
    branches = [graph.reader(layout, str(root), size, rows=rows, **how) for layout in layouts]
    cells = {name: tf.constant(frame[name].to_numpy(), kind) for name, kind in graph.NUMBERS.items()}
    cells |= {"path": tf.constant(frame["path"].to_list()), "row": tf.range(len(frame)), "code": tf.constant(codes)}
    ds = tf.data.Dataset.from_tensor_slices(cells)
    ds = ds.map(lambda row: tf.switch_case(row["code"], [lambda b=branch: b(row) for branch in branches]))
    return list(ds.as_numpy_iterator())
