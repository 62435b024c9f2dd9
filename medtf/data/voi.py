"""Values of interest: the window or table by which a DICOM file says how it is meant to be seen (PS3.3 C.11.2), and look-up tables.

Of several windows the first one counts, and a table (VOI LUT Sequence) before a window, for only one of them may be applied. A window that
cannot be used (no width, no number, an unknown function) is as good as none; how many images have none is said (`about`).
"""

import math

import numpy as np
import pandas as pd

from medtf.errors import MedtfError

LUT = "lut"
# VOILUTFunction (0028,1056) -> what `read_voi` holds, and the least width that is allowed (C.11.2.1.2, C.11.2.1.3)
FUNCTIONS = {"LINEAR": ("linear", 1.0), "LINEAR_EXACT": ("linear_exact", 1e-6), "SIGMOID": ("sigmoid", 1e-6)}
NONE = {"read_voi": "", "read_window_center": math.nan, "read_window_width": math.nan}


def columns(ds, *, lut: bool = True) -> dict:
    """`read_voi` (linear, linear_exact, sigmoid, lut, or empty), `read_window_center`, `read_window_width` of a header or functional group.

    Centre and width are as DICOM writes them, in the unit that rescaling leads to.
    """
    if lut and has_lut(ds):
        return NONE | {"read_voi": LUT}
    try:
        center, width = (_first(ds.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
        function = str(ds.get("VOILUTFunction") or "LINEAR").strip().upper()
    except (ValueError, TypeError):  # text where a number belongs; pydicom parses a value when it is asked for
        return NONE
    name, least = FUNCTIONS.get(function, ("", math.inf))
    if not (math.isfinite(center) and math.isfinite(width) and width >= least):
        return NONE
    return {"read_voi": name, "read_window_center": center, "read_window_width": width}


def has_lut(ds) -> bool:
    """Does a header hold a VOI LUT whose first item can be used?"""
    try:
        entries, _, bits, table = _table(ds.VOILUTSequence[0], little_endian=True)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
    return len(table) >= entries and 8 <= bits <= 16


def through_lut(values: np.ndarray, item, *, little_endian: bool, signed: bool = False) -> tuple[np.ndarray, int]:
    """Values through a look-up table (C.11.1.1, C.11.2.1.1), float32 of their shape, and the bits of the table's entries.

    Args:
        values: any real numbers; what lies before the table's first input gets the first entry, what lies behind its last the last.
        item: the first item of a Modality LUT Sequence (0028,3000) or VOI LUT Sequence (0028,3010).
        little_endian: byte order of the file.
    Raises:
        ValueError: a table that is shorter than its descriptor says.
    """
    entries, first, bits, table = _table(item, little_endian=little_endian)
    if signed and first >= 0x8000:  # implicit VR does not tell the sign, and pydicom goes by the stored pixels
        first -= 0x10000
    if len(table) < entries:
        raise ValueError(f"LUTData (0028,3006) holds {len(table)} entries, LUTDescriptor (0028,3002) says {entries}")
    places = np.clip(np.rint(values.astype(np.float64)) - first, 0, entries - 1).astype(np.int64)
    return table[places].astype(np.float32), bits


def about(frame: pd.DataFrame, intensity: str) -> str:
    """What is to be said of images without a window of their own, where `input.intensity` is `voi`; else an empty string.

    Raises:
        MedtfError: the table was made before it held windows.
    """
    if intensity != "voi":
        return ""
    dicom = frame["read_kind"].isin(["raw", "decode"]) & (frame["modality"] != "CT")
    if not dicom.any():
        return ""
    if "read_voi" not in frame:
        raise MedtfError(
            "input.intensity: voi: the table was made before windows were noted in it: index again (medtf index),"
            " or set input.intensity to percentile"
        )
    without = int((frame.loc[dicom, "read_voi"] == "").sum())
    if not without:
        return ""
    return (
        f"input.intensity: voi: {without:,} of {int(dicom.sum()):,} DICOM images hold no window and no VOI LUT that can be used"
        " (0028,1050 0028,1051 0028,3010): these are shown by percentiles"
    )


def _first(value) -> float:
    """The first of one or several numbers; NaN where there is none."""
    if value is None or value == "":
        return math.nan
    return float(value if isinstance(value, (int, float, str)) else value[0])


def _table(item, *, little_endian: bool) -> tuple[int, int, int, np.ndarray]:
    """(entries, first input, bits of an entry, the entries)."""
    entries, first, bits = (int(v) for v in item.LUTDescriptor)
    entries = entries or 65_536  # it has 16 bits itself, and 0 stands for what it cannot hold
    data = item.LUTData
    if isinstance(data, bytes):  # one entry a byte, filled up to an even length, or two bytes
        if len(data) in (entries, entries + entries % 2):
            return entries, first, bits, np.frombuffer(data, "u1")
        return entries, first, bits, np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little_endian else ">u2")
    return entries, first, bits, np.atleast_1d(np.asarray(data, np.int64))
