"""Weights from another model, layer by layer by name; says what matched, and refuses when little did."""

import zipfile
from pathlib import Path

import keras

from medtf.errors import AskedWronglyError, MedtfError
from medtf.models.backbones import copy_weights


def load(model: keras.Model, source: str) -> dict[str, int]:
    """Copy weights of equal name and shapes from a run folder, a .keras or a .weights.h5 file into `model`.

    Returns:
        {"matched": layers, "other_shape": layers, "absent": layers}; heads of other targets are usually absent.
    Raises:
        AskedWronglyError: no such source. MedtfError: less than half of the parameters matched.
    """
    path = Path(source)
    path = path / "model.keras" if path.is_dir() else path
    if not path.is_file():
        raise AskedWronglyError(
            f"model.weights {source!r}: no such run folder or file (expected imagenet, none, a run, a .keras or a .weights.h5 file)"
        )
    if path.name.endswith(".weights.h5"):
        try:
            model.load_weights(path)
        except (ValueError, OSError) as error:
            raise MedtfError(f"{path}: the weights do not fit {model.name}: {str(error).splitlines()[0]}") from error
        return {"matched": sum(bool(layer.weights) for layer in model.layers), "other_shape": 0, "absent": 0}
    try:
        given = {layer.name: layer for layer in keras.saving.load_model(path, compile=False).layers}
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise MedtfError(
            f"{path}: not a Keras model that can be loaded safely: {str(error).splitlines()[0]}"
        ) from error
    found = {"matched": 0, "other_shape": 0, "absent": 0}
    taken = 0
    for layer in model.layers:
        if not layer.weights:
            continue
        other = given.get(layer.name)
        if other is None:
            found["absent"] += 1
        elif [tuple(w.shape) for w in other.weights] != [tuple(w.shape) for w in layer.weights]:
            found["other_shape"] += 1
        else:
            copy_weights(other, layer)
            found["matched"] += 1
            taken += layer.count_params()
    if taken < model.count_params() / 2:
        raise MedtfError(
            f"{path}: only {found['matched']} layers ({taken:,} of {model.count_params():,} parameters) match by name"
            " and shape; is it the same backbone?"
        )
    return found
