"""Headers only: what a file is, where its pixels lie, and why it is left out. No TensorFlow, no pixels decoded.

A *row* is a plain dict with the columns of `COLUMNS`; an image or volume gives one row, a multi-frame DICOM file one a frame. A file that
cannot be an example gives one row whose `excluded` says why, in words a user can act on.
"""

import stat
import warnings
from pathlib import Path

from medtf.data import dicom_header, nifti_header

# What the reader needs so that it need not parse again; pixels are `read_*`, the rest describes the image.
COLUMNS = {
    "path": "str",
    "excluded": "str",
    "patient": "str",  # raw here; hashed before a table is made of it
    "study": "str",
    "series": "str",
    "modality": "str",
    "syntax": "str",  # DICOM transfer syntax UID (0002,0010), or png, jpeg, nifti-1, nifti-2
    "position": "float64",  # mm along the slice normal; NaN without geometry
    "sex": "str",
    "age": "float64",  # years
    "manufacturer": "str",
    "read_kind": "str",  # raw | decode | png | jpeg | nifti | nifti_gz
    "read_offset": "int64",  # bytes to the (frame's) pixel data, in what is inflated for nifti_gz
    "read_length": "int64",  # bytes; of all volumes of a 4D file
    "read_frame": "int32",
    "read_rows": "int32",
    "read_columns": "int32",
    "read_bits_allocated": "int8",
    "read_bits_stored": "int8",
    "read_high_bit": "int8",
    "read_signed": "bool",
    "read_big_endian": "bool",
    "read_slope": "float64",
    "read_intercept": "float64",
    "read_inverted": "bool",  # MONOCHROME1, or PresentationLUTShape INVERSE: the smallest value is displayed as white
    "read_padding": "float64",  # stored value; NaN = none
    "read_padding_limit": "float64",
    "read_voi": "str",  # how the file is meant to be seen: linear, linear_exact, sigmoid, lut; empty: it does not say
    "read_window_center": "float64",  # as DICOM writes it, after slope and intercept; NaN = none
    "read_window_width": "float64",
    "read_orientation": "int8",  # EXIF's, 1 to 8, of a PNG or JPEG; 0 = none
    "read_dtype": "str",  # volumes: NumPy's name of the voxels' type, without byte order
    "read_shape": "str",  # volumes: 256 256 150, the fastest axis first; a fourth number for 4D
    "read_affine": "str",  # volumes: 3 x 4 numbers, row by row, from voxel to RAS+ mm
}
DEFAULTS = {"str": "", "float64": float("nan"), "int64": 0, "int32": 0, "int8": 0, "bool": False}
EMPTY = {name: DEFAULTS[kind] for name, kind in COLUMNS.items()} | {"read_slope": 1.0, "read_intercept": 0.0}
ORIENTATION = 0x0112  # EXIF 2.3, 4.6.4
PNG_BIT_DEPTH = 24  # byte of the file: signature, length and name of IHDR, width, height, then it (PNG 11.2.2)


def read_header(root: Path, path: str) -> list[dict]:
    """The rows of one file, `path` relative to `root`. Never raises for what a file holds: a fault becomes `excluded`."""
    full = Path(root) / path
    # Linux allows any bytes in a name; a table holds UTF-8, so such a name is shown with replacement characters
    row = EMPTY | {"path": path.encode(errors="surrogateescape").decode(errors="replace")}
    if row["path"] != path:
        return [row | {"excluded": "the file's name is not UTF-8: rename it"}]
    if full.name.startswith("."):
        return [row | {"excluded": "hidden file"}]
    try:
        if not stat.S_ISREG(full.stat().st_mode):  # to open a named pipe would wait for ever
            return [row | {"excluded": "cannot be read: not a file"}]
        with open(full, "rb") as file:
            start = file.read(132)
    except OSError as error:
        return [row | {"excluded": f"cannot be read: {error.strerror}"}]
    if not start:
        return [row | {"excluded": "empty file"}]
    if start.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of EXIF that it mends
            return [_raster(row, full, "png" if start[1:4] == b"PNG" else "jpeg", start)]
    if nifti_header.is_nifti(start):
        try:
            return [nifti_header.row_of(row, full)]
        except OSError as error:  # a disk that fails half way
            return [row | {"excluded": f"cannot be read: {error.strerror}"}]
    if full.suffix.lower() == ".img" and full.with_suffix(".hdr").exists():
        return [
            row
            | {"excluded": "half of a .hdr/.img pair: join them to one .nii.gz (fslchfiletype NIFTI_GZ, or nibabel)"}
        ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values it mends; what matters is checked and named here
        return dicom_header.rows(row, full, has_preamble=start[128:132] == b"DICM")


def completed(frame):
    """The frame of a table with the `read_` columns that it lacks because it is older than they are, empty."""
    lacks = [name for name in COLUMNS if name.startswith("read_") and name not in frame]
    return frame.assign(**{name: EMPTY[name] for name in lacks}) if lacks else frame


def _raster(row: dict, full: Path, kind: str, start: bytes) -> dict:
    """PNG or JPEG by its header: 8 or 16 bits, grey or colour, which way up; `start` is its first bytes."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(full) as image:
            columns, rows = image.size
            mode = image.mode
            # a PNG with EXIF behind its pixels is decoded to find it; most have none, and their pixels are not touched
            turned = kind == "jpeg" or "exif" in image.info or b"eXIf" in _tail(full)
            orientation = image.getexif().get(ORIENTATION, 0) if turned else 0
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return row | {"excluded": f"broken {kind.upper()} header: {error}"}
    if mode == "CMYK":
        return row | {"excluded": "JPEG in CMYK, the colours of print: save it as grey or RGB"}
    if kind == "png" and not _png_is_whole(full):
        return row | {"excluded": "truncated: the PNG has no end (IEND)"}
    if kind == "jpeg" and not _jpeg_is_whole(full):
        return row | {"excluded": "truncated: the JPEG has no end of image marker"}
    if not isinstance(orientation, int) or not 0 <= orientation <= 8:
        return row | {
            "excluded": f"EXIF Orientation (0x0112) is {orientation!r}, expected 1 to 8: which way up is unknown"
        }
    bits = 16 if kind == "png" and start[PNG_BIT_DEPTH] == 16 else 8  # Pillow takes 16-bit colour for 8-bit colour
    return row | {
        "syntax": kind,
        "read_kind": kind,
        "read_length": full.stat().st_size,
        "read_rows": rows,
        "read_columns": columns,
        "read_bits_allocated": bits,
        "read_bits_stored": bits,
        "read_high_bit": bits - 1,
        "read_orientation": orientation,
    }


def _png_is_whole(full: Path) -> bool:
    return b"IEND" in _tail(full)


def _jpeg_is_whole(full: Path) -> bool:
    return b"\xff\xd9" in _tail(full)


def _tail(full: Path, size: int = 4096) -> bytes:
    with open(full, "rb") as file:
        file.seek(max(0, full.stat().st_size - size))
        return file.read()
