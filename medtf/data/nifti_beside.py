"""NIfTI files that lie beside a volume and belong to it, such as masks and label volumes: described, read, and whether they say where they are."""

import gzip
import zlib
from pathlib import Path

import nibabel
import numpy as np

from medtf.data import nifti
from medtf.data.header import read_header
from medtf.errors import MedtfError

KINDS = {"nifti-1": nibabel.Nifti1Image, "nifti-2": nibabel.Nifti2Image}  # `syntax` of a row


def described(folder, file: str, *, what: str) -> dict:
    """The row of a file that is one 3D volume.

    Args:
        what: such a file is expected to be, such as `mask`.
    Raises:
        MedtfError: no volume, or several in one file.
    """
    row, named = read_header(folder, file)[0], Path(folder) / file
    if row["excluded"]:
        raise MedtfError(f"{named}: {row['excluded']}")
    if row["read_kind"] not in nifti.KINDS:
        raise MedtfError(f"{named}: not a NIfTI volume, whatever its name says: save it as .nii.gz")
    if len(row["read_shape"].split()) != 3:
        raise MedtfError(f"{named}: 4D, {' x '.join(row['read_shape'].split())}: expected one 3D {what}")
    return row


def values(folder, row: dict) -> np.ndarray:
    """Float32 (x, y, z) in RAS+.

    Raises:
        MedtfError: cut or broken.
    """
    try:
        return nifti.scaled(nifti.stored(folder, row), row)
    except (OSError, EOFError, zlib.error) as error:
        raise MedtfError(f"{Path(folder) / row['path']}: cannot be read: {str(error).splitlines()[0]}") from error


def header_of(root, row: dict):
    """nibabel's header of a row's file; the kind of file is what the table found in it, not what its name says.

    Raises:
        MedtfError: the file is away or broken.
    """
    path = Path(root) / row["path"]
    kind = KINDS[row["syntax"]].header_class
    try:
        with gzip.open(path) if row["read_kind"] == "nifti_gz" else open(path, "rb") as file:
            return kind(file.read(kind.template_dtype.itemsize), check=False)
    except (OSError, EOFError, ValueError) as error:
        raise MedtfError(f"{row['path']}: its header cannot be read: {str(error).splitlines()[0]}") from error


def unplaced(header) -> bool:
    """Does a header say no place in the world, so that its affine is a guess?"""
    return int(header["qform_code"]) == 0 and int(header["sform_code"]) == 0
