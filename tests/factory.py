"""Small synthetic files of every kind that an archive holds: DICOM, NIfTI, PNG, JPEG, label sheets; and the list of real ones.

Pixels and voxels are packed here by NumPy and not by pydicom or nibabel, so that a fault in either is seen.
"""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

SHARED = Path(os.environ.get("MEDTF_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
WHY_NOT = f"no real files at {SHARED} (MEDTF_SHARED_DATA names another place)"
SOP_CLASS = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4"}
RADIOGRAPH, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.2.1"
SUBTYPES = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")


def real_files(*folders):
    """Parameters for a test: each real file below `folders`, or one that skips."""
    found = [p for folder in folders for p in sorted((SHARED / folder).rglob("*")) if p.is_file()]
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason=WHY_NOT), id="no real files")]
    return [pytest.param(p.relative_to(SHARED).as_posix(), id=p.name) for p in found]


def pixel_bytes(values, *, bits=16, bits_stored=None, high_bit=None, big_endian=False, rubbish=None) -> bytes:
    """Stored values as the standard lays them (PS3.5 8.1): two's complement in BitsStored bits up to HighBit, the rest `rubbish`."""
    bits_stored = bits_stored or bits
    high_bit = bits_stored - 1 if high_bit is None else high_bit
    shift, mask = high_bit + 1 - bits_stored, (1 << bits_stored) - 1
    cells = (np.asarray(values, np.int64) & mask) << shift
    if rubbish is not None:
        rest = ((1 << bits) - 1) & ~(mask << shift)
        cells |= np.random.default_rng(rubbish).integers(0, 1 << bits, cells.shape) & rest
    return cells.astype(f"{'>' if big_endian else '<'}u{bits // 8}").tobytes()


def dicom(
    path,
    values,
    *,
    modality="CT",
    bits=16,
    bits_stored=None,
    high_bit=None,
    signed=True,
    syntax=ExplicitVRLittleEndian,
    slope=1,
    intercept=-1024,
    padding=None,
    photometric="MONOCHROME2",
    rubbish=None,
    patient="P-1",
    compress=None,
    without=(),
    **tags,
) -> Path:
    """Write one file of stored integers (rows, columns), or (frames, rows, columns) as an enhanced CT with functional groups.

    `slope` and `intercept` may be lists, one value a frame; `padding` a value or (value, limit); `without` names tags to leave away.
    """
    path, values = Path(path), np.asarray(values)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    frames = len(values) if values.ndim == 3 else 0
    ds.SOPClassUID = ENHANCED_CT if frames else SOP_CLASS.get(modality, RADIOGRAPH)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[ascii(path)])
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.Modality, ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = modality, patient, "1.2.3", "1.2.3.4"
    ds.Rows, ds.Columns = values.shape[-2:]
    ds.BitsAllocated, ds.BitsStored = bits, bits_stored or bits
    ds.HighBit = ds.BitsStored - 1 if high_bit is None else high_bit
    ds.PixelRepresentation, ds.SamplesPerPixel, ds.PhotometricInterpretation = int(signed), 1, photometric
    if padding is not None:
        first, *last = padding if isinstance(padding, tuple) else (padding,)
        ds.add_new("PixelPaddingValue", "SS" if first < 0 else "US", first)
        for limit in last:
            ds.add_new("PixelPaddingRangeLimit", "SS" if limit < 0 else "US", limit)
    if frames:
        _functional_groups(ds, frames, slope, intercept)
    elif slope is not None:
        ds.RescaleSlope, ds.RescaleIntercept = str(slope), str(intercept)
    ds.PixelData = pixel_bytes(
        values,
        bits=bits,
        bits_stored=bits_stored,
        high_bit=high_bit,
        big_endian=syntax == ExplicitVRBigEndian,
        rubbish=rubbish,
    )
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    for keyword in without:
        delattr(ds, keyword)
    if compress:
        ds.compress(compress, generate_instance_uid=False)
    ds.save_as(path, enforce_file_format=True)
    return path


def _functional_groups(ds, frames, slope, intercept):
    def sequence(**values):
        item = pydicom.Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        return pydicom.Sequence([item])

    def rescale(n):
        one = [str(v[n]) if isinstance(v, (list, tuple)) else str(v) for v in (slope, intercept)]
        return sequence(RescaleSlope=one[0], RescaleIntercept=one[1], RescaleType="HU")

    ds.NumberOfFrames, ds.PerFrameFunctionalGroupsSequence = frames, []
    for n in range(frames):
        group = pydicom.Dataset()
        group.PlanePositionSequence = sequence(ImagePositionPatient=[0, 0, 5 * n])
        group.PixelValueTransformationSequence = rescale(n)
        ds.PerFrameFunctionalGroupsSequence.append(group)
    ds.SharedFunctionalGroupsSequence = sequence(
        PlaneOrientationSequence=sequence(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    )


def head(rows=16, columns=None, *, seed=0) -> np.ndarray:
    """Plausible HU (rows, columns), int: a disc of soft tissue with a rim of bone in air."""
    columns = columns or rows
    y, x = np.mgrid[:rows, :columns]
    radius = np.hypot((y - (rows - 1) / 2) / (rows / 2), (x - (columns - 1) / 2) / (columns / 2))
    hu = np.where(radius < 0.7, 35, np.where(radius < 0.85, 1100, -1000))
    return hu + np.random.default_rng(seed).integers(-12, 13, hu.shape)


def slice_of_head(path, *, size=16, seed=0, **how) -> Path:
    """A plausible CT slice, signed, intercept -1024."""
    return dicom(path, head(size, seed=seed) + 1024, **how)


def picture(path, values) -> Path:
    """PNG or JPEG of a uint8 or uint16 array, grey or colour."""
    from PIL import Image

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(values)).save(path)
    return path


NIFTI_CODES = {"uint8": 2, "int16": 4, "int32": 8, "float32": 16, "float64": 64, "int8": 256, "uint16": 512}
NIFTI_CODES |= {"uint32": 768, "int64": 1024, "uint64": 1280, "complex64": 32}
# field -> (byte, format) in the two versions of the header (nifti1.h, nifti2.h)
NIFTI_1 = {"sizeof_hdr": (0, "i"), "dim": (40, "8h"), "datatype": (70, "h"), "bitpix": (72, "h"), "pixdim": (76, "8f")}
NIFTI_1 |= {"vox_offset": (108, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"), "xyzt_units": (123, "b")}
NIFTI_1 |= {"qform_code": (252, "h"), "sform_code": (254, "h"), "quatern": (256, "3f"), "qoffset": (268, "3f")}
NIFTI_1 |= {"srow": (280, "12f"), "magic": (344, "4s")}
NIFTI_2 = {"sizeof_hdr": (0, "i"), "magic": (4, "8s"), "datatype": (12, "h"), "bitpix": (14, "h"), "dim": (16, "8q")}
NIFTI_2 |= {"pixdim": (104, "8d"), "vox_offset": (168, "q"), "scl_slope": (176, "d"), "scl_inter": (184, "d")}
NIFTI_2 |= {"qform_code": (344, "i"), "sform_code": (348, "i"), "quatern": (352, "3d"), "qoffset": (376, "3d")}
NIFTI_2 |= {"srow": (400, "12d"), "xyzt_units": (500, "i")}


def nifti(
    path,
    values,
    *,
    affine=None,
    dtype="int16",
    slope=1.0,
    intercept=0.0,
    big_endian=False,
    version=1,
    extension=b"",
    **fields,
) -> Path:
    """Write a volume (x, y, z) or (x, y, z, t) of stored values as .nii, or .nii.gz by its name; `affine` goes into the sform.

    `extension` stands between header and voxels; `fields` overwrite those of the header, with the names of NIFTI_1.
    """
    path, values, order = Path(path), np.asarray(values), ">" if big_endian else "<"
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.eye(4) if affine is None else np.asarray(affine, np.float64)
    width = np.dtype(dtype).itemsize
    size, places, magic = (348, NIFTI_1, b"n+1\0") if version == 1 else (540, NIFTI_2, b"n+2\0\r\n\x1a\n")
    cells = {
        "sizeof_hdr": size,
        "magic": magic,
        "dim": [values.ndim, *values.shape, *[1] * (7 - values.ndim)],
        "datatype": NIFTI_CODES[np.dtype(dtype).name],
        "bitpix": 8 * width,
        "pixdim": [1, *np.linalg.norm(affine[:3, :3], axis=0), 1, 1, 1, 1],
        "vox_offset": size + 4 + len(extension),
        "scl_slope": slope,
        "scl_inter": intercept,
        "xyzt_units": 2,
        "sform_code": 1,
        "srow": affine[:3].ravel(),
    }
    header = bytearray(size + 4)
    header[size] = bool(extension)
    for name, cell in (cells | fields).items():
        place, form = places[name]
        struct.pack_into(order + form, header, place, *np.atleast_1d(cell).tolist())
    voxels = values.astype(np.dtype(dtype).newbyteorder(order)).tobytes(order="F")
    data = bytes(header) + extension + voxels
    path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
    return path


def rsna(root, images: dict[str, dict], *, size=16) -> Path:
    """An archive in RSNA's layout. `images`: ID -> {"patient": ..., subtype: 1, ...}."""
    root, lines = Path(root), ["ID,Label"]
    for number, (name, what) in enumerate(images.items()):
        slice_of_head(root / "stage_2_train" / f"{name}.dcm", size=size, seed=number, patient=what.get("patient", "P"))
        lines += [f"{name}_{subtype},{what.get(subtype, 0)}" for subtype in SUBTYPES]
    (root / "stage_2_train.csv").write_text("\n".join(lines) + "\n")
    return root
