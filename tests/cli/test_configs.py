"""A config, and --set, as a user mistypes them: exit 2, one line that names the key and the nearest, nothing written."""

import pytest
from commands import names, refused

WRONG_KEYS = [
    ("train.epoch=3", "'train.epoch'", "did you mean 'epochs'?"),
    ("input.windows=[brian]", "unknown window 'brian'", "did you mean 'brain'?"),
    ("input.windows=brain", "input.windows: expected a list such as [a, b], found 'brain'"),
    ("model.name=mobilnet", "unknown model 'mobilnet'", "did you mean 'mobilenet'?"),
    ("pipeline=rsna_ic", "unknown pipeline 'rsna_ic'", "did you mean 'rsna_ich'?"),
    ("train.epochs", "'train.epochs': expected key=value, such as train.epochs=3"),
    ("train.epochs=[", "the value is not YAML"),
    ("=3", "expected key=value"),
    ("train.epochs=three", "train.epochs: expected a whole number, found 'three'"),
    ("train.epochs.x=3", "train.epochs"),
    ("targets.any=binry", "targets.any: expected `binary`, `regression`"),
    ("data.split.valid=2", "data.split.valid", "less than 1", "found 2"),
]


@pytest.mark.parametrize("wrong", WRONG_KEYS, ids=lambda w: w[0])
def test_a_wrong_key_is_named_with_what_was_expected(typed, phantom, config, tmp_path, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    refused(typed("fit", config, "--data", phantom, "--run", "x", "--set", wrong[0]), 2, *wrong[1:])
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- a\n- b\n", "expected `key: value` lines such as `pipeline: rsna_ich`, found a list"),
        (b"", "found an empty file"),
        (b"# nothing\n", "found an empty file"),
        (b"pipeline: caf\xe9\n", "not UTF-8 (byte 14): save the file as UTF-8"),
        (b"a: [1,\n b: }\n", "not YAML: line 2, column"),
        (b"a: b: c\n", "not YAML: line 1, column"),
        (b"pipeline: rsna_ich\ntrain: 3\n", "train: expected `key: value` lines, found 3"),
        (b"targets: {any: binary}\n", "pipeline: is missing"),
    ],
)
def test_a_file_that_is_no_config(typed, phantom, tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_bytes(content)
    refused(typed("fit", "mine.yaml", "--data", phantom, "--run", "x"), 2, "mine.yaml: ", said)
    assert names(tmp_path) == {"mine.yaml"}


def test_a_config_with_a_byte_order_mark_is_read(config, tmp_path):
    from medtf import config as configs

    path = tmp_path / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())  # what Windows's editor writes
    assert configs.load(str(path)) == configs.load(str(config))


def test_a_config_that_is_not_there(typed, phantom, tmp_path):
    refused(typed("fit", "rsna_ih", "--data", phantom), 2, "unknown config 'rsna_ih'", "did you mean 'rsna_ich'?")
    refused(typed("fit", tmp_path / "no.yaml", "--data", phantom), 2, "no.yaml: no such config file")
    (tmp_path / "folder.yaml").mkdir()
    refused(typed("fit", tmp_path / "folder.yaml", "--data", phantom), 2, "is a folder; expected a config file")
