"""Files that hold a network's weights, read as arrays by layer name: .keras and .weights.h5. Files are untrusted: nothing in them is run."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np

from medtf.errors import AskedWronglyError, MedtfError

# the layers of medtf are known to Keras once their modules are imported
from medtf.models import build  # noqa: F401

Parts = dict[str, list]  # "" for a layer's own weights, and for each layer inside it, by name


class Given(NamedTuple):
    """One layer of a file: its weights, and how it was made (empty where the file does not say)."""

    parts: Parts
    config: dict


def located(source: str) -> Path:
    """The file that `model.weights` means.

    Args:
        source: a run folder, a .keras or a .weights.h5 file.
    Raises:
        AskedWronglyError: nothing there, or a folder that holds no one model. MedtfError: a run that has not ended.
    """
    path = Path(source)
    if not path.exists():
        raise AskedWronglyError(
            f"model.weights {source!r}: no such run folder or file (expected imagenet, none, a run, a .keras or a .weights.h5 file)"
        )
    if path.is_dir():
        return _of_folder(path)
    if not path.name.endswith((".keras", ".weights.h5")):
        raise AskedWronglyError(
            f"model.weights {source!r}: expected a file that ends in .keras or .weights.h5, or a run"
        )
    return path


def read(path: Path) -> dict[str, Given]:
    """Every layer of a file that has weights, by name; those of a model inside the model too.

    Raises:
        MedtfError: the file is damaged, no model, or not safe to load.
    """
    found = _of_weights(path) if path.name.endswith(".weights.h5") else _of_model(path)
    if not found:
        raise MedtfError(f"{path}: holds no layer with weights")
    return found


def parts_of(layer) -> Parts:
    """A layer's variables, those of layers inside it (the projections of an attention) apart, by these layers' names."""
    found: Parts = {}
    for variable in layer.weights:
        inside = variable.path.split("/")[:-1]
        inside = inside[inside.index(layer.name) + 1 :] if layer.name in inside else []
        found.setdefault("/".join(inside), []).append(variable)
    return found


def _of_folder(folder: Path) -> Path:
    # what tells one folder from another, see `medtf.runs`
    if (folder / "folds.json").is_file():
        raise AskedWronglyError(
            f"model.weights {folder}: is a cross-validation; name one of its runs, such as {folder / 'fold-0'}"
        )
    if (folder / "ensemble.json").is_file():
        raise AskedWronglyError(f"model.weights {folder}: is an ensemble; name one of its members")
    if (folder / "plan.json").is_file():
        raise AskedWronglyError(
            f"model.weights {folder}: is a label-fraction curve; name one of its runs in {folder / 'runs'}"
        )
    if (folder / "model.keras").is_file():
        return folder / "model.keras"
    if (folder / "config.yaml").is_file():
        raise MedtfError(
            f"model.weights {folder}: the training has not ended (no model.keras yet):"
            f" finish it with `medtf fit {folder / 'config.yaml'} --run {folder} --resume`"
        )
    raise AskedWronglyError(f"model.weights {folder}: not a run folder: it has no model.keras")


def _of_model(path: Path) -> dict[str, Given]:
    if not zipfile.is_zipfile(path):  # Keras would say that there is no such file
        raise MedtfError(f"{path}: not a Keras model that can be loaded safely: no whole .keras file; copy it again")
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # zipfile's, h5py's and Keras's own: each means that the file cannot be used
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise MedtfError(f"{path}: not a Keras model that can be loaded safely: {said}") from error
    return {layer.name: Given(parts_of(layer), layer.get_config()) for layer in _flat(model) if layer.weights}


def _flat(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def _of_weights(path: Path) -> dict[str, Given]:
    """Keras writes a group a layer, named by its class; the layer's own name is an attribute of `vars` in it."""
    found: dict[str, Given] = {}
    try:
        with h5py.File(path, "r") as file:
            _gather(_child(file, "layers"), found)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise MedtfError(f"{path}: not a weight file of Keras 3, or a cut one: {said}") from error
    return found


def _gather(group, found: dict[str, Given]) -> None:
    for key in group:
        layer = _child(group, key)
        if "layers" in layer:  # a model inside the model
            _gather(_child(layer, "layers"), found)
        elif parts := _parts_in(layer, ""):
            found[_name(layer)] = Given(parts, {})


def _parts_in(layer, inside: str) -> Parts:
    held = _child(layer, "vars")
    own = [_array(held, key) for key in sorted(held, key=int)]
    found: Parts = {inside: own} if own else {}
    for key in layer:
        if key != "vars" and "vars" in (inner := _child(layer, key)):
            found |= _parts_in(inner, f"{inside}/{_name(inner)}".strip("/"))
    return found


def _name(layer) -> str:
    return str(_child(layer, "vars").attrs["name"])


def _child(group, key: str):
    """A member that lies in this very file; a link could name any other file of the machine."""
    if not isinstance(group.get(key, getlink=True), h5py.HardLink):
        raise ValueError(f"{group.name}/{key} is not there, or a link to elsewhere")
    return group[key]


def _array(group, key: str) -> np.ndarray:
    values = _child(group, key)
    if not isinstance(values, h5py.Dataset) or values.external or values.is_virtual:
        raise ValueError(f"{group.name}/{key} is no array, or stands in another file")
    return values[()]
