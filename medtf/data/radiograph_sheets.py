"""What archives of radiographs tell about a picture: whose it is by its name, age, sex and view, read alike from every sheet."""

import re

import pandas as pd

from medtf.data.people import SEXES
from medtf.data.sheets import plain_id
from medtf.errors import AskedWronglyError
from medtf.table import is_empty

PICTURES = (".png", ".jpg", ".jpeg")
RADIOGRAPHS = ("CR", "DX", "RG", "RF", "")  # Modality (0008,0060); pictures have none
OLDEST = 120  # years; ChestX-ray14 holds ages up to 414
NIH_NAME = re.compile(r"(?:^|/)(\d{8})_\d{3}\.\w+$")  # 00000218_002.png is a picture of patient 218
CHEXPERT_NAME = re.compile(r"(?:^|/)(patient\d+)/(study\d+)/([^/]+)\.\w+$")


def person_by_name(path: str) -> str:
    """The patient that ChestX-ray14's or CheXpert's names tell, as their label files write it; empty where the name tells nobody."""
    path = path.replace("\\", "/")
    nih, chexpert = NIH_NAME.search(path), CHEXPERT_NAME.search(path)
    return str(int(nih[1])) if nih else chexpert[1] if chexpert else ""


def ages(values: pd.Series, notes: list[str], source: str) -> pd.Series:
    """Years as float, NaN = unknown; `58`, `58.0` and `058Y` are one age. What no person can be is unknown, with a note."""
    words = values.map(plain_id).str.replace(r"[Yy]$", "", regex=True)
    numbers = pd.to_numeric(words, errors="coerce").astype(float)
    known = numbers.where((numbers > 0) & (numbers < OLDEST))
    _tell(values, known, f"an age between 0 and {OLDEST} years", notes, source)
    return known


def sexes(values: pd.Series, notes: list[str], source: str) -> pd.Series:
    """M, F, or an empty string for unknown."""
    found = values.map(plain_id).str.lower().map(SEXES)
    _tell(values, found, "M or F", notes, source)
    return found.fillna("").astype("str")


def views(values: pd.Series) -> pd.Series:
    """AP or PA, or an empty string where it is neither (CheXpert's LL and RL are sides of lateral views)."""
    words = values.map(plain_id).str.upper()
    return words.where(words.isin(["AP", "PA"]), "").astype("str")


def named_views(values: pd.Series) -> pd.Series:
    """A sheet's own views as words, those that `data.views` can name in its spelling: `ap ` is AP, `Frontal` is frontal."""
    words = values.map(plain_id)
    known = {"ap": "AP", "pa": "PA", "frontal": "frontal", "lateral": "lateral"}
    return words.str.lower().map(known).fillna(words).astype("str")


def not_asked_for(frame: pd.DataFrame, wanted: tuple[str, ...]) -> pd.Series:
    """(rows,) why `data.views` leaves a row out; an empty string where it stays.

    Args:
        frame: `view` (AP, PA, ...) or `projection` (frontal, lateral), or both.
        wanted: as in the config; none: all rows stay.
    Raises:
        AskedWronglyError: nothing says which view an image is.
    """
    if not wanted:
        return pd.Series("", index=frame.index)
    told = [frame[name].fillna("").astype(str) for name in ("view", "projection") if name in frame]
    if not told or not any((words != "").any() for words in told):
        raise AskedWronglyError(
            "data.views: nothing says which view an image is; a label file with the view has to lie beside the images, or remove the key"
        )
    fits = pd.concat([words.isin(wanted) for words in told], axis=1).any(axis=1)
    if "frontal" in wanted:
        fits |= told[0].isin(["AP", "PA"])
    name = told[0].where(told[0] != "", told[-1])
    reason = "view " + name.where(name != "", "unknown") + f": data.views asks for {', '.join(wanted)}"
    return reason.where(~fits, "")


def _tell(given: pd.Series, known: pd.Series, expected: str, notes: list[str], source: str) -> None:
    strange = given[known.isna() & ~is_empty(given)]
    if len(strange):
        such = plain_id(strange.iloc[0])
        rows = f"{len(strange):,} rows" if len(strange) > 1 else "1 row"
        notes.append(f"{source}: {rows} with {such!r} or the like where {expected} was expected: taken as unknown")
