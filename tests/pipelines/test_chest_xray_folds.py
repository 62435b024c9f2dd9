"""The official test list of ChestX-ray14, the folds beside it, and configs that share them."""

import factory
import numpy as np
import pytest
from medtf.pipelines import chest_xray

from medtf import audit, prepare, split
from medtf.config import load, parse, shipped
from medtf.errors import MedtfError

HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"


def config(**data):
    return parse({"pipeline": "chest_xray", "data": data})


def examples(root, **data):
    return chest_xray.examples(root, config(**data))


def write_lists(root, rest, test):
    (root / "train_val_list.txt").write_text("\n".join(rest))
    (root / "test_list.txt").write_text("\n".join(test) + "\n")


@pytest.fixture
def many(tmp_path):
    """20 patients of two images; the official test holds patients 1 to 5."""
    entries = {
        f"{patient:08d}_{n:03d}.png": f"{'Mass' if patient % 2 else 'No Finding'},{n},{patient},50,F,{'PA' if n else 'AP'}"
        for patient in range(1, 21)
        for n in range(2)
    }
    for number, name in enumerate(entries):
        values = np.random.default_rng(number).integers(0, 256, (12, 12)).astype(np.uint8)
        factory.picture(tmp_path / "images" / name, values)
    lines = [HEADER, *(f"{name},{cells}" for name, cells in entries.items())]
    (tmp_path / "Data_Entry_2017.csv").write_text("\n".join(lines) + "\n")
    write_lists(tmp_path, list(entries)[10:], list(entries)[:10])
    return tmp_path


def test_the_official_list_is_the_test_fold_and_the_rest_is_drawn_by_patient(many):
    found = examples(many, split={"valid": 0.2, "test": 0.5})
    persons = found.frame["path"].str.extract(r"/0*(\d+)_")[0].astype(int)
    assert ((found.frame["fold"] == "test") == (persons <= 5)).all()
    assert found.frame.groupby("fold")["patient"].nunique().to_dict() == {"test": 5, "train": 12, "valid": 3}
    assert not audit.leaks(found)
    assert any("10 images by test_list.txt" in note for note in found.meta["notes"])


def test_the_folds_are_the_same_whatever_is_learnt_and_whichever_views(many):
    """Else a pretraining would see the people who validate the training after it."""
    pretraining = parse(
        {"pipeline": "chest_xray", "model": {"name": "vit_ti16"}, "pretrain": {"task": "masked_autoencoder"}}
    )
    training = parse({"pipeline": "chest_xray", "targets": {"mass": "binary", "age": "regression"}})
    folds = [chest_xray.examples(many, one).frame.set_index("path")["fold"] for one in (pretraining, training)]
    assert folds[0].equals(folds[1])
    some = examples(many, views=["AP"]).frame.set_index("path")["fold"]
    assert some.equals(folds[0].reindex(some.index))
    assert len(some) == 20


def test_folds_of_the_users_own_set_the_list_aside_and_say_so(many):
    found = examples(many, split={"folds": 5})
    assert "fold" not in found.frame
    assert "data.split asks for 5 folds: test_list.txt is not used" in found.meta["notes"]
    assert split.assign(found, config(split={"folds": 5}).data.split).frame["fold"].nunique() == 5


def test_a_download_that_holds_the_test_alone(many):
    for name in (many / "train_val_list.txt").read_text().split():
        (many / "images" / name).unlink()
    assert examples(many).frame["fold"].tolist() == ["test"] * 10


def test_lists_that_are_not_whole(many):
    lists = [(many / f"{name}_list.txt").read_text().split() for name in ("train_val", "test")]
    write_lists(many, lists[0][1:], lists[1])
    found = examples(many)
    assert found.excluded["path"].tolist() == [f"images/{lists[0][0]}"]
    assert found.excluded["reason"].str.contains("neither in test_list.txt").all()
    write_lists(many, lists[0], [*lists[1], lists[0][0]])
    with pytest.raises(MedtfError, match=f"1 images stand in both .*such as {lists[0][0][:-4]}"):
        examples(many)
    (many / "test_list.txt").unlink()
    with pytest.raises(MedtfError, match=r"train_val_list.txt is there, but test_list.txt is not"):
        examples(many)


def test_fit_prepares_such_a_table(many):
    said = []
    wanted = parse({"pipeline": "chest_xray", "targets": {"mass": "binary"}, "data": {"check_pixels_up_to": 0}})
    table, leaks = prepare.training_table(wanted, many, say=said.append)
    assert table.frame["fold"].value_counts()["test"] == 10
    assert not leaks
    assert any("test_list.txt" in line for line in said)


def test_every_config_of_chests_draws_the_same_folds():
    """So that no pretraining has seen the validation fold of the training that begins with its encoder."""
    configs = [load(name) for name in shipped() if load(name).pipeline == "chest_xray"]
    assert len(configs) >= 7
    assert len({one.data.split.model_dump_json() for one in configs}) == 1


def test_the_pretrainings_make_the_encoders_that_the_trainings_take():
    for training, pretraining in (("nih_vit", "chest_masked_autoencoder_vit_s"), ("nih_densenet", "chest_masked_cnn")):
        assert load(training).model.name == load(pretraining).model.name
        assert load(training).input == load(pretraining).input
        assert not load(pretraining).targets
