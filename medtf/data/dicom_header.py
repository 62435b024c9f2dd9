"""DICOM headers to rows: what a file is, where its pixels lie, and the reasons for which it is no example.

Tags are named as `Keyword (gggg,eeee)` in every reason. Sections of the standard: PS3.3 C.7.6.3 (image pixel), C.8.2.1 (CT image), PS3.5 A.4
(encapsulation). What the stored values mean is in `dicom_values.py`.
"""

import math
import struct
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRBigEndian

from medtf.data.dicom_tags import LeftOutError, named, need
from medtf.data.dicom_values import frames

# Modalities that hold pictures of a patient; everything else (SR, SEG, RTDOSE, OT, ...) is named and left out.
IMAGES = {"CT", "MR", "CR", "DX", "RG", "RF", "MG", "XA", "PX", "IO"}
SLICES = {"CT", "MR"}
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"


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
            raise LeftOutError("not an image: no DICOM, PNG or JPEG header")
        found = [empty | _who(ds)]
        _what(ds)
        found = frames(ds, found[0] | _pixels(ds, full, after_header))
        _is_example(ds, found)
    except LeftOutError as reason:
        return [found[0] | {"excluded": str(reason)}]
    except Exception as error:  # as above: pydicom parses values late, and raises here what they hold
        return [found[0] | {"excluded": _broken(error)}]
    return found


def _broken(error: Exception) -> str:
    return f"broken DICOM header: {type(error).__name__}: {error}".splitlines()[0][:160]


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
        raise LeftOutError("DICOMDIR: a list of files, not an image")
    if (
        "SOPClassUID" in ds
        and not UID(ds.SOPClassUID).is_private
        and "Rows" not in ds
        and "Modality" in ds
        and ds.Modality not in IMAGES
    ):
        raise LeftOutError(f"no pixel data ({UID(ds.SOPClassUID).name})")
    if not ds.file_meta.get("TransferSyntaxUID"):
        raise LeftOutError(f"no {named('TransferSyntaxUID')}: how the pixels are stored is unknown")
    modality = need(ds, "Modality")
    if modality not in IMAGES:
        raise LeftOutError(f"modality {modality} is no image of a patient")


def _pixels(ds, full: Path, after_header: int) -> dict:
    """Layout and byte range of the pixel data, whole or the reason why not."""
    row = {
        "read_rows": int(need(ds, "Rows")),
        "read_columns": int(need(ds, "Columns")),
        "read_bits_allocated": int(need(ds, "BitsAllocated")),
        "read_bits_stored": int(need(ds, "BitsStored")),
        "read_signed": bool(need(ds, "PixelRepresentation")),
        "read_inverted": _inverted(ds),
    }
    if min(row["read_rows"], row["read_columns"]) < 1:
        raise LeftOutError(f"no pixels: {named('Rows')} is {ds.Rows}, {named('Columns')} {ds.Columns}")
    row["read_high_bit"] = int(ds.get("HighBit", row["read_bits_stored"] - 1))
    if int(ds.get("SamplesPerPixel", 1)) != 1 or "MONOCHROME" not in ds.PhotometricInterpretation:
        what = "secondary capture in colour" if _is_secondary_capture(ds) else "colour"
        raise LeftOutError(f"{what}: {named('PhotometricInterpretation')} is {ds.PhotometricInterpretation}")
    if (
        row["read_bits_allocated"] not in (8, 16, 32)
        or not 0 < row["read_bits_stored"] <= row["read_high_bit"] + 1 <= row["read_bits_allocated"]
    ):
        raise LeftOutError(
            f"{named('BitsAllocated')} {row['read_bits_allocated']}, stored {row['read_bits_stored']},"
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
        raise LeftOutError(
            f"truncated: {expected * frames - min(length, size - offset)} of {expected * frames} bytes of pixel data are missing"
        )
    swapped = row["read_big_endian"] and row["read_bits_allocated"] == 8  # maybe, in words of 16 (PS3.5 8.2)
    in_python = "ModalityLUTSequence" in ds or row["read_bits_allocated"] == 32 or swapped
    return row | {"read_kind": "decode" if in_python else "raw", "read_offset": offset, "read_length": expected}


def _inverted(ds) -> bool:
    """Is the smallest value shown as white? MONOCHROME1 says so (PS3.3 C.7.6.3.1.2), and so does PresentationLUTShape INVERSE.

    A digital radiograph in MONOCHROME1 must hold INVERSE too (C.8.11.3.1.2): the two are one inversion, not one after the other.
    """
    return need(ds, "PhotometricInterpretation") == "MONOCHROME1" or ds.get("PresentationLUTShape") == "INVERSE"


def _pixel_element(full: Path, start: int, syntax: UID) -> tuple[int, int]:
    """(offset, length) of the value of Pixel Data (7FE0,0010), whose element begins at byte `start`."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    with open(full, "rb") as file:
        file.seek(start)
        head = file.read(12)
    if len(head) < 8 or struct.unpack(order + "HH", head[:4]) != (0x7FE0, 0x0010):
        raise LeftOutError("no Pixel Data (7FE0,0010)")
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
                raise LeftOutError("truncated: the compressed pixel data has no end")
            group, element, length = struct.unpack("<HHI", head)
            if (group, element) == (0xFFFE, 0xE0DD):
                return
            if (group, element) != (0xFFFE, 0xE000) or offset + 8 + length > size:
                raise LeftOutError("truncated: the compressed pixel data has no end")
            offset += 8 + length


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
            raise LeftOutError("scout (localizer), not a slice")
        if _is_secondary_capture(ds):
            raise LeftOutError(
                "secondary capture: a drawing or a screen, not a slice"
                if modality != "CT" or found[0]["read_bits_stored"] > 8
                else "secondary capture in 8 bits: the values are not HU"
            )
        if "MOSAIC" in image_type:
            raise LeftOutError("mosaic: several slices in one picture")
    if modality == "CT":
        if found[0]["read_bits_stored"] <= 8:
            raise LeftOutError(
                f"8-bit CT: {named('BitsStored')} is {found[0]['read_bits_stored']}, the values are not HU"
            )
        if kinds - {"", "HU"}:
            raise LeftOutError(f"{named('RescaleType')} is {', '.join(sorted(kinds))}: the values are not HU")
        for keyword, column in (("RescaleSlope", "read_slope"), ("RescaleIntercept", "read_intercept")):
            if any(math.isnan(r[column]) for r in found):
                raise LeftOutError(f"no {named(keyword)}: the values are not HU")
    for row in found:  # outside CT a missing rescale is the identity (PS3.3 C.11.1)
        row["read_slope"] = 1.0 if math.isnan(row["read_slope"]) else row["read_slope"]
        row["read_intercept"] = 0.0 if math.isnan(row["read_intercept"]) else row["read_intercept"]
        slope, intercept = row["read_slope"], row["read_intercept"]
        if slope == 0 or not math.isfinite(slope + intercept):
            raise LeftOutError(f"{named('RescaleSlope')} {slope:g} with intercept {intercept:g} is no rescaling")
