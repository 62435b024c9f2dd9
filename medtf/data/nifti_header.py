"""Headers of NIfTI-1 and NIfTI-2 volumes, plain or gzip: shape, type, place of the voxels, scale and affine. No voxels are read.

The choice between sform, qform and neither is nibabel's own (NIfTI-1 standard, section "3D IMAGE ORIENTATION AND LOCATION IN SPACE").
"""

import struct
import zlib
from pathlib import Path

import numpy as np

GZIP = b"\x1f\x8b"
HEADER = {348: "nifti-1", 540: "nifti-2"}  # sizeof_hdr, the first number of a header
# datatype codes that are read (nifti1.h), as NumPy names them
TYPES = {
    2: "uint8",
    4: "int16",
    8: "int32",
    16: "float32",
    64: "float64",
    256: "int8",
    512: "uint16",
    768: "uint32",
    1024: "int64",
    1280: "uint64",
}
REFUSED = {
    0: "of unknown type",
    1: "of single bits",
    32: "complex64",
    128: "RGB",
    1536: "float128",
    1792: "complex128",
    2048: "complex256",
    2304: "RGBA",
}
UNITS = {1: "metres", 3: "micrometres"}  # xyzt_units & 7; 2 is mm, 0 unknown, which is taken for mm as everybody does
START = 65_536  # compressed bytes that surely hold a header: it comes first
PACKS_AT_MOST = 1_032  # deflate makes nothing smaller than by this (zlib's technical notes)


def is_nifti(start: bytes) -> bool:
    """Do the first bytes of a file say gzip, or the size of a NIfTI header in either byte order?"""
    return start.startswith(GZIP) or _byte_order(start) is not None


def row_of(row: dict, full: Path) -> dict:
    """The row of one file that `is_nifti`; why it is left out, in words a user can act on.

    Args:
        row: the empty row with its path.
        full: the file.
    """
    with open(full, "rb") as file:
        start = file.read(START)
    compressed = start.startswith(GZIP)
    if compressed:
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, 544)
        except zlib.error as error:
            return row | {"excluded": f"broken gzip: {error}"}
        if len(start) < 4:
            return row | {"excluded": "truncated: the gzip ends before it says what it holds"}
        if _byte_order(start) is None:
            return row | {"excluded": "gzip of something that is not NIfTI: unpack it"}
    order = _byte_order(start)
    size = struct.unpack(f"{order}i", start[:4])[0]
    if len(start) < size:
        return row | {"excluded": f"truncated: {len(start)} of {size} bytes of the NIfTI header"}
    pair = _pair(start, size)
    if pair:
        return row | {"excluded": pair}
    found = _described(start[:size], order, HEADER[size])
    if isinstance(found, str):
        return row | {"excluded": found}
    whole = full.stat().st_size
    needed = found["read_offset"] + found["read_length"]
    reason = _broken_gzip(full, whole, needed) if compressed else ""
    if not compressed and whole < needed:
        reason = f"truncated: {max(0, whole - found['read_offset'])} of {found['read_length']} bytes of voxels"
    if reason:
        return row | {"excluded": reason}
    return row | found | {"read_kind": "nifti_gz" if compressed else "nifti"}


def _byte_order(start: bytes) -> str | None:
    """`<` or `>` when the first number is a NIfTI header's size in that order."""
    for order in "<>":
        if len(start) >= 4 and struct.unpack(f"{order}i", start[:4])[0] in HEADER:
            return order
    return None


def _pair(start: bytes, size: int) -> str:
    """Why this is not a single-file NIfTI, or an empty string; the magic is at byte 344 (NIfTI-1) or 4 (NIfTI-2)."""
    magic = start[344:348] if size == 348 else start[4:8]
    number = HEADER[size][-1]
    if magic == f"n+{number}\0".encode():
        return ""
    if magic == f"ni{number}\0".encode():
        return "half of a NIfTI .hdr/.img pair: join them to one .nii.gz (fslchfiletype NIFTI_GZ, or nibabel)"
    if size == 348:
        return "an Analyze 7.5 header, which does not say left from right: convert it to NIfTI"
    return f"broken NIfTI-2 header: magic {magic!r}, expected b'n+2\\x00'"


def _described(raw: bytes, order: str, version: str) -> dict | str:
    """What the reader needs, from the bytes of the header; or why the file is left out."""
    from nibabel import Nifti1Header, Nifti2Header
    from nibabel.imageglobals import LoggingOutputSuppressor
    from nibabel.spatialimages import HeaderDataError

    kind = Nifti1Header if version == "nifti-1" else Nifti2Header
    try:
        unchecked = kind(raw, endianness=order, check=False)
        dimensions, code = int(unchecked["dim"][0]), int(unchecked["datatype"])
        if (
            not 1 <= dimensions <= 7
        ):  # it also tells the byte order, so that nibabel would read all of it the other way round
            return f"broken NIfTI header: dim[0] is {dimensions}, expected 1 to 7"
        if code not in TYPES:
            return f"voxels are {REFUSED.get(code, f'of unknown type {code}')}: expected integers or floats of up to 64 bits"
        with LoggingOutputSuppressor():  # nibabel tells of values it mends, such as a negative pixdim
            header = kind(raw, endianness=order, check=True)
        shape = _without_singletons(header.get_data_shape())
        slope, intercept = header.get_slope_inter()
        offset = int(header["vox_offset"])
        affine = header.get_best_affine()
    except (HeaderDataError, ValueError, OverflowError) as error:
        return f"broken NIfTI header: {error}".splitlines()[0][:200]
    reason = _not_a_volume(shape) or _no_geometry(affine, header) or _two_places(header)
    if reason:
        return reason
    if offset < len(raw):
        return f"broken NIfTI header: vox_offset {offset} lies inside the header"
    width = np.dtype(TYPES[code]).itemsize
    return {
        "syntax": version,
        "read_offset": offset,
        "read_length": int(np.prod(shape, dtype=object)) * width,
        "read_bits_allocated": 8 * width,
        "read_big_endian": order == ">",
        "read_slope": 1.0 if slope is None else slope,
        "read_intercept": 0.0 if intercept is None else intercept,
        "read_dtype": TYPES[code],
        "read_shape": " ".join(map(str, shape)),
        "read_affine": " ".join(repr(float(v)) for v in affine[:3].ravel()),
    }


def _without_singletons(shape: tuple) -> tuple[int, ...]:
    """(256, 256, 150, 1) is (256, 256, 150)."""
    shape = tuple(int(n) for n in shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _not_a_volume(shape: tuple[int, ...]) -> str:
    written = " x ".join(map(str, shape))
    if min(shape, default=0) < 1:
        return f"no voxels: the shape is {written or 'empty'}"
    if len(shape) < 3 or min(shape[:3]) == 1:
        return f"a single slice or line, {written}: expected a volume"
    if len(shape) > 4:
        return f"{len(shape)}D, {written}: expected 3D, or 4D with input.volume"
    return ""


def _no_geometry(affine: np.ndarray, header) -> str:
    unit = UNITS.get(int(header["xyzt_units"]) & 7)
    if unit:
        return f"the header counts in {unit} (xyzt_units): expected mm"
    if not np.isfinite(affine).all():
        return "broken NIfTI header: the affine is not finite"
    with np.errstate(over="ignore"):
        steps = np.linalg.norm(affine[:3, :3], axis=0)
    # the volume of a voxel against that of a box with its edges; a sheared grid of real scanners stays above 0.5
    if not 0 < steps.min() <= steps.max() < np.inf or abs(np.linalg.det(affine[:3, :3] / steps)) < 1e-3:
        return "broken NIfTI header: the affine is singular, so the axes have no directions"
    return ""


def _two_places(header) -> str:
    """Why sform and qform cannot both be true, or an empty string: one mirrors what the other does not, or turns an axis round.

    A sform that leads into a template may differ from the scanner's qform by a rotation; never by which side is left.
    """
    if not (header["sform_code"] > 0 and header["qform_code"] > 0):
        return ""
    one, other = header.get_sform()[:3, :3], header.get_qform()[:3, :3]
    if np.linalg.det(one) * np.linalg.det(other) > 0 and ((one * other).sum(axis=0) > 0).all():
        return ""
    from nibabel import aff2axcodes

    named = ["".join(code or "?" for code in aff2axcodes(m)) for m in (header.get_sform(), header.get_qform())]
    return f"sform says {named[0]} and qform {named[1]}: left and right may be swapped; find out which is true and write both alike"


def _broken_gzip(full: Path, whole: int, needed: int) -> str:
    """Why a gzip file cannot hold `needed` bytes, or an empty string.

    The last four bytes say the length (RFC 1952); where they do not agree, a file of several members among them, bytes are counted.
    """
    if needed > whole * PACKS_AT_MOST:
        return f"truncated: {whole} bytes of gzip cannot hold the {needed} bytes that the header promises"
    with open(full, "rb") as file:
        file.seek(-4, 2)
        if struct.unpack("<I", file.read(4))[0] == needed % 2**32:
            return ""
        file.seek(0)
        try:
            held, rest = _inflated(file)
        except zlib.error as error:
            return f"broken gzip: {error}"
    if held < needed:
        return f"truncated: {held} of {needed} bytes in the gzip"
    return "" if rest is None else f"{rest} follow the end of the gzip: unpack it and pack it again"


def _inflated(file) -> tuple[int, str | None]:
    """Bytes that a gzip file holds in all its members, and what else follows them."""
    held, data = 0, file.read(START)
    while data:
        if not data.startswith(GZIP):
            return held, "other bytes" if data.strip(b"\0") else "zeros"
        member = zlib.decompressobj(wbits=31)
        while data:
            held += len(member.decompress(data))
            data = b"" if member.eof else file.read(START)
        data = member.unused_data or file.read(START)
    return held, None
