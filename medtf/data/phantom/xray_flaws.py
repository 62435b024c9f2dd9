"""The flaws that archives of radiographs have, each on an image of its own, listed in flaws.csv."""

import shutil
from pathlib import Path

import numpy as np
import pydicom

from medtf.data.phantom.xray_sheets import ENTRIES, SHEET

FLAWS = {
    "truncated": "a download that broke off in the pixels",
    "duplicate": "the same bytes under another name, as another patient's image",
    "absent": "a row without its image",
    "age_414": "an age of 414 years, as the first edition of the NIH list has some",
    "contradictory_row": "a second row of the same image with another label",
    "unlisted": "an image without a row",
    "monochrome1": "stored inverted and said to be so (DICOM only): no error, but read wrongly by whoever skips the tag",
}


def add_flaws(root: Path, seed: int, archives: dict) -> list:
    """Spoil files and lists of the finished archives in place.

    Args:
        root: folder of both. seed: the archives'.
        archives: {"chest": [relative paths], "shoulder": [...]} of their images, in the order of their rows; may be empty.

    Returns:
        [(file, flaw)] as written to flaws.csv, files relative to `root`.
    """
    listed = []
    for number, (archive, files) in enumerate(archives.items()):
        if not files:
            continue
        sheet = root / archive / (ENTRIES if archive == "chest" else SHEET)
        header, *rows = sheet.read_text(encoding="utf-8").splitlines()
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(4, 2, number)))
        chosen = iter(rng.permutation(len(files)))
        for flaw in FLAWS:
            if flaw == "monochrome1" and not files[0].endswith(".dcm"):
                continue
            at = int(next(chosen))
            rows = _spoil(flaw, root, files, rows, at, header.split(","))
            listed.append((files[at], flaw))
        sheet.write_text("\n".join([header, *filter(None, rows)]) + "\n", encoding="utf-8", newline="\n")
    text = "".join(f"{file},{flaw}\n" for file, flaw in listed)
    (root / "flaws.csv").write_text("file,flaw\n" + text, encoding="ascii", newline="\n")
    return listed


def _spoil(flaw: str, root: Path, files: list, rows: list, at: int, columns: list) -> list:
    """One flaw on image `at`; returns the rows, where a lost one is empty so that the others keep their places."""
    path = root / files[at]
    chest = columns[0] == "Image Index"
    if flaw == "truncated":
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 6 // 10])
    elif flaw == "duplicate":
        shutil.copyfile(root / files[at - 1], path)
    elif flaw == "absent":
        path.unlink()
    elif flaw == "unlisted":
        rows[at] = ""
    elif flaw == "monochrome1":
        _inverted(path)
    elif flaw == "age_414":
        rows[at] = _changed(rows[at], columns.index("Patient Age" if chest else "age"), lambda value: "414")
    else:
        other = (lambda value: "Hernia") if chest else (lambda value: str(1 - int(value)))
        rows = [*rows, _changed(rows[at], 1 if chest else columns.index("osteoporosis"), other)]
    return rows


def _changed(row: str, column: int, change) -> str:
    cells = row.split(",")
    cells[column] = change(cells[column])
    return ",".join(cells)


def _inverted(path: Path) -> None:
    """MONOCHROME1: the lowest value is shown white (PS3.3 C.7.6.3.1.2)."""
    dataset = pydicom.dcmread(path)
    top = 2**dataset.BitsStored - 1
    dataset.PixelData = (top - np.frombuffer(dataset.PixelData, "<u2")).astype("<u2").tobytes()
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(path, enforce_file_format=True)
