"""CT slices as DICOM files with the RSNA 2019 archive's headers; identifiers follow from the seed, not a clock."""

import hashlib

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

INTERCEPT = -1024  # HU of a stored 0
STORED_MAX = 4095  # 12 bits: -1024 .. 3071 HU


def uid(*parts) -> str:
    """A DICOM UID made of a hash of `parts` (root 2.25, PS3.5 B.2)."""
    digest = hashlib.sha256("/".join(str(p) for p in parts).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def scrambled(number: int, bits: int, key: int) -> int:
    """A one-to-one scramble of the numbers of `bits` bits: names look random and can never meet."""
    mask = (1 << bits) - 1
    for turn in range(4):
        odd = int.from_bytes(hashlib.sha256(f"{key}/{bits}/{turn}".encode()).digest()[:8], "big") | 1
        number = ((number + key + turn) * odd) & mask
        number ^= number >> (bits // 2)
    return number


def image_id(seed: int, patient: int, number: int) -> str:
    """ID_ and 9 hex digits, as the archive names its images; different for every slice of up to 2^24 patients."""
    return f"ID_{scrambled(patient * 4096 + number, 36, seed):09x}"


def patient_id(seed: int, patient: int) -> str:
    """ID_ and 8 hex digits, different for every patient."""
    return f"ID_{scrambled(patient, 32, seed):08x}"


def slice_dataset(seed: int, patient: int, scan) -> FileDataset:
    """What all slices of a patient's scan have in common."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = CTImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Modality = "CT"
    dataset.Manufacturer = "medtf phantom"
    dataset.SeriesDescription = "synthetic head CT"
    dataset.PatientID = patient_id(seed, patient)
    for empty in (
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyDate",
        "StudyTime",
        "StudyID",
        "AccessionNumber",
    ):
        setattr(dataset, empty, "")
    dataset.ReferringPhysicianName = ""
    dataset.StudyInstanceUID = uid("study", seed, patient)
    dataset.SeriesInstanceUID = uid("series", seed, patient)
    dataset.FrameOfReferenceUID = uid("frame", seed, patient)
    dataset.PositionReferenceIndicator = ""
    dataset.PatientPosition = "HFS"
    dataset.SeriesNumber, dataset.AcquisitionNumber, dataset.KVP = 1, 1, "120"
    dataset.SliceThickness = f"{scan.thickness:.3f}"
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = [f"{scan.pixel:.6f}"] * 2
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = scan.matrix
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.WindowCenter, dataset.WindowWidth = "40", "80"
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = str(INTERCEPT), "1", "HU"
    return dataset


def write_slice(dataset: pydicom.Dataset, path, hu, *, name, number, level, seed) -> None:
    """Write `hu` (rows, columns) as one file; `dataset` is the scan's and is filled in again for every slice."""
    corner = -(dataset.Columns - 1) / 2 * float(dataset.PixelSpacing[0])
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid("image", seed, name)
    dataset.InstanceNumber = number + 1
    dataset.ImagePositionPatient = [f"{corner:.6f}", f"{corner:.6f}", f"{level:.3f}"]
    stored = np.clip(np.rint(hu) - INTERCEPT, 0, STORED_MAX).astype("<i2")
    dataset.PixelData = stored.tobytes()
    dataset.save_as(path, enforce_file_format=True)
