"""Volumes whose foreground is far from their like: a brain that was cut off, a wrong or inverted mask, a header that lies about its size.

Nothing is left out for it, since a small brain is a small brain; whoever trains is told which rows to look at.
"""

import numpy as np
import pandas as pd

from medtf.table import Table

FACTOR = 2.0  # below 1/2 or above 2 times the median; adult brains, and heads, stay within 0.7 to 1.4 of theirs
FEWEST = 6  # volumes of a sequence; a median of fewer says little
SHOWN = 5


def odd_foregrounds(table: Table) -> list[str]:
    """A line for each sequence that holds volumes with odd foregrounds, naming their row numbers; empty without the pixel pass.

    Args:
        table: with `foreground_ml` (ml, NaN = unknown) where its pixels were read; `sequence` groups the rows where it is there.
    """
    frame = table.frame
    if "foreground_ml" not in frame:
        return []
    size = pd.to_numeric(frame["foreground_ml"], errors="coerce")
    groups = frame["sequence"].astype(str) if "sequence" in frame else pd.Series("", index=frame.index)
    said = []
    for name in sorted(groups.unique()):
        inside = np.flatnonzero((groups == name) & size.notna())
        if len(inside) < FEWEST:
            continue
        here = size.to_numpy()[inside]
        middle = float(np.median(here))
        odd = inside[(here < middle / FACTOR) | (here > middle * FACTOR)]
        if len(odd):
            rows = ", ".join(f"{row} ({size.iloc[row]:,.0f} ml)" for row in odd[:SHOWN])
            more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
            said.append(
                f"foreground of {len(odd)} of {len(inside):,} {name + ' ' if name else ''}volumes is less than half or more than twice"
                f" the median of {middle:,.0f} ml: look at row {rows}{more}: cut off, wrong mask, or wrong voxel size?"
            )
    return said
