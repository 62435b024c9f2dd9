"""Radiographs as files: grey PNG of 8 or 16 bits, and DICOM as a computed-radiography plate is archived; masks of any picture."""

import struct
import zlib
from pathlib import Path

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from medtf.data.phantom.dicom import uid

BITS = 12  # of a stored DICOM pixel


def png_bytes(image, *, bits: int = 8) -> bytes:
    """A grey PNG of `image` (rows, columns) in [0, 1]; rows are coded as differences to the one above (PNG 9.2, filter 2).

    16 bits are stored as they are, for noise hardly shrinks; so the length of a shoulder's file tells nothing of its bone.
    """
    rows = np.rint(image * (2**bits - 1)).astype(np.uint8 if bits == 8 else ">u2")
    raw = rows.view(np.uint8).reshape(len(rows), -1)
    coded = np.full((len(raw), raw.shape[1] + 1), 2, np.uint8)
    coded[:, 1:] = raw
    coded[1:, 1:] -= raw[:-1]
    head = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(coded.tobytes(), 1 if bits == 8 else 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def write_png(path: Path, image, *, bits: int = 8) -> None:
    """Write `image` (rows, columns) float in [0, 1]."""
    path.write_bytes(png_bytes(image, bits=bits))


def write_masks(folder: Path, name: str, where: dict) -> None:
    """Write `folder`/KIND/`name`.png for each {kind: bool (rows, columns)}: 255 inside, 0 outside."""
    for kind, mask in where.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        write_png(folder / kind / f"{name}.png", mask.astype(np.float32))


def write_dicom(path: Path, image, *, seed, patient, person, pose, pixel_mm) -> None:
    """Write `image` (rows, columns) float in [0, 1], bright bone, as 12 bits of MONOCHROME2.

    Args:
        seed, patient: what identifiers are made of. person: age and sex. pose: side and view.
        pixel_mm: pixel at the detector (ImagerPixelSpacing, PS3.3 C.8.7.1).
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = ComputedRadiographyImageStorage, ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = uid("xray", seed, path.name)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = (
        uid("xray study", seed, patient),
        uid("xray series", seed, path.name),
    )
    dataset.ImageType, dataset.Modality = ["ORIGINAL", "PRIMARY"], "CR"
    dataset.Manufacturer, dataset.SeriesDescription = "medtf phantom", "synthetic shoulder"
    dataset.PatientID, dataset.PatientSex = patient, "F" if person.female else "M"
    dataset.PatientAge, dataset.PatientOrientation = f"{person.age:03d}Y", ["L", "F"]
    for name in ("PatientName", "PatientBirthDate", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"):
        setattr(dataset, name, "")
    dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber, dataset.InstanceNumber, dataset.KVP = 1, 1, "70"
    dataset.BodyPartExamined, dataset.ViewPosition, dataset.Laterality = "SHOULDER", "AP", pose.side
    dataset.ImagerPixelSpacing = [f"{pixel_mm:.6f}"] * 2
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = image.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, BITS, BITS - 1, 0
    dataset.WindowCenter, dataset.WindowWidth = str(2 ** (BITS - 1)), str(2**BITS)
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PixelData = np.rint(image * (2**BITS - 1)).astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)
