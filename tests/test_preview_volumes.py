"""Sheets of volumes: the planes as radiologists hang them; each random change alone, at three strengths."""

import warnings

import nibabel
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from medtf import config, preview_augment, preview_volumes
from medtf.augment import PICTURES_ONLY, VOLUMES_ONLY
from medtf.cli.preview import command
from medtf.config import Augment
from medtf.errors import AskedWronglyError


@pytest.mark.parametrize(
    ("name", "left", "right", "top", "bottom"),
    [
        ("sagittal", (5, 9, 6), (5, 2, 6), (5, 5, 11), (5, 5, 1)),
        ("coronal", (9, 6, 6), (1, 6, 6), (5, 6, 11), (5, 6, 1)),
        ("axial", (9, 5, 7), (1, 5, 7), (5, 9, 7), (5, 2, 7)),
    ],
)
def test_planes_hang_as_their_letters_say(name, left, right, top, bottom):
    """A bright voxel to the right, the front or the top of RAS+ comes out where the letter is."""
    shape = (10, 12, 14)
    middle = {"sagittal": 0, "coronal": 1, "axial": 2}[name]
    letters = dict(zip(("left", "right", "top", "bottom"), preview_volumes.PLANES[name][1:], strict=True))
    for side, voxel in {"left": left, "right": right, "top": top, "bottom": bottom}.items():
        volume = np.zeros(shape, "float32")
        volume[tuple(shape[i] // 2 if i == middle else v for i, v in enumerate(voxel))] = 1
        picture = preview_volumes.plane(volume, name)
        row, column = np.argwhere(picture)[0] / (np.array(picture.shape) - 1) - 0.5
        where = {"left": -column, "right": column, "top": -row, "bottom": row}
        assert where[side] > 0.2, (name, side)
        axis = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}[letters[side]]
        assert (voxel[axis] >= shape[axis] // 2) == (letters[side] in "RAS")


def test_black_and_white_are_percentiles():
    volume = np.arange(1001.0)
    assert preview_volumes.shown_range(volume) == (10, 990)
    assert preview_volumes.shown_range(np.full(5, 3.0)) == (3, 4)


def test_every_key_of_a_config_has_its_row():
    assert set(preview_augment.KINDS) == set(Augment.model_fields) - {"share"}
    for kind in preview_augment.KINDS.values():
        assert kind.words.format(0.5)


@pytest.mark.parametrize(
    ("shape", "absent", "model"), [((2, 24, 20, 1), VOLUMES_ONLY, "cnn3d"), ((2, 20, 24, 22, 1), PICTURES_ONLY, "sfcn")]
)
def test_each_change_grows_with_its_strength(shape, absent, model):
    raw = {"pipeline": "table", "augment": {"rotate": 30}, "input": {"size": 64}, "model": {"name": model}}
    images = np.random.default_rng(0).random(shape).astype("float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = preview_augment.rows(config.parse(raw), images)
    assert [row.key for row in found] == [key for key in preview_augment.KINDS if key not in absent]
    for row in found:
        assert row.configured == (row.key == "rotate")
        assert row.strengths == pytest.approx([row.strengths[2] / 3, row.strengths[2] * 2 / 3, row.strengths[2]])
        changes = [np.abs(image - images[0]).mean() for image in row.images]
        assert min(changes) > 0, row.key
        if row.key not in (*preview_augment.CHANCES, "rotate"):  # noise turned further is as different
            assert changes[2] > changes[0], row.key
    assert next(row for row in found if row.key == "rotate").strengths[2] == 30
    figure = preview_augment.sheet(found, images[0], "title")
    texts = [text.get_text() for axis in figure.axes for text in (*axis.texts, axis.xaxis.label)]
    assert sum(text.startswith("in the config") for text in texts) == 1
    assert "up to 10 degrees" in texts  # a third of 30


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    place = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in (24, 28, 26)], indexing="ij"), -1)
    for number in range(3):
        head = (np.linalg.norm(place, axis=-1) < 0.8) * 100 + rng.normal(0, 5, place.shape[:3])
        nibabel.save(nibabel.Nifti1Image(head.astype("float32"), np.diag([2, 2, 3, 1])), folder / f"{number}.nii.gz")
    rows = {"path": [f"{n}.nii.gz" for n in range(3)], "patient": range(3), "age": [40.5, 60, 70]}
    pd.DataFrame(rows).to_csv(folder / "sheet.csv", index=False)
    text = "pipeline: table\ntargets: {age: regression}\ninput: {size: [16, 20, 18]}\nmodel: {name: cnn3d}\n"
    (tmp_path / "config.yaml").write_text(text + "augment: {flip: 0.5, bias: 0.3}\n")
    return folder


@pytest.mark.parametrize("more", [[], ["--augmented"], ["--set", "input.patches.sampler=foreground"]])
def test_a_sheet_of_volumes(data, tmp_path, more):
    path = tmp_path / "sheet.png"
    words = [str(tmp_path / "config.yaml"), "--data", str(data), "-o", str(path), "-n", "2", *more]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    assert "2 examples of 3" in done.output
    with Image.open(path) as sheet:
        assert sheet.width > 1.5 * sheet.height


def test_the_words_beside_a_volume_name_size_spacing_and_values():
    volume = np.linspace(-0.7, 3.3, 4 * 5 * 6).reshape(1, 4, 5, 6, 1)
    figure = preview_volumes.sheet(volume, ["a.nii.gz\nage: 40.5"], np.array([[2, 2, 3.5]]), "title")
    words = figure.axes[0].texts[0].get_text().splitlines()
    assert words == [
        "a.nii.gz",
        "age: 40.5",
        "4 x 5 x 6 voxels",
        "of 2 x 2 x 3.5 mm",
        "values -0.70 to 3.30",
        "shown -0.66 to 3.26",
    ]
    letters = ["".join(text.get_text() for text in axis.texts) for axis in figure.axes[1:]]
    assert letters == ["APSI", "RLSI", "RLAP"]


def test_augment_each_from_the_command_line(data, tmp_path):
    path = tmp_path / "each.png"
    words = [str(tmp_path / "config.yaml"), "--data", str(data), "-o", str(path), "--augment", "each"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    assert "18 random changes, each alone at three strengths" in done.output
    with Image.open(path) as sheet:
        assert sheet.height > 1.5 * sheet.width
    with pytest.raises(AskedWronglyError, match="two different sheets"):
        CliRunner().invoke(command, [*words, "--augmented"], catch_exceptions=False)
