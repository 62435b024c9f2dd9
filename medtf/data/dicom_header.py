"""DICOM headers to rows: geometry, byte ranges, rescaling, and the reasons for which a file is no example.

Tags are named as `Keyword (gggg,eeee)` in every reason. Sections of the standard: PS3.3 C.7.6.3 (image pixel), C.11.1 (modality LUT),
C.7.5.1.1.2 (pixel padding), C.8.2.1 (CT image), PS3.5 A.4 (encapsulation).
"""

import math
import struct
from pathlib import Path

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRBigEndian

# Modalities that hold pictures of a patient; everything else (SR, SEG, RTDOSE, OT, ...) is named and left out.
IMAGES = {"CT", "MR", "CR", "DX", "RG", "RF", "MG", "XA", "PX", "IO"}
SLICES = {"CT", "MR"}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"


class _LeftOutError(Exception):
    """Carries the reason for which a file is no example."""


def rows(empty: dict, full: Path, *, has_preamble: bool) -> list[dict]:
    """Rows of one DICOM file, one a frame; or one row with `excluded`, which keeps what could be read of the rest."""
    try:
        with open(full, "rb") as file:
            ds = pydicom.dcmread(file, stop_before_pixels=True, force=not has_preamble)
            after_header = file.tell()
    except InvalidDicomError:
        return [empty | {"excluded": "not an image: no DICOM, PNG or JPEG header"}]
    except Exception as error:  # pydicom raises many kinds on broken headers; each is a verdict on the file
        return [empty | {"excluded": _broken(error)}]
    found = [empty]
    try:
        if not has_preamble and not any(k in ds for k in ("SOPClassUID", "Rows", "Modality")):
            raise _LeftOutError("not an image: no DICOM, PNG or JPEG header")
        found = [empty | _who(ds)]
        _what(ds)
        found = _frames(ds, found[0] | _pixels(ds, full, after_header))
        _is_example(ds, found)
    except _LeftOutError as reason:
        return [found[0] | {"excluded": str(reason)}]
    except Exception as error:  # as above: pydicom parses values late, and raises here what they hold
        return [found[0] | {"excluded": _broken(error)}]
    return found


def _broken(error: Exception) -> str:
    return f"broken DICOM header: {type(error).__name__}: {error}".splitlines()[0][:160]


def _named(keyword: str) -> str:
    tag = tag_for_keyword(keyword)
    return f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _need(ds, keyword: str):
    value = ds.get(keyword)
    if value is None or value == "":
        raise _LeftOutError(f"no {_named(keyword)}")
    return value


def _who(ds) -> dict:
    text = {k: str(ds.get(v) or "").strip() for k, v in _WHO.items()}
    return text | {
        "age": _years(str(ds.get("PatientAge") or "")),
        "syntax": str(ds.file_meta.get("TransferSyntaxUID") or ""),
    }


_WHO = {
    "patient": "PatientID",
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "modality": "Modality",
    "sex": "PatientSex",
    "manufacturer": "Manufacturer",
}


def _years(age: str) -> float:
    """`045Y`, `018M`, `003W`, `010D` (PS3.5 6.2, AS) in years; NaN when it is anything else."""
    per_year = {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}
    if len(age) == 4 and age[:3].isdigit() and age[3] in per_year:
        return int(age[:3]) / per_year[age[3]]
    return math.nan


def _what(ds) -> None:
    """Is it a picture of a patient at all?"""
    if ds.file_meta.get("MediaStorageSOPClassUID") == MEDIA_DIRECTORY or "DirectoryRecordSequence" in ds:
        raise _LeftOutError("DICOMDIR: a list of files, not an image")
    if (
        "SOPClassUID" in ds
        and not UID(ds.SOPClassUID).is_private
        and "Rows" not in ds
        and "Modality" in ds
        and ds.Modality not in IMAGES
    ):
        raise _LeftOutError(f"no pixel data ({UID(ds.SOPClassUID).name})")
    if not ds.file_meta.get("TransferSyntaxUID"):
        raise _LeftOutError(f"no {_named('TransferSyntaxUID')}: how the pixels are stored is unknown")
    modality = _need(ds, "Modality")
    if modality not in IMAGES:
        raise _LeftOutError(f"modality {modality} is no image of a patient")


def _pixels(ds, full: Path, after_header: int) -> dict:
    """Layout and byte range of the pixel data, whole or the reason why not."""
    row = {
        "read_rows": int(_need(ds, "Rows")),
        "read_columns": int(_need(ds, "Columns")),
        "read_bits_allocated": int(_need(ds, "BitsAllocated")),
        "read_bits_stored": int(_need(ds, "BitsStored")),
        "read_signed": bool(_need(ds, "PixelRepresentation")),
        "read_inverted": _need(ds, "PhotometricInterpretation") == "MONOCHROME1",
    }
    if min(row["read_rows"], row["read_columns"]) < 1:
        raise _LeftOutError(f"no pixels: {_named('Rows')} is {ds.Rows}, {_named('Columns')} {ds.Columns}")
    row["read_high_bit"] = int(ds.get("HighBit", row["read_bits_stored"] - 1))
    if int(ds.get("SamplesPerPixel", 1)) != 1 or "MONOCHROME" not in ds.PhotometricInterpretation:
        what = "secondary capture in colour" if _is_secondary_capture(ds) else "colour"
        raise _LeftOutError(f"{what}: {_named('PhotometricInterpretation')} is {ds.PhotometricInterpretation}")
    if (
        row["read_bits_allocated"] not in (8, 16, 32)
        or not 0 < row["read_bits_stored"] <= row["read_high_bit"] + 1 <= row["read_bits_allocated"]
    ):
        raise _LeftOutError(
            f"{_named('BitsAllocated')} {row['read_bits_allocated']}, stored {row['read_bits_stored']},"
            f" high bit {row['read_high_bit']}: not 8, 16 or 32 bit"
        )
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    row["read_big_endian"] = syntax == ExplicitVRBigEndian
    frames = int(ds.get("NumberOfFrames") or 1)
    size = full.stat().st_size
    if syntax.is_deflated:
        return row | {"read_kind": "decode", "read_length": size}
    offset, length = _pixel_element(full, after_header, syntax)
    if syntax.is_compressed:
        _whole_fragments(full, offset)
        return row | {"read_kind": "decode", "read_offset": offset, "read_length": size - offset}
    expected = row["read_rows"] * row["read_columns"] * row["read_bits_allocated"] // 8
    if min(length, size - offset) < expected * frames:
        raise _LeftOutError(
            f"truncated: {expected * frames - min(length, size - offset)} of {expected * frames} bytes of pixel data are missing"
        )
    swapped = row["read_big_endian"] and row["read_bits_allocated"] == 8  # maybe, in words of 16 (PS3.5 8.2)
    in_python = "ModalityLUTSequence" in ds or row["read_bits_allocated"] == 32 or swapped
    return row | {"read_kind": "decode" if in_python else "raw", "read_offset": offset, "read_length": expected}


def _pixel_element(full: Path, start: int, syntax: UID) -> tuple[int, int]:
    """(offset, length) of the value of Pixel Data (7FE0,0010), whose element begins at byte `start`."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    with open(full, "rb") as file:
        file.seek(start)
        head = file.read(12)
    if len(head) < 8 or struct.unpack(order + "HH", head[:4]) != (0x7FE0, 0x0010):
        raise _LeftOutError("no Pixel Data (7FE0,0010)")
    if syntax.is_implicit_VR:
        return start + 8, struct.unpack(order + "I", head[4:8])[0]
    return start + 12, struct.unpack(order + "I", head[8:12])[0]


def _whole_fragments(full: Path, offset: int) -> None:
    """Walk the items of encapsulated pixel data (PS3.5 A.4) up to the delimiter; a cut file has none."""
    size = full.stat().st_size
    with open(full, "rb") as file:
        while True:
            file.seek(offset)
            head = file.read(8)
            if len(head) < 8:
                raise _LeftOutError("truncated: the compressed pixel data has no end")
            group, element, length = struct.unpack("<HHI", head)
            if (group, element) == (0xFFFE, 0xE0DD):
                return
            if (group, element) != (0xFFFE, 0xE000) or offset + 8 + length > size:
                raise _LeftOutError("truncated: the compressed pixel data has no end")
            offset += 8 + length


def _frames(ds, row: dict) -> list[dict]:
    """Rescaling, padding and position, one row a frame."""
    row |= _padding(ds, row)
    count = int(ds.get("NumberOfFrames") or 1)
    per_frame = ds.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        if count > 1:
            raise _LeftOutError(
                f"multi-frame ({count}) without frames' geometry: no {_named('PerFrameFunctionalGroupsSequence')}"
            )
        place = _position(ds.get("ImagePositionPatient"), ds.get("ImageOrientationPatient"))
        return [row | _rescale(ds) | {"position": place}]
    if len(per_frame) != count:
        raise _LeftOutError(
            f"multi-frame: {count} frames but {len(per_frame)} items in {_named('PerFrameFunctionalGroupsSequence')}"
        )
    shared = (ds.get("SharedFunctionalGroupsSequence") or [pydicom.Dataset()])[0]
    length = row["read_length"] if row["read_kind"] == "raw" else 0
    found = []
    for number, groups in enumerate(per_frame):

        def group(name, groups=groups):
            return (groups.get(name) or shared.get(name) or [pydicom.Dataset()])[0]

        place = group("PlanePositionSequence").get("ImagePositionPatient")
        if place is None:
            raise _LeftOutError(
                f"multi-frame ({count}) without frames' geometry: frame {number} has no {_named('ImagePositionPatient')}"
            )
        turned = group("PlaneOrientationSequence").get("ImageOrientationPatient")
        found.append(
            row
            | _rescale(group("PixelValueTransformationSequence"))
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


def _is_secondary_capture(ds) -> bool:
    return str(ds.get("SOPClassUID", "")).startswith(SECONDARY_CAPTURE)


def _is_example(ds, found: list[dict]) -> None:
    """Rules for slices of CT and MR; radiographs only need a rescale that is whole or absent."""
    kinds = {found[n].pop("_rescale_type") for n in range(len(found))}
    modality = ds.Modality
    image_type = ds.get("ImageType") or ()
    image_type = {str(v).upper() for v in ([image_type] if isinstance(image_type, str) else image_type)}
    if modality in SLICES:
        if image_type & {"LOCALIZER", "SCOUT", "SURVIEW", "REF_SURVIEW", "TOPOGRAM"}:
            raise _LeftOutError("scout (localizer), not a slice")
        if _is_secondary_capture(ds):
            raise _LeftOutError(
                "secondary capture: a drawing or a screen, not a slice"
                if modality != "CT" or found[0]["read_bits_stored"] > 8
                else "secondary capture in 8 bits: the values are not HU"
            )
        if "MOSAIC" in image_type:
            raise _LeftOutError("mosaic: several slices in one picture")
    if modality == "CT":
        if found[0]["read_bits_stored"] <= 8:
            raise _LeftOutError(
                f"8-bit CT: {_named('BitsStored')} is {found[0]['read_bits_stored']}, the values are not HU"
            )
        if kinds - {"", "HU"}:
            raise _LeftOutError(f"{_named('RescaleType')} is {', '.join(sorted(kinds))}: the values are not HU")
        for keyword, column in (("RescaleSlope", "read_slope"), ("RescaleIntercept", "read_intercept")):
            if any(math.isnan(r[column]) for r in found):
                raise _LeftOutError(f"no {_named(keyword)}: the values are not HU")
    for row in found:  # outside CT a missing rescale is the identity (PS3.3 C.11.1)
        row["read_slope"] = 1.0 if math.isnan(row["read_slope"]) else row["read_slope"]
        row["read_intercept"] = 0.0 if math.isnan(row["read_intercept"]) else row["read_intercept"]
        slope, intercept = row["read_slope"], row["read_intercept"]
        if slope == 0 or not math.isfinite(slope + intercept):
            raise _LeftOutError(f"{_named('RescaleSlope')} {slope:g} with intercept {intercept:g} is no rescaling")
