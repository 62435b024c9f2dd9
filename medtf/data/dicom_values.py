"""What the stored values of a DICOM file mean: rescaling, padding, the maker's window, and where a frame lies; one row a frame.

Sections of the standard: PS3.3 C.11.1 (modality LUT), C.7.5.1.1.2 (pixel padding), C.11.2 (VOI LUT), C.7.6.16.2.10 (VOI LUT of a frame),
C.7.6.2.1.1 (image position).
"""

import math

import numpy as np
import pydicom

from medtf.data import voi
from medtf.data.dicom_tags import LeftOutError, named


def frames(ds, row: dict) -> list[dict]:
    """Rescaling, padding, window and position, one row a frame.

    Raises:
        LeftOutError: frames whose place is not told.
    """
    row |= _padding(ds, row) | (voi.columns(ds) if ds.Modality != "CT" else {})
    count = int(ds.get("NumberOfFrames") or 1)
    per_frame = ds.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        if count > 1:
            raise LeftOutError(
                f"multi-frame ({count}) without frames' geometry: no {named('PerFrameFunctionalGroupsSequence')}"
            )
        place = _position(ds.get("ImagePositionPatient"), ds.get("ImageOrientationPatient"))
        return [row | _rescale(ds) | {"position": place}]
    if len(per_frame) != count:
        raise LeftOutError(
            f"multi-frame: {count} frames but {len(per_frame)} items in {named('PerFrameFunctionalGroupsSequence')}"
        )
    shared = (ds.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    length = row["read_length"] if row["read_kind"] == "raw" else 0
    found = []
    windows = ds.Modality != "CT" and not row["read_voi"]
    for number, groups in enumerate(per_frame):

        def group(name, groups=groups):
            return (groups.get(name) or shared.get(name) or [pydicom.Dataset()])[0]

        place = group("PlanePositionSequence").get("ImagePositionPatient")
        if place is None:
            raise LeftOutError(
                f"multi-frame ({count}) without frames' geometry: frame {number} has no {named('ImagePositionPatient')}"
            )
        turned = group("PlaneOrientationSequence").get("ImageOrientationPatient")
        found.append(
            row
            | _rescale(group("PixelValueTransformationSequence"))
            | (voi.columns(group("FrameVOILUTSequence"), lut=False) if windows else {})
            | {
                "position": _position(place, turned),
                "read_frame": number,
                "read_offset": row["read_offset"] + number * length,
            }
        )
    return found


def _padding(ds, row: dict) -> dict:
    """Padding as a stored value of the pixels' own sign: some writers give it in the other (63536 for -2000)."""
    value = ds.get("PixelPaddingValue")
    if value is None or value == "":
        return {}
    bits = row["read_bits_allocated"]

    def signed_as_pixels(number) -> float:
        if isinstance(number, bytes):
            number = int.from_bytes(number[:2], "little")
        number = int(number) % (1 << bits)
        return float(number - (1 << bits) if row["read_signed"] and number >> (bits - 1) else number)

    ends = [signed_as_pixels(value), signed_as_pixels(ds.get("PixelPaddingRangeLimit", value))]
    return {"read_padding": min(ends), "read_padding_limit": max(ends)}


def _rescale(ds) -> dict:
    slope, intercept = ds.get("RescaleSlope"), ds.get("RescaleIntercept")
    return {
        "read_slope": math.nan if slope in (None, "") else float(slope),
        "read_intercept": math.nan if intercept in (None, "") else float(intercept),
        "_rescale_type": str(ds.get("RescaleType") or ""),
    }


def _position(place, turned) -> float:
    """Millimetres along the slice's normal (PS3.3 C.7.6.2.1.1); NaN without geometry."""
    if place is None or turned is None or len(place) != 3 or len(turned) != 6:
        return math.nan
    along_row, along_column = np.array(turned[:3], float), np.array(turned[3:], float)
    return float(np.dot(np.cross(along_row, along_column), np.array(place, float)))
