"""What `model.weights` may name, and what is refused before a weight is read."""

import json
import zipfile

import keras
import pytest

from medtf.errors import AskedWronglyError, MedtfError
from medtf.models import weight_files


@pytest.mark.parametrize(
    ("files", "error", "said"),
    [
        ((), AskedWronglyError, "not a run folder: it has no model.keras"),
        (("config.yaml",), MedtfError, r"has not ended .no model.keras yet.: finish it with `medtf fit .*--resume`"),
        (
            ("config.yaml", "folds.json"),
            AskedWronglyError,
            "is a cross-validation; name one of its runs, such as .*fold-0",
        ),
        (("config.yaml", "ensemble.json"), AskedWronglyError, "is an ensemble; name one of its members"),
    ],
)
def test_a_folder_says_what_it_is(tmp_path, files, error, said):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(error, match=said):
        weight_files.located(str(tmp_path))


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "weights.bin").touch()
    with pytest.raises(AskedWronglyError, match=r"expected a file that ends in .keras or .weights.h5"):
        weight_files.located(str(tmp_path / "weights.bin"))


def test_a_model_with_code_in_it_is_refused(tmp_path):
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Lambda(lambda v: v * 2)(x)).save(tmp_path / "lambda.keras")
    with pytest.raises(MedtfError, match="not a Keras model that can be loaded safely") as caught:
        weight_files.read(tmp_path / "lambda.keras")
    assert "\n" not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "lambda.keras") as file:
        assert "Lambda" in json.dumps(json.loads(file.read("config.json")))
