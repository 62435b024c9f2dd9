"""The run folder: whole or not there at all; what stands in the way is named."""

import json

import pandas as pd
import pytest

from medtf import config, runs
from medtf.errors import AskedWronglyError, MedtfError
from medtf.table import Table

CONFIG = config.parse({"pipeline": "rsna_ich", "targets": {"any": "binary"}})


def table(**columns) -> Table:
    return Table(pd.DataFrame({"path": ["a", "b"], "patient": ["p", "q"], "any": [0, 1], **columns}))


@pytest.fixture
def run(tmp_path) -> runs.Run:
    return runs.new(tmp_path / "run").create(CONFIG, table(fold=["train", "test"]), tmp_path, {"a": 1})


def test_a_run_gives_back_what_it_was_made_of(run, tmp_path):
    assert run.config() == CONFIG
    assert run.table().fingerprint() == table(fold=["train", "test"]).fingerprint()
    assert run.root() == tmp_path.resolve()
    assert run.read_json("environment.json") == {"a": 1}
    assert {p.name for p in tmp_path.iterdir()} == {"run"}


def test_a_run_that_cannot_be_made_whole_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        runs.new(tmp_path / "run").create(CONFIG, table(), tmp_path, {"a": object()})
    assert not list(tmp_path.iterdir())


def test_a_new_run_takes_no_place_that_is_taken(run, tmp_path):
    with pytest.raises(AskedWronglyError, match="exists already"):
        runs.new(run.folder)
    with pytest.raises(AskedWronglyError, match="is a file, not a folder"):
        runs.new(run.folder / "config.yaml" / "run")


def test_an_existing_run_is_one(run, tmp_path):
    assert runs.existing(run.folder).folder == run.folder
    for path, said in {
        tmp_path / "no": "no such run folder",
        tmp_path: "not a run folder: it has no config.yaml",
        run.folder / "config.yaml": "is a file; expected the run folder",
    }.items():
        with pytest.raises(AskedWronglyError, match=said):
            runs.existing(path)


def test_finished_and_unfinished_exclude_each_other(run):
    assert runs.unfinished(run.folder)
    with pytest.raises(MedtfError, match=r"not ended \(no model.keras yet\): finish it with .*--resume"):
        runs.finished(run.folder)
    run.model.touch()
    with pytest.raises(MedtfError, match=r"no thresholds.json yet"):
        runs.finished(run.folder)
    run.write_json("thresholds.json", {})
    assert runs.finished(run.folder)
    with pytest.raises(MedtfError, match="the training has ended"):
        runs.unfinished(run.folder)


def test_the_data_root_is_the_given_one_or_the_one_of_the_training(run, tmp_path):
    assert run.root(tmp_path) == tmp_path
    (run.folder / "local.json").write_text(json.dumps({"data": str(tmp_path / "gone")}))
    with pytest.raises(MedtfError, match="gone: no such folder any more: say where it is with --data"):
        run.root()
    with pytest.raises(MedtfError, match=r"is a file; expected a folder$"):
        run.root(run.folder / "config.yaml")


def test_a_fold_that_is_not_there_is_told_with_those_that_are(run):
    assert len(run.rows_of("test")) == 2
    with pytest.raises(AskedWronglyError, match=r"no such fold; it has train, test"):
        run.rows_of("valid")
    with pytest.raises(AskedWronglyError, match=r"did you mean 'test'"):
        run.rows_of("tset")


@pytest.mark.parametrize(
    ("content", "said"), [("{", "not JSON"), ("[]", "expected a JSON object"), ("\udcff", "UTF-8")]
)
def test_a_damaged_file_is_named(run, content, said):
    (run.folder / "thresholds.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(MedtfError, match=f"thresholds.json: damaged: .*{said}"):
        run.read_json("thresholds.json")


def test_a_text_that_cannot_be_replaced_leaves_the_old_one(tmp_path):
    path = runs.write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        runs.write_text(path, "\udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
