"""medtf explain below the command line: which rows are picked, what a picture and a page show, and that a folder is whole or as it was."""

import dataclasses
import json
import re

import keras
import nibabel
import numpy as np
import pandas as pd
import pytest
import small_runs
from PIL import Image

from medtf.errors import AskedWronglyError, MedtfError
from medtf.explain import methods, pictures
from medtf.explain.method import Method
from medtf.explain.runs import explaining, overlays, picking, subject, whole
from medtf.explain.runs.explaining import Asked

BOTH = ("grad-cam", "edges")


class Edges(Method):
    """Shows the picture itself and asks the network nothing: what a trust check is there to find."""

    name, label, paper, words = "edges", "Edges", "none", "The picture."
    of_layers = False

    def prepared(self, model, score, layer_name):
        return lambda images, classes: np.abs(images[..., 0] - 0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = small_runs.pictures(tmp_path_factory.mktemp("explained"))
    config = small_runs.settings()
    return small_runs.write(folder / "run", small_runs.table_of(folder, config), folder, config)


@pytest.fixture(scope="module")
def opened(run):
    return subject.opened(run.folder)


@pytest.fixture
def edges(monkeypatch):
    monkeypatch.setitem(methods.METHODS, "edges", Edges)


def saying(opened, **columns):
    """A subject whose network said something else."""
    found = opened.predictions.assign(**columns)
    return dataclasses.replace(opened, predictions=found)


# === Picking ===


def test_mistakes_are_the_surest_wrong_calls_one_a_patient(opened):
    count = len(opened.predictions)  # two rows a patient
    truth = opened.predictions["sick_true"].to_numpy()
    said = np.where(truth == 1, 0.99, 0.01)
    said[4], said[5], said[8] = 1 - truth[4], np.abs(1 - truth[5] - 0.1), np.abs(1 - truth[8] - 0.2)
    wrong = saying(opened, sick=said)
    picked = picking.pick(wrong, "sick", "mistakes")
    assert picked.numbers.tolist() == [4, 8]  # 5 is of the person of 4
    assert "Of 3 wrong calls" in picked.words
    told = picking.told(wrong, "sick")
    assert told["wrong"].tolist() == [i in (4, 5, 8) for i in range(count)]
    assert told["error"][4] == 1
    assert told["error"][8] == pytest.approx(0.8)
    assert told["truth"][4] == f"sick = {int(truth[4])}"
    assert told["prediction"][4].startswith(f"sick = {int(1 - truth[4])} (probability")


def test_where_nothing_is_wrong_the_least_certain_are_shown_and_it_is_said(opened):
    at = opened.run.read_json("thresholds.json")["targets"]["sick"]["value"]
    truth = opened.predictions["sick_true"].to_numpy()
    said = np.where(truth == 1, at + (1 - at) * 0.9, at * 0.1)
    said[7] = at * 0.999 if truth[7] == 0 else at + (1 - at) * 0.001
    picked = picking.pick(saying(opened, sick=said), "sick", "mistakes", count=3)
    assert picked.kind == "uncertain"
    assert picked.words.startswith("No row is called wrongly, so the least certain answers are shown")
    assert picked.numbers[0] == 7
    assert len(picked.numbers) == 3


def test_chance_follows_its_seed_and_takes_one_row_a_patient(opened):
    first, again, other = (picking.pick(opened, "sick", "random", count=6, seed=seed).numbers for seed in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()
    assert opened.predictions["patient"].iloc[first].is_unique
    assert picking.pick(opened, "sick", "all", count=None).numbers.tolist() == list(range(len(opened.table)))


def test_a_value_is_off_by_so_much_and_never_called_wrongly(opened):
    truth = opened.predictions["age_true"].to_numpy()
    said = truth + np.arange(len(truth))
    found = saying(opened, age=said)
    assert picking.pick(found, "age", "mistakes", count=1).numbers.tolist() == [len(truth) - 1]
    told = picking.told(found, "age")
    np.testing.assert_allclose(told["error"], np.arange(len(truth)))
    assert set(told["wrong"]) == {None}


def test_what_cannot_be_picked_is_one_line(opened):
    unlabelled = saying(opened, sick_true=np.nan)
    with pytest.raises(AskedWronglyError, match=r"--pick mistakes: no row has a known sick.*--pick all"):
        picking.pick(unlabelled, "sick", "mistakes")
    assert picking.told(unlabelled, "sick")["truth"].isna().all()
    silent = dataclasses.replace(opened, predictions=opened.predictions.drop(columns="age_sd"))
    with pytest.raises(AskedWronglyError, match="--pick uncertain: the model does not say how sure it is of age"):
        picking.pick(silent, "age", "uncertain")


# === Pictures ===


def grey(*shape):
    """As 8-bit files hold them."""
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32) / 255


def test_a_picture_is_the_plain_one_enlarged_and_the_map_beside_it():
    image = grey(64, 48, 1)
    heat = np.zeros((64, 48), np.float32)
    cold = overlays.flat(image, heat, windows=False)
    heat[40, 10] = 1
    hot = overlays.flat(image, heat, windows=False)
    factor = 6  # 48 pixels are at least 256
    wide = 48 * factor
    assert cold.shape == (64 * factor, 2 * wide + pictures.GAP, 3)
    assert (cold[:, :wide] == cold[:, -wide:]).all()  # nothing hot: nothing is covered
    assert (cold[::factor, :wide:factor, 0] == np.round(255 * image[..., 0])).all()
    changed = np.argwhere((hot != cold).any(axis=-1))
    assert (hot[:, :wide] == cold[:, :wide]).all()
    rows, columns = changed.T
    assert rows.min() > 38 * factor
    assert rows.max() < 43 * factor
    assert columns.min() > wide + pictures.GAP + 8 * factor
    assert columns.max() < wide + pictures.GAP + 13 * factor


def test_every_window_of_a_ct_is_drawn_plain_and_covered():
    image = grey(256, 256, 3)
    drawn = overlays.flat(image, np.zeros((256, 256), np.float32), windows=True)
    gap = pictures.GAP
    assert drawn.shape == (2 * 256 + gap, 3 * 256 + 2 * gap, 3)
    for window in range(3):
        left = window * (256 + gap)
        for top in (0, 256 + gap):
            tile = drawn[top : top + 256, left : left + 256]
            assert (tile == np.round(255 * image[..., [window]])).all()


# === The folder ===


def test_a_folder_is_replaced_when_the_new_one_is_whole_and_else_as_it_was(tmp_path):
    old = tmp_path / "explain"
    (old / "training").mkdir(parents=True)
    (old / "training" / "epoch_0001.png").write_text("x")
    (old / "explain.json").write_text("old")

    def fill(fail):
        with whole.replaced(old, kept=("training",)) as building:
            (building / "explain.json").write_text("new")
            if fail:
                raise MedtfError("no")

    with pytest.raises(MedtfError):
        fill(True)
    assert (old / "explain.json").read_text() == "old"
    fill(False)
    assert (old / "explain.json").read_text() == "new"
    assert (old / "training" / "epoch_0001.png").read_text() == "x"
    assert [one.name for one in tmp_path.iterdir()] == ["explain"]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "mine").mkdir()
    whole.refuse(tmp_path / "mine", "explain.json", ours=())  # empty
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(AskedWronglyError, match=r"holds something else \(no explain.json\)"):
        whole.refuse(tmp_path / "mine", "explain.json", ours=())
    with pytest.raises(AskedWronglyError, match="is a file"):
        whole.refuse(tmp_path / "mine" / "thesis.txt", "explain.json", ours=())
    (tmp_path / "mine" / "explain.json").touch()  # a page of ours beside a file of the user's
    with pytest.raises(AskedWronglyError, match=r"also holds thesis.txt, which would be lost"):
        whole.refuse(tmp_path / "mine", "explain.json", ours=("explain.html",))


# === All of it ===


@pytest.fixture(scope="module")
def explained(opened, tmp_path_factory):
    """Two methods, one of which knows nothing of the network, on the least certain rows of the test fold."""
    out = tmp_path_factory.mktemp("out") / "explain"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(methods.METHODS, "edges", Edges)
        content = explaining.explain(opened, Asked(BOTH, target="sick", pick="uncertain", count=5), out, fold="test")
    return out, content


def test_every_row_has_a_picture_by_every_method(opened, explained):
    out, content = explained
    assert json.loads((out / "explain.json").read_text()) == content
    assert content["n"] == {"rows": 16, "shown": 5, "patients": 5}
    rows = [case["row"] for case in content["cases"]]
    assert set(rows) <= set(opened.table.frame["row"])
    for method in BOTH:
        assert {one.name for one in (out / method).iterdir()} == {f"row_{row:06d}.png" for row in rows}
    by_row = opened.predictions.set_index("row")
    for case in content["cases"]:
        assert case["truth"] == f"sick = {int(by_row.loc[case['row'], 'sick_true'])}"
        with Image.open(out / case["files"]["grad-cam"]["picture"]) as picture:
            assert min(picture.size) >= 256
            assert not picture.info  # nobody's name, no date


def test_a_method_that_knows_nothing_of_the_network_fails_at_every_picture(explained):
    out, content = explained
    by_name = {method["name"]: method for method in content["methods"]}
    assert by_name["edges"]["trust"]["passed"] is False
    assert "Fails: with all weights random its maps still look alike" in by_name["edges"]["trust"]["words"]
    page = (out / "explain.html").read_text()
    captions = re.findall(r"<figcaption>(Edges.*?)</figcaption>", page)
    assert len(captions) == 5
    assert all("fails its check" in caption for caption in captions)
    assert page.index('id="trust"') < page.index('id="cases"')


def test_the_page_stands_alone_and_names_nobody(explained, run):
    page = (explained[0] / "explain.html").read_text()
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)
    assert "sheet.csv" not in page
    assert "images/" not in page.replace("data:image/", "")
    assert str(run.folder.parent) not in page
    assert not re.search(r"\bp\d{1,2}\b", re.sub(r"base64,[^\"]*", "", page))
    assert 'data-by="row"' in page


def test_unchecked_maps_say_so(opened, tmp_path):
    asked = Asked(target="age", pick="all", count=3, trust=False)
    content = explaining.explain(opened, asked, tmp_path / "o", fold="test")
    page = (tmp_path / "o" / "explain.html").read_text()
    assert content["methods"][0]["trust"] is None
    assert page.count("not checked") >= 4  # in the table and at each picture
    assert content["words"] == "what makes age higher"
    assert "Off by" in page


def test_of_several_classes_the_map_is_of_the_one_that_is_called(opened, tmp_path):
    called = opened.predictions[["site_0", "site_1", "site_2"]].to_numpy().argmax(axis=1)
    assert picking.called(opened, "site").tolist() == called.tolist()
    named = explaining.asked_of(opened, Asked(target="site", of_class="b"))
    assert (named.class_index, named.words) == (1, "what speaks for site = b")
    against = explaining.asked_of(opened, Asked(target="sick", against=True))
    assert against.words == "what speaks against sick = 1"


def test_a_failure_in_the_middle_leaves_nothing(opened, tmp_path, edges, monkeypatch):
    def broken(self, model, score, layer_name):
        raise MedtfError("the card is gone")

    monkeypatch.setattr(Edges, "prepared", broken)
    asked = Asked(BOTH, target="sick", pick="all", count=2, trust=False)
    with pytest.raises(MedtfError, match="the card is gone"):
        explaining.explain(opened, asked, tmp_path / "explain", fold="test")
    assert list(tmp_path.iterdir()) == []


def test_mean_maps_of_groups_stand_on_the_page(opened, tmp_path):
    asked = Asked(target="sick", pick="all", count=None, trust=False, group="sick")
    content = explaining.explain(opened, asked, tmp_path / "explain", fold="test")
    names = [one["name"] for one in content["means"]["grad-cam"]]
    assert names == ["all", "sick_0", "sick_1"]
    assert (tmp_path / "explain" / "grad-cam" / "mean_sick_1.png").is_file()
    assert "Mean maps" in (tmp_path / "explain" / "explain.html").read_text()


def test_volumes_come_as_niftis_on_their_own_grid(tmp_path):
    folder = small_runs.volumes(tmp_path)
    config = small_runs.settings_of_volumes()
    run = small_runs.write(folder / "run", small_runs.table_of(folder, config), folder, config)
    opened = subject.opened(run.folder)
    content = explaining.explain(opened, Asked(trust=False), run.folder / "explain", fold="test")
    paths = pd.Series(opened.table.frame["path"].to_numpy(), opened.table.frame["row"])
    for case in content["cases"]:
        made = nibabel.load(run.folder / "explain" / case["files"]["grad-cam"]["nifti"])
        of = nibabel.load(folder / paths[case["row"]])
        assert made.shape == of.shape
        assert (made.affine == of.affine).all()
    assert len(content["cases"]) == 2
    keras.backend.clear_session()
