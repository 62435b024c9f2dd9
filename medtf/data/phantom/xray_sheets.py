"""The lists beside the pictures: those of the NIH archive, to the letter of their odd headers, and a shoulder clinic's sheet."""

import csv
from pathlib import Path

from medtf.data.phantom.xray_findings import NONE

NIH_HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
NIH_HEADER += ",OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"  # eleven columns: two names hold a comma
BOX_HEADER = "Image Index,Finding Label,Bbox [x,y,w,h],,,"
BOX_NAMES = {"Infiltration": "Infiltrate"}  # as the archive's list of boxes calls it
BOX_SIDE = 1024  # pixels of an NIH image, whose coordinates boxes are written in
ENTRIES, BOXES, TRAIN, TEST = "Data_Entry_2017.csv", "BBox_List_2017.csv", "train_val_list.txt", "test_list.txt"
SHEET = "shoulder.csv"
SHEET_COLUMNS = ("path", "patient", "osteoporosis", "t_score", "bmd", "age", "sex", "bmi", "view", "side")


def write_nih(folder: Path, images: list) -> None:
    """Write the four lists. `images`: dicts as `xray.make_chests` returns them, in the archive's order."""
    rows = [NIH_HEADER, *(",".join(map(str, entry(image))) for image in images)]
    _text(folder / ENTRIES, rows)
    boxes = [
        ",".join(
            [image["name"], BOX_NAMES.get(label, label), *(f"{BOX_SIDE * part / image['size']:g}" for part in box)]
        )
        for image in images
        for label, box in image["findings"].items()
    ]
    _text(folder / BOXES, [BOX_HEADER, *boxes])
    for name, wanted in ((TRAIN, False), (TEST, True)):
        _text(folder / name, [image["name"] for image in images if image["test"] == wanted])


def entry(image: dict) -> list:
    """One row of Data_Entry_2017.csv."""
    person, width = image["person"], image["original"]
    labels = "|".join(sorted(image["findings"])) or NONE
    spacing = f"{image['field'] / width:.3f}"
    about = [image["follow_up"], person.number + 1, person.age, "F" if person.female else "M", image["view"]]
    return [image["name"], labels, *about, width, width, spacing, spacing]


def write_sheet(path: Path, rows: list) -> None:
    """Write dicts of one kind as a CSV with the first one's keys as header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _text(path: Path, lines: list) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", newline="\n")
