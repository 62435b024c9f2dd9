"""The contact sheet: a row an example, a column a channel, words that a reader of the sheet knows."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtf import config, prepare, preview
from medtf.errors import MedtfError


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(9):
        Image.fromarray(rng.integers(0, 255, (20, 20), np.uint8)).save(folder / f"{number}.png")
    rows = {"path": [f"{n}.png" for n in range(9)], "patient": range(9), "ill": [0] * 6 + [1] * 3}
    rows |= {"view": ["AP", "PA", None] * 3, "age": np.arange(9) + 0.5}
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


def parsed(**more):
    targets = {"ill": "binary", "view": {"binary": {"positive": "AP"}}, "kind": "regression"}
    raw = {"pipeline": "table", "targets": targets, "data": {"columns": {"kind": "age"}}, "input": {"size": 16}}
    return config.parse(raw | more)


@pytest.mark.parametrize("augmented", [False, True])
def test_a_sheet_is_drawn_and_nothing_is_left_beside_it(data, tmp_path, augmented):
    found = prepare.found_table(parsed(), data)
    path = tmp_path / "sheet.png"
    assert preview.draw(parsed(), found, data, path, count=4, augmented=augmented) == 4
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        assert sheet.height > sheet.width * 0.8  # four rows of one channel
    assert {p.name for p in tmp_path.iterdir()} == {"data", "sheet.png"}


def test_classes_take_turns(data):
    found = prepare.found_table(parsed(), data)
    rows = preview._in_turns(found, parsed(), 4)
    assert found.frame["ill"].iloc[rows].tolist() == [1, 0, 1, 0]
    assert len(preview._in_turns(found, parsed(), 24)) == 9  # never more than there are


def test_words_are_the_sheets_own():
    targets = (
        parsed().targets
        | config.parse({"pipeline": "table", "targets": {"side": {"classes": ["left", "right"]}}}).targets
    )
    labels = {
        "ill": np.array([[1.0], [0.0]]),
        "view": np.array([[1.0], [0.0]]),
        "kind": np.array([[61.5], [np.nan]]),
        "side": np.array([[0.0, 1.0], [np.nan, np.nan]]),
    }
    words = preview._words(
        ["a/1.png", "b/" + 40 * "x" + "2.png"], labels, parsed().model_copy(update={"targets": targets})
    )
    assert words[0].splitlines() == ["1.png", "ill: 1", "view: AP", "kind: 61.5", "side: right"]
    assert words[1].splitlines()[1:] == ["ill: 0", "view: not AP", "kind: unknown", "side: unknown"]
    assert words[1].startswith("...x")
    assert words[1].splitlines()[0].endswith("2.png")
    assert len(words[1].splitlines()[0]) == 26


def test_channels_are_named_with_centre_and_width():
    windows = {"size": 16, "windows": ["brain", [50, 130]]}
    assert preview.channel_names(parsed(input=windows)) == ["brain 40/80 HU", "window 50/130 HU"]
    assert preview.channel_names(parsed()) == ["grey"]
    assert preview.channel_names(parsed(input={"channels": 3})) == ["red", "green", "blue"]


def test_a_picture_that_is_lost_is_named(data, tmp_path):
    found = prepare.found_table(parsed(), data)
    (data / "8.png").unlink()
    with pytest.raises(MedtfError, match=r"8\.png: no such file"):
        preview.draw(parsed(), found, data, tmp_path / "sheet.png", count=9)
    assert not (tmp_path / "sheet.png").exists()
