"""Pixels of one row in NumPy: the reference for the in-graph reader, the decoder of compressed files, and the pixel pass of the index."""

import hashlib
import math
import warnings
from pathlib import Path

import numpy as np

from medtf.data import nifti, voi
from medtf.errors import MedtfError

AIR = -1000.0  # HU


class Rows:
    """The rows of a table as the dicts that readers take, made when they are asked for: a million at once would fill gigabytes."""

    def __init__(self, frame):
        wanted = [name for name in frame if name.startswith("read_") or name in ("path", "modality", "syntax")]
        self.columns = {name: frame[name].to_numpy() for name in wanted}
        self.count = len(frame)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict:
        if not 0 <= number < self.count:
            raise IndexError(number)
        return {
            name: v.item() if isinstance(v := values[number], np.generic) else v
            for name, values in self.columns.items()
        }


DEFLATED = "1.2.840.10008.1.2.1.99"  # Deflated Explicit VR Little Endian


def stored(root, row: dict) -> np.ndarray:
    """Stored values (rows, columns) of a DICOM row, before any rescaling; bits beyond BitsStored are dropped.

    Raises:
        OSError, ValueError, RuntimeError: the file is away, cut or cannot be decoded; the caller names the file.
    """
    path = Path(root) / row["path"]
    if row["read_kind"] == "raw":
        with open(path, "rb") as file:
            file.seek(row["read_offset"])
            data = file.read(row["read_length"])
        order = ">" if row["read_big_endian"] else "<"
        kind = f"{order}{'i' if row['read_signed'] else 'u'}{row['read_bits_allocated'] // 8}"
        values = np.frombuffer(data, kind).reshape(row["read_rows"], row["read_columns"])
        return _only_stored_bits(values.astype(kind[1:]), row)
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # a deflated file is compressed as a whole: pydicom cannot seek in it, and must read all
        source = pydicom.dcmread(path) if row["syntax"] == DEFLATED else path
        return pydicom.pixels.pixel_array(source, index=row["read_frame"], raw=False)


def _only_stored_bits(values: np.ndarray, row: dict) -> np.ndarray:
    """Some writers leave rubbish in the bits above HighBit (PS3.5 8.1.1): shift it out and take the sign with it."""
    allocated, high, bits = row["read_bits_allocated"], row["read_high_bit"], row["read_bits_stored"]
    if bits == allocated:
        return values
    return (values << (allocated - 1 - high)) >> (allocated - bits)


def hounsfield(root, row: dict) -> np.ndarray:
    """Hounsfield units, float32 (rows, columns): stored * slope + intercept (PS3.3 C.11.1), padding is air.

    The photometric interpretation governs display alone, after the rescaling: HU of a MONOCHROME1 slice are not inverted.
    """
    values = stored(root, row).astype(np.float32)
    hu = values * np.float32(row["read_slope"]) + np.float32(row["read_intercept"])
    if not math.isnan(row["read_padding"]):
        hu[(values >= row["read_padding"]) & (values <= row["read_padding_limit"])] = AIR
    return hu


def modality_values(root, row: dict) -> np.ndarray:
    """What the stored values of a radiograph mean, float32 (rows, columns), before any display: NaN where there is padding.

    By the Modality LUT Sequence where there is one, else stored * slope + intercept (PS3.3 C.11.1). Padding is a stored value (C.7.5.1.1.2).

    Raises:
        ValueError: every pixel is padding; else what `stored` raises.
    """
    values = stored(root, row)
    meant = None
    if row["read_kind"] == "decode":
        header = _header(root, row)
        if header.get("ModalityLUTSequence"):
            meant, _ = voi.through_lut(values, header.ModalityLUTSequence[0], little_endian=_little_endian(row))
    values = values.astype(np.float32)
    if meant is None:
        meant = values * np.float32(row["read_slope"]) + np.float32(row["read_intercept"])
    if not math.isnan(row["read_padding"]):
        meant[(values >= row["read_padding"]) & (values <= row["read_padding_limit"])] = np.nan
        if np.isnan(meant).all():
            raise ValueError("every pixel is PixelPaddingValue (0028,0120)")
    return meant


def through_voi_lut(root, row: dict) -> np.ndarray:
    """A radiograph as its own VOI LUT shows it, float32 (rows, columns) in [0, 1], not inverted yet; NaN where there is padding."""
    values = modality_values(root, row)
    padding = np.isnan(values)
    item = _header(root, row).VOILUTSequence[0]
    shown, bits = voi.through_lut(
        np.where(padding, 0, values), item, little_endian=_little_endian(row), signed=row["read_intercept"] < 0
    )
    shown = np.minimum(shown / np.float32(2**bits - 1), 1)  # some writers claim fewer bits than their entries have
    shown[padding] = np.nan
    return shown


def intensity(root, row: dict) -> np.ndarray:
    """Values of a picture, or modality values of a radiograph, float32 (rows, columns), bright = dense: MONOCHROME1 is inverted.

    Padding is as dark as the darkest pixel.
    """
    if row["read_kind"] in ("png", "jpeg"):
        return _picture(Path(root) / row["path"], row)
    values = modality_values(root, row)
    low, high = np.nanmin(values), np.nanmax(values)
    if row["read_inverted"]:
        values = high + low - values
    return np.where(np.isnan(values), low, values)


def _picture(path: Path, row: dict) -> np.ndarray:
    """PNG or JPEG as grey values, upright, of as many bits as the row says."""
    from PIL import Image, ImageOps

    with Image.open(path) as image:
        # tables that are older than the column are read as they were
        upright = ImageOps.exif_transpose(image) if row.get("read_orientation", 0) > 1 else image
        if upright.mode.startswith("I"):
            return np.asarray(upright).astype(np.float32)
        values = np.asarray(upright.convert("L")).astype(np.float32)
        return values * 257 if row["read_bits_allocated"] == 16 else values  # Pillow takes 16-bit colour for 8-bit


def _header(root, row: dict):
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(Path(root) / row["path"], stop_before_pixels=True)


def _little_endian(row: dict) -> bool:
    return not row["read_big_endian"]


def read(root, row: dict) -> np.ndarray:
    """HU of a CT row, intensities of any other; float32 (rows, columns)."""
    return hounsfield(root, row) if row["modality"] == "CT" else intensity(root, row)


# sides of a volume that a mask may reach: a brain that was scanned in a tight box may meet two or three, what lies around it meets all
INVERTED = 5

# transfer syntaxes that may blur a constant padding: JPEG baseline and extended, near-lossless JPEG-LS, JPEG 2000, HTJ2K
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 203)}


def implausible_hounsfield(hu: np.ndarray, *, lossy: bool = False) -> str:
    """Why these values cannot be a CT slice in HU, or an empty string.

    Catches what decodes without an error: garbage, a wrong intercept, inverted values. Limits are wide: 12-bit CT ends at 3071, metal
    and extended scales go higher; neighbouring pixels of a noisy thin slice differ by some 50 HU.
    """
    if hu.min() == hu.max():
        return f"constant: every pixel is {hu.min():g} HU"
    outside = float(np.mean((hu < -4096) | (hu > 8000)))
    if outside > 0.005:
        return f"{outside:.1%} of the pixels lie outside -4096..8000 HU: not decoded rightly"
    step = float(np.median(np.abs(np.diff(hu[::4], axis=1))))
    if step > 250:
        return f"neighbouring pixels differ by {step:.0f} HU in the median: not decoded rightly"
    darkest = float(np.percentile(hu[::4, ::4], 1))
    if darkest > -300:
        return f"no air: the darkest 1 % of the pixels read {darkest:.0f} HU; RescaleIntercept (0028,1052) looks wrong"
    few = hu[::4, ::4]
    deep = few[few < -1500]  # padding is one number there; air that was shifted twice is noise
    if not lossy and deep.size > 0.05 * few.size and np.unique(deep, return_counts=True)[1].max() < 0.5 * deep.size:
        return f"{deep.size / few.size:.0%} of the pixels are noise below -1500 HU: RescaleIntercept (0028,1052) looks applied twice"
    bright = float(np.mean(few > 1500))
    if bright > 0.25:
        return f"{bright:.0%} of the pixels are above 1500 HU: inverted, or RescaleIntercept (0028,1052) looks wrong"
    return ""


def examine(root, row: dict, volume: int | None = None) -> tuple[str, str, float]:
    """(hash, reason to leave the row out, ml): `check`, and of a volume the millilitres inside its mask or else of its foreground.

    Args:
        root: data root.
        row: a row of the table, with its mask (`medtf.data.masks`) where it has one.
        volume: `input.volume`, for 4D.
    """
    if row["read_kind"] not in nifti.KINDS:
        return *check(root, row), math.nan
    found = nifti.check(root, row, index=volume)
    if found.reason or not row.get("read_mask_path"):
        return tuple(found)
    from medtf.data import masks

    try:
        mask = masks.read(root, row)
    except MedtfError as error:
        return "", f"mask {error}", math.nan
    cut = masks.cut_faces(mask)
    if len(cut) >= INVERTED:
        return (
            "",
            f"mask {row['read_mask_path']}: reaches the edge of the volume at {', '.join(cut)}: inverted?",
            math.nan,
        )
    ml = nifti.foreground_ml(None, nifti.parse(row).spacing, mask)
    return (found.digest, "", ml) if ml else ("", f"mask {row['read_mask_path']}: nothing is above 0", math.nan)


def check(root, row: dict, volume: int | None = None) -> tuple[str, str]:
    """(hash of the decoded pixels, reason to leave the row out); one of the two is empty.

    The hash is over the values a reader gets, so that one image in two transfer syntaxes has one hash. `volume` is `input.volume`, for 4D.
    """
    if row["read_kind"] in nifti.KINDS:
        return nifti.check(root, row, index=volume)[:2]
    try:
        values = read(root, row)
    except Exception as error:  # decoders raise many kinds (zlib's, struct's, Pillow's); each is a verdict on the file
        return "", f"cannot be decoded: {type(error).__name__}: {error}".splitlines()[0][:200]
    reason = implausible_hounsfield(values, lossy=row["syntax"] in LOSSY) if row["modality"] == "CT" else ""
    if not reason and values.min() == values.max():
        reason = f"constant: every pixel is {values.min():g}"
    if reason:
        return "", reason
    return hashlib.blake2b(values.tobytes() + repr(values.shape).encode(), digest_size=16).hexdigest(), ""
