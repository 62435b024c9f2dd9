"""The pictures of a report: which answers they show, how large they are, and that nobody's name is in them."""

import base64
import io
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import small_runs
from PIL import Image

from medtf import config as configs
from medtf import gallery, gallery_pictures, judging, pipeline, predictions
from medtf.data.phantom import ct
from medtf.evaluate.pages.report import template

BINARY = configs.parse({"pipeline": "table", "targets": {"t": "binary"}})
NUMBERS = {"n": 6, "threshold": {"value": 0.5}, "positive": "sick", "negative": "well"}


def frame(**columns):
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"row": range(10, 10 + count), "patient": [f"p{i}" for i in range(count)]} | columns)


def rows(found, kind, config=BINARY, numbers=NUMBERS, count=8):
    return [one["row"] for one in gallery.choose(found, "t", config, numbers, kind, count)["pictures"]]


def test_the_worst_are_the_wrong_calls_the_model_is_most_sure_of():
    found = frame(t=[0.9, 0.99, 0.4, 0.45, 0.1, 0.6], t_true=[0, 1, 1, 0, 1, 0])
    assert rows(found, "worst") == [10, 14, 12, 15]  # off by 0.9, 0.9, 0.6, 0.6; equals in the order of rows
    assert rows(found, "worst", count=2) == [10, 14]


def test_a_threshold_moves_what_is_wrong():
    found = frame(t=[0.3, 0.2], t_true=[0, 1])
    assert rows(found, "worst") == [11]
    assert rows(found, "worst", numbers=NUMBERS | {"threshold": {"value": 0.25}}) == [11, 10]


def test_pooled_folds_are_called_by_their_own_thresholds():
    found = frame(t=[0.3, 0.3], t_true=[0, 0], t_threshold=[0.2, 0.4])
    assert rows(found, "worst") == [10]


def test_one_picture_a_patient_and_none_of_unknown_truth():
    found = frame(t=[0.9, 0.8, 0.7, 0.95], t_true=[0, 0, 0, np.nan]).assign(patient=["a", "a", "b", "c"])
    assert rows(found, "worst") == [10, 12]


def test_nothing_wrong_is_said():
    made = gallery.choose(frame(t=[0.9], t_true=[1]), "t", BINARY, NUMBERS, "worst", 8)
    assert made == {"words": "No example is called wrongly.", "pictures": []}


def test_without_passes_the_least_certain_are_nearest_the_threshold_in_log_odds():
    """From 0.1, log odds -2.197: 0.2 (-1.386) is 0.811 away, 0.05 (-2.944) 0.747, though 0.05 is half as near in probability."""
    found = frame(t=[0.2, 0.05, 0.9], t_true=[0, 0, 1])
    numbers = NUMBERS | {"threshold": {"value": 0.1}}
    made = gallery.choose(found, "t", BINARY, numbers, "uncertain", 8)
    assert [one["row"] for one in made["pictures"]] == [11, 10, 12]
    assert made["pictures"][0]["uncertainty"] == "0.747 from the threshold in log odds"


def test_passes_are_believed_first():
    found = frame(t=[0.5, 0.9], t_true=[0, 1], t_mc_entropy=[0.1, 0.6], t_tta_entropy=[0.6, 0.1])
    made = gallery.choose(found, "t", BINARY, NUMBERS, "uncertain", 8)
    assert [one["row"] for one in made["pictures"]] == [11, 10]
    assert made["pictures"][0] == {
        "row": 11, "truth": "sick", "prediction": "0.900 for sick", "uncertainty": "entropy 0.6 nats",
    }  # fmt: skip


def test_values_are_ranked_by_their_error_and_by_their_deviation():
    config = configs.parse({"pipeline": "table", "targets": {"t": {"regression": {"head": "gaussian"}}}})
    found = frame(t=[60.0, 40.0, 50.0], t_true=[50.0, 52.0, 50.0], t_sd=[1.0, 2.0, 3.0])
    assert rows(found, "worst", config) == [11, 10, 12]
    assert rows(found, "uncertain", config) == [12, 11, 10]
    plain = configs.parse({"pipeline": "table", "targets": {"t": "regression"}})
    made = gallery.choose(found.drop(columns="t_sd"), "t", plain, NUMBERS, "uncertain", 8)
    assert made["pictures"] == []
    assert "does not say how sure" in made["words"]


def test_classes_are_told_by_name():
    config = configs.parse({"pipeline": "table", "targets": {"t": {"classes": ["a", "b", "c"]}}})
    found = frame(t_0=[0.8, 0.3, 0.1], t_1=[0.1, 0.3, 0.8], t_2=[0.1, 0.4, 0.1], t_true=[1, 2, 1])
    (one,) = gallery.choose(found, "t", config, NUMBERS, "worst", 8)["pictures"]
    assert (one["row"], one["truth"], one["prediction"]) == (10, "b", "a (0.80)")
    assert rows(found, "uncertain", config)[0] == 11


def decoded(picture):
    kind, content = re.fullmatch(r"data:image/(png|jpeg);base64,(.*)", picture).groups()
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    assert image.format.lower() == kind
    return image


def judged(run, data, **sections):
    """The gallery of a run's test fold, with the metrics that count."""
    config = run.config()
    table = run.table()
    module = pipeline.find(config.pipeline)
    found = predictions.predict(
        judging.load_model(run), predictions.of_fold(table, "test"), data, config, module, **sections
    )
    chosen = run.read_json("thresholds.json")["targets"]
    numbers = {"n": 1, "positive": 1, "negative": 0}
    metrics = {"targets": {n: numbers | {"threshold": chosen.get(n)} for n in config.targets}}
    return found, table, config, metrics


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory):
    data = small_runs.pictures(tmp_path_factory.mktemp("pictures"))
    config = small_runs.settings()
    run = small_runs.write(tmp_path_factory.mktemp("run") / "run", small_runs.table_of(data, config), data, config)
    return run, data


def test_a_picture_is_what_the_network_saw(radiographs):
    run, data = radiographs
    found, table, config, metrics = judged(run, data)
    made = gallery.make(found, table, data, config, metrics, 4)
    assert made["reason"] is None
    assert [(group["target"], group["kind"]) for group in made["groups"]] == [
        (name, kind) for name in ("sick", "site", "age") for kind in ("worst", "uncertain")
    ]
    for group in made["groups"]:
        for one in group["pictures"]:
            seen = np.asarray(decoded(one["picture"]), float)
            original = np.asarray(Image.open(data / table.frame["path"].iloc[one["row"]]), float)
            assert seen.shape == (32, 32)
            assert np.corrcoef(seen.ravel(), original.ravel())[0, 1] > 0.98
            assert table.frame["fold"].iloc[one["row"]] == "test"


def test_files_that_are_away_leave_it_out_with_a_reason_and_no_path(radiographs, tmp_path):
    run, data = radiographs
    found, table, config, metrics = judged(run, data)
    made = gallery.make(found, table, tmp_path / "away", config, metrics, 4)
    assert made["groups"] == []
    assert made["reason"].startswith("the images could not be read: ")
    assert str(tmp_path) not in made["reason"]
    assert gallery.make(found, table, data, config, metrics, 0)["reason"] == "evaluate.gallery is 0"
    unknown = found.assign(sick_true=np.nan, site_true=np.nan, age_true=np.nan)
    assert gallery.make(unknown, table, data, config, metrics, 4)["reason"] == "no example with a known label"


def test_many_targets_share_the_room(radiographs):
    run, data = radiographs
    found, table, config, metrics = judged(run, data)
    made = gallery.make(found, table, data, config, metrics, 48)
    assert sum(len(group["pictures"]) for group in made["groups"]) <= gallery.MOST


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    data = tmp_path_factory.mktemp("phantom") / "ct"
    ct.write(data, patients=10, slices=4, matrix=256, jobs=1)
    config = configs.parse({
        "pipeline": "rsna_ich",
        "targets": {"any": "binary"},
        "data": {"split": {"valid": 0.2, "test": 0.4}},
        "input": {"size": 299, "windows": ["brain", "subdural", "soft"]},
        "model": {"name": "mobilenet"},
    })  # fmt: skip
    table = small_runs.table_of(data, config)
    return small_runs.write(tmp_path_factory.mktemp("run") / "run", table, data, config), data


def test_a_ct_shows_its_windows_side_by_side_and_sixteen_stay_small(slices):
    run, data = slices
    config, table = run.config(), run.table()
    one = table.with_frame(table.frame.iloc[:1])
    (picture,) = gallery_pictures.draw(one, data, config)
    image = np.asarray(decoded(picture), float)
    side = gallery_pictures.PANEL
    assert image.shape == (side, 3 * side + 4)
    images, _, _ = next(iter(pipeline.find("rsna_ich").dataset(one, data, config, training=False)))
    for number in range(3):
        panel = image[:, number * (side + 2) : number * (side + 2) + side]
        assert abs(panel.mean() / 255 - float(np.asarray(images)[0, ..., number].mean())) < 0.02
    assert 16 * len(base64.b64decode(picture.partition(",")[2])) < 600_000
    assert "brain 40/80 HU, subdural 80/200 HU, soft 40/380 HU" in gallery_pictures.words(config)


def test_a_volume_shows_three_planes_in_millimetres():
    """A box of 20 x 40 x 30 mm in voxels of 2 x 1 x 1 mm: sagittal 40 wide, 30 high; coronal 20 x 30; axial 20 x 40."""
    volume = np.random.default_rng(0).random((10, 40, 30)).astype(np.float32)
    drawn = gallery_pictures.planes(volume, (2.0, 1.0, 1.0))
    scale = gallery_pictures.PLANES / 40
    assert drawn.shape == (160, round(40 * scale) + 2 * round(20 * scale) + 4)
    assert drawn.dtype == np.uint8


def test_of_patches_the_fullest_is_shown(monkeypatch):
    """Two rows of two and three patches, told apart by their value."""
    weights = np.array([0.1, 0.9, 0.3, 0.5, 0.4])
    patches = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1, 1)
    module = SimpleNamespace(dataset=lambda *_, **__: [(patches[:3], {}, weights[:3]), (patches[3:], {}, weights[3:])])
    monkeypatch.setattr(gallery_pictures.pipeline, "find", lambda name: module)
    monkeypatch.setattr(gallery_pictures.predictions, "rows_of_blocks", lambda *_: np.array([0, 0, 1, 1, 1]))
    shown = gallery_pictures.seen([None, None], "", BINARY)
    assert [float(one.ravel()[0]) for one in shown] == [1, 3]


def test_equal_voxels_make_no_warning():
    with np.errstate(all="raise"):
        gallery_pictures.planes(np.zeros((8, 8, 8), np.float32), (1, 1, 1))
        gallery_pictures.panels(np.full((8, 8, 3), np.float32(0.5)), windows=True)


def test_volumes_are_read_from_their_files_whatever_the_training_kept(tmp_path):
    data, config = small_runs.volumes(tmp_path / "data"), small_runs.settings_of_volumes()
    run = small_runs.write(tmp_path / "run", small_runs.table_of(data, config), data, config)
    found, table, config, metrics = judged(run, data, mc_dropout=2)
    packed = config.model_copy(update={"input": config.input.model_copy(update={"keep": "gone.pack"})})
    made = gallery.make(found, table, data, packed, metrics, 2)
    assert made["reason"] is None
    assert made["wide"]
    assert made["groups"][1]["words"] == "By standard deviation over passes with dropout on."
    assert made["groups"][1]["pictures"][0]["uncertainty"].startswith("standard deviation ")


def test_the_section_names_rows_alone(radiographs):
    run, data = radiographs
    found, table, config, metrics = judged(run, data)
    made = gallery.make(found, table, data, config, metrics, 2)
    page = template("report_gallery.html.j2").module.gallery_section(made)
    shown = re.sub(r'src="[^"]*"', "", page)
    assert f"row {made['groups'][0]['pictures'][0]['row']}" in shown
    for private in (str(data), "images/", ".png", *table.frame["patient"].unique()):
        assert private not in shown
    hostile = made | {"groups": [group | {"target": "<script>"} for group in made["groups"]]}
    assert "<script>" not in template("report_gallery.html.j2").module.gallery_section(hostile)
    assert "No pictures: evaluate.gallery is 0." in template("report_gallery.html.j2").module.gallery_section(
        made | {"groups": [], "reason": "evaluate.gallery is 0"}
    )
