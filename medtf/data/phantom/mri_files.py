"""NIfTI files and spreadsheets whose bytes follow from their content alone: no clock, no program version, no name."""

import gzip
import io
import re
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd


def nifti_bytes(stored, affine, slope=1.0) -> bytes:
    """A NIfTI-1 file: `stored` (any shape, a NIfTI dtype), `affine` (4, 4) to scanner mm RAS+; value = stored * slope."""
    header = nibabel.Nifti1Header()
    header.set_data_dtype(stored.dtype)
    header.set_data_shape(stored.shape)
    header.set_xyzt_units("mm")
    header.set_qform(affine, code=1)  # scanner
    header.set_sform(affine, code=1)
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    header["scl_slope"], header["scl_inter"] = slope, 0
    return header.binaryblock + bytes(4) + np.asarray(stored).tobytes(order="F")


def write_gz(path: Path, content: bytes) -> None:
    """Gzip without time and name (RFC 1952 keeps both)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, compresslevel=4, mtime=0))


def write_volume(path: Path, values, affine, *, dtype=np.int16, slope=1.0) -> None:
    """Write `values` (i, j, k) rounded to multiples of `slope` as a .nii.gz."""
    stored = np.rint(values / np.float32(slope)) if np.issubdtype(dtype, np.integer) else values
    if np.issubdtype(dtype, np.integer):
        np.clip(stored, np.iinfo(dtype).min, np.iinfo(dtype).max, out=stored)
    write_gz(path, nifti_bytes(stored.astype(dtype), affine, slope))


def write_sheet(path: Path, rows: list) -> None:
    """A list of dicts as .xlsx, with the times that Excel's format holds set to 1980."""
    buffer = io.BytesIO()
    pd.DataFrame(rows).to_excel(buffer, index=False, engine="openpyxl")
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"1980-01-01T00:00:00Z", content)
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, content)
