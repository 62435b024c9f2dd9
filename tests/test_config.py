"""The schema: strict keys, overrides, targets' forms, and a resolved config that loads to the same thing."""

import pytest
import yaml

from medtf import config
from medtf.config import Target
from medtf.data.windows import WINDOWS
from medtf.errors import AskedWronglyError

TEXT = """\
pipeline: rsna_ich
targets: {any: binary, subdural: binary}
data: {undersample: each_epoch, split: {valid: 0.1, test: 0.2, stratify: [any]}}
input: {size: 96, windows: [brain, subdural, [600, 2800]]}
model: {name: inception_v3, dropout: 0.4}
train: {epochs: 3, learning_rate: 3.0e-4}
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def parsed(**changes):
    return config.parse({"pipeline": "rsna_ich", "targets": {"any": "binary"}, **changes})


def test_what_is_written_is_what_is_read(path):
    found = config.load(str(path))
    assert found.pipeline == "rsna_ich"
    assert list(found.targets) == ["any", "subdural"]
    assert found.data.undersample.policy == "each_epoch"
    assert found.data.split.test == 0.2
    assert found.input.size == (96, 96)
    assert found.input.windows == ("brain", "subdural", (600.0, 2800.0))
    assert (found.model.dropout, found.train.epochs, found.train.learning_rate) == (0.4, 3, 3e-4)


def test_what_is_not_written_has_its_default():
    found = parsed()
    assert found.train.precision == "auto"
    assert found.train.jit == "auto"
    assert found.data.undersample.policy == "none"
    assert found.track.backend == "none"


def test_a_dumped_config_loads_to_an_equal_one(path, tmp_path):
    found = config.load(str(path), ("targets.age={kind: regression}", "targets.sex={binary: {positive: F}}"))
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(config.dump(found), encoding="utf-8")
    assert config.load(str(resolved)) == found
    assert config.dump(config.load(str(resolved))) == config.dump(found)


def test_a_dumped_config_is_plain_yaml(path):
    assert isinstance(yaml.safe_load(config.dump(config.load(str(path)))), dict)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trian": {}}, "unknown key 'trian': did you mean 'train'"),
        ({"train": {"epoch": 3}}, "unknown key 'train.epoch': did you mean 'epochs'"),
        ({"data": {"split": {"vaild": 0.1}}}, "unknown key 'data.split.vaild': did you mean 'valid'"),
        ({"input": {"windows": ["brian"]}}, "unknown window 'brian': did you mean 'brain'"),
        ({"input": {"windows": [[40, 0]]}}, "a width above 0 HU"),
        ({"input": {"size": 4}}, "at least 8 pixels"),
        ({"model": {"name": "inception_v4"}}, "unknown model 'inception_v4': did you mean 'inception_v3'"),
        ({"train": {"epochs": 0}}, "train.epochs"),
        ({"train": {"epochs": "many"}}, "train.epochs"),
        ({"train": {"loss_weights": {"amy": 2.0}}}, "'amy' is no target: did you mean 'any'"),
        ({"data": {"undersample": {"target": "amy"}}}, "'amy' is no target: did you mean 'any'"),
        ({"data": {"undersample": "each_epok"}}, "data.undersample"),
        ({"targets": {"any label": "binary"}}, "target 'any label': expected letters"),
    ],
    ids=str,
)
def test_a_fault_names_the_key_and_the_remedy(changes, message):
    with pytest.raises(AskedWronglyError) as raised:
        parsed(**changes)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_error_names_the_file(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(TEXT + "seeed: 1\n", encoding="utf-8")
    with pytest.raises(AskedWronglyError, match=r"wrong\.yaml: unknown key 'seeed'"):
        config.load(str(file))


def test_a_config_does_not_change_after_it_was_read():
    with pytest.raises(ValueError, match="frozen"):
        parsed().train.epochs = 5


# --- overrides


def test_an_override_wins_over_the_file(path):
    found = config.load(str(path), ("train.epochs=7", "model.dropout=0", "input.windows=null", "train.ema=0.99"))
    assert (found.train.epochs, found.model.dropout, found.input.windows, found.train.ema) == (7, 0.0, None, 0.99)
    assert found.input.size == (96, 96), "what was not named stays"


def test_the_last_override_wins(path):
    assert config.load(str(path), ("train.epochs=7", "train.epochs=8")).train.epochs == 8


def test_an_override_reaches_into_a_short_form(path):
    found = config.load(str(path), ("data.undersample.ratio=2",))
    assert (found.data.undersample.policy, found.data.undersample.ratio) == ("each_epoch", 2.0)


def test_the_value_of_an_override_is_yaml(path):
    found = config.load(str(path), ("input.windows=[bone, [40, 80]]", "train.jit=false"))
    assert found.input.windows == ("bone", (40.0, 80.0))
    assert found.train.jit is False


@pytest.mark.parametrize("override", ["train.epochs", "=3", ""])
def test_an_override_without_key_or_value_is_refused(path, override):
    with pytest.raises(AskedWronglyError, match="expected key=value"):
        config.load(str(path), (override,))


def test_an_override_that_is_no_yaml_is_refused(path):
    with pytest.raises(AskedWronglyError, match="not YAML"):
        config.load(str(path), ("train.epochs=[1",))


def test_an_override_of_an_unknown_key_names_the_nearest(path):
    with pytest.raises(AskedWronglyError, match="did you mean 'epochs'"):
        config.load(str(path), ("train.epocks=3",))


# --- targets


@pytest.mark.parametrize(
    ("written", "expected", "units"),
    [
        ("binary", Target(kind="binary"), 1),
        ("regression", Target(kind="regression"), 1),
        ({"binary": {"positive": "F"}}, Target(kind="binary", positive="F"), 1),
        ({"binary": {"positive": 1, "negative": 2}}, Target(kind="binary", positive=1, negative=2), 1),
        ({"classes": ["A", "B", "C"]}, Target(kind="multiclass", classes=("A", "B", "C")), 3),
    ],
    ids=str,
)
def test_the_forms_of_a_target(written, expected, units):
    found = parsed(targets={"it": written}).targets["it"]
    assert found == expected
    assert found.units == units


@pytest.mark.parametrize("written", ["binery", {"classes": ["A"]}, {"classes": "AB"}, {"binary": {"postive": 1}}, 3])
def test_another_form_of_a_target_is_refused(written):
    with pytest.raises(AskedWronglyError, match=r"targets\.it|postive"):
        parsed(targets={"it": written})


# --- files


def test_every_window_has_a_positive_width():
    assert all(width > 0 for _, width in WINDOWS.values())


@pytest.mark.parametrize("text", ["pipeline: [", "pipeline: 'a\n b: {"])
def test_wrong_yaml_is_one_line_that_names_the_file(tmp_path, text):
    file = tmp_path / "broken.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(AskedWronglyError, match=r"broken\.yaml: not YAML") as raised:
        config.load(str(file))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_yaml_that_is_no_config_is_refused(tmp_path, text):
    file = tmp_path / "list.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(AskedWronglyError, match="expected `key: value` lines"):
        config.load(str(file))


def test_yaml_cannot_run_anything(tmp_path):
    file = tmp_path / "evil.yaml"
    file.write_text("pipeline: !!python/object/apply:os.getcwd []\n", encoding="utf-8")
    with pytest.raises(AskedWronglyError, match="not YAML"):
        config.load(str(file))


def test_a_file_that_is_not_there_and_a_name_that_is_not_shipped_differ(tmp_path):
    with pytest.raises(AskedWronglyError, match="no such config file"):
        config.load(str(tmp_path / "none.yaml"))
    with pytest.raises(AskedWronglyError, match="unknown config 'rsna_ick'"):
        config.load("rsna_ick")


def test_what_was_asked_wrongly_ends_with_2():
    assert AskedWronglyError("x").exit_code == 2
