"""The flaws that real archives have, each put on one file that is otherwise the one written without flaws."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import RLELossless

DUPLICATED_IMAGES = 3  # images whose six label rows stand twice, as four do in stage 1 of the RSNA archive


def truncated(path: Path, rng) -> None:
    """A download that broke off in the pixels."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])


def compressed(path: Path, rng) -> None:
    """RLE lossless: the same pixels, another transfer syntax."""
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def monochrome1(path: Path, rng) -> None:
    """Shown inverted. Stored values and rescale stay: the photometric interpretation governs display only, after the
    modality LUT (PS3.3 C.7.6.3.1.2), so Hounsfield units are what they were."""
    dataset = pydicom.dcmread(path)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(path, enforce_file_format=True)


def wrong_intercept(path: Path, rng) -> None:
    """12 bit unsigned values with a rescale intercept of 0: everything reads 1024 HU too high, air about 0."""
    dataset = _unsigned(path)
    dataset.RescaleIntercept = "0"
    dataset.save_as(path, enforce_file_format=True)


def wrapped(path: Path, rng) -> None:
    """Signed HU cut to 12 bits and called unsigned, as in some of the archive's files: brain is right, air is 3096."""
    dataset = _unsigned(path)
    hu = dataset.pixel_array.astype(np.int32) + int(dataset.RescaleIntercept)
    dataset.PixelData = (hu & 0xFFF).astype("<u2").tobytes()
    dataset.RescaleIntercept = "0"
    dataset.save_as(path, enforce_file_format=True)


def high_bits(path: Path, rng) -> None:
    """12 stored bits under 4 bits of rubbish (old overlays): right once masked to BitsStored (PS3.5 8.1.1)."""
    dataset = _unsigned(path)
    values = np.frombuffer(dataset.PixelData, "<u2")
    rubbish = rng.integers(0, 16, values.shape).astype(np.uint16) << 12
    dataset.PixelData = (values | rubbish).astype("<u2").tobytes()
    dataset.save_as(path, enforce_file_format=True)


def _unsigned(path: Path) -> pydicom.Dataset:
    """The file's dataset as 12 bit unsigned; the phantom's stored values are 0..4095, so none changes."""
    dataset = pydicom.dcmread(path)
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    return dataset


FLAWS = {f.__name__: f for f in (truncated, compressed, monochrome1, wrong_intercept, wrapped, high_bits)}


def add_flaws(root: Path, folder: str, table: str, names: list, seed: int) -> list:
    """Spoil one file of `names` for each flaw, repeat label rows of a few images, and list it all in flaws.csv.

    Returns:
        [(file, flaw)], as written: `file` relative to `root`; rows of the label table stand under `duplicate_rows`.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4, 0)))
    order = rng.permutation(len(names))
    listed = []
    for (flaw, spoil), place in zip(FLAWS.items(), order, strict=False):
        file = f"{folder}/{names[place]}.dcm"
        spoil(root / file, rng)
        listed.append((file, flaw))
    lines = (root / table).read_text(encoding="ascii").splitlines()
    # The flawed files come first in `order`, so duplicates fall on sound ones while there are any.
    for place in order[::-1][:DUPLICATED_IMAGES]:
        lines += [line for line in lines[1 : 1 + 6 * len(names)] if line.startswith(names[place] + "_")]
        listed.append((f"{folder}/{names[place]}.dcm", "duplicate_rows"))
    (root / table).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    text = "".join(f"{file},{flaw}\n" for file, flaw in listed)
    (root / "flaws.csv").write_text("file,flaw\n" + text, encoding="ascii", newline="\n")
    return listed
