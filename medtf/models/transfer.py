"""Weights from another training, layer by layer by name: says what matched, what was changed to fit, and refuses when little did."""

from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import keras
import numpy as np

from medtf.errors import MedtfError
from medtf.models.parts import encoder_of
from medtf.models.vit.positions import interpolated
from medtf.models.weight_files import Given, Parts, located, parts_of, read

SHOWN = 5  # names in a list; the rest is counted


@dataclass(frozen=True)
class Loaded:
    """What `load` did, by names of layers; parameters are counted with statistics of batch normalisation.

    matched: layers that took weights. changed: {one of these: how its weights were made to fit}. other_shape, new: layers that kept what
    they had, since the source's are of another shape, or it has none. left_behind: layers of the source that this network does not have.
    """

    source: str
    matched: tuple[str, ...]
    changed: dict[str, str]
    other_shape: tuple[str, ...]
    new: tuple[str, ...]
    left_behind: tuple[str, ...]
    parameters: int
    all_parameters: int

    def lines(self) -> list[str]:
        """For the user: one line, and one for each layer that was changed to fit."""
        layers = len(self.matched) + len(self.other_shape) + len(self.new)
        told = {"of another shape": self.other_shape, "new": self.new, "left behind": self.left_behind}
        more = "".join(f"; {what}: {_listed(names)}" for what, names in told.items() if names)
        parameters = _of(self.parameters, self.all_parameters)
        first = f"weights from {self.source}: {len(self.matched)} of {layers} layers ({parameters} parameters){more}"
        return [first, *(f"  {name}: {how}" for name, how in self.changed.items())]


def load(model: keras.Model, source: str) -> Loaded:
    """Give `model` the weights of the layers with equal names, or leave it as it is.

    Two layers are made to fit where they do not: the first convolution of an image with 1 or 3 channels, and the positions of a
    transformer at another input size. Heads go along where target and shape are the same; they do not count as encoder.

    Args:
        model: from `medtf.models.build`, with heads or without; changed in place.
        source: a run folder (of a training or of a pretraining), a .keras or a .weights.h5 file.
    Raises:
        AskedWronglyError: no such source. MedtfError: a damaged file, weights that are no numbers, or less than half of the encoder's
            parameters match.
    """
    path = located(source)
    given = read(path)
    layers = [layer for layer in model.layers if layer.weights]
    taken: dict[str, Parts] = {}
    changed, other_shape, new = {}, [], []
    for layer in layers:
        if layer.name not in given:
            new.append(layer.name)
            continue
        arrays, how = fitted(layer, given[layer.name])
        if arrays is None:
            other_shape.append(layer.name)
            continue
        _refuse_no_numbers(path, layer.name, arrays)
        taken[layer.name] = arrays
        if how:
            changed[layer.name] = how
    _refuse_little(path, model, taken, given)
    for layer in layers:
        if layer.name in taken:
            _assign(layer, taken[layer.name])
    names = {layer.name for layer in layers}
    return Loaded(
        source=str(source),
        matched=tuple(taken),
        changed=changed,
        other_shape=tuple(other_shape),
        new=tuple(new),
        left_behind=tuple(name for name in given if name not in names),
        parameters=sum(layer.count_params() for layer in layers if layer.name in taken),
        all_parameters=sum(layer.count_params() for layer in layers),
    )


def fitted(layer, given: Given) -> tuple[Parts | None, str]:
    """The given weights in the shapes of a layer, and how they were changed; None where they cannot be."""
    wanted = parts_of(layer)
    theirs = {name: [keras.ops.convert_to_numpy(one) for one in ones] for name, ones in given.parts.items()}
    shapes, there = _shapes(wanted), _shapes(theirs)
    if shapes == there:
        return theirs, ""
    if set(shapes) != {""} or set(there) != {""} or len(shapes[""]) != len(there[""]):
        return None, ""
    (own, other), arrays = (shapes[""], there[""]), theirs[""]
    if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv3D) and own[1:] == other[1:]:
        kernel, how = _channels(arrays[0], own[0])
        return (None, "") if kernel is None else ({"": [kernel, *arrays[1:]]}, how)
    if "grid" in (config := layer.get_config()) and len(own) == 1:
        return _positions(arrays[0], own[0], given.config.get("grid"), config["grid"])
    return None, ""


def _channels(kernel: np.ndarray, shape) -> tuple[np.ndarray | None, str]:
    """Kernels (..., channels, filters) of grey images for three channels, or the reverse; a grey picture in three equal channels
    gives the same response before and after, where the network scales all channels alike (a densenet does not: nearly).
    """
    channels, wanted = kernel.shape[-2], shape[-2]
    if kernel.shape[:-2] + kernel.shape[-1:] != shape[:-2] + shape[-1:]:
        return None, ""
    if (channels, wanted) == (3, 1):
        return kernel.sum(axis=-2, keepdims=True), "kernels of 3 channels added up for 1 grey channel"
    if (channels, wanted) == (1, 3):
        return np.repeat(kernel, 3, axis=-2) / 3, "a third of the kernels of 1 grey channel for each of 3 channels"
    return None, ""


def _positions(positions: np.ndarray, shape, grid, wanted) -> tuple[Parts | None, str]:
    """Positions of another input size; a file without configs is taken to be of square images."""
    count = positions.shape[1] if positions.ndim == 3 else 0
    side = isqrt(count)
    grid = tuple(grid or (side, side))
    if grid[0] * grid[1] != count or positions.shape[-1] != shape[-1]:
        return None, ""
    made = interpolated(positions, grid, tuple(wanted))
    return {"": [made]}, f"positions of {_times(grid)} patches interpolated to {_times(wanted)}"


def _refuse_little(path: Path, model: keras.Model, taken: dict, given: dict) -> None:
    encoder = [layer for layer in encoder_of(model) if layer.weights]
    whole = sum(layer.count_params() for layer in encoder)
    found = [layer for layer in encoder if layer.name in taken]
    parameters = sum(layer.count_params() for layer in found)
    if parameters * 2 < whole:
        raise MedtfError(
            f"{path}: only {len(found)} of {len(encoder)} layers of the encoder ({_of(parameters, whole)} parameters) match by name and"
            f" shape; is it the same model.name? The network's layers are {_listed([layer.name for layer in encoder], 3)}, the file's"
            f" {_listed(list(given), 3)}"
        )


def _refuse_no_numbers(path: Path, name: str, arrays: Parts) -> None:
    if not all(np.isfinite(array).all() for ones in arrays.values() for array in ones):
        raise MedtfError(f"{path}: layer {name!r} holds NaN or infinite weights: the training that made it went astray")


def _assign(layer, arrays: Parts) -> None:
    for name, variables in parts_of(layer).items():
        for variable, array in zip(variables, arrays[name], strict=True):
            variable.assign(array)
    if isinstance(layer, keras.layers.Normalization):
        layer.finalize_state()  # keeps constants that are made of its weights


def _shapes(parts: Parts) -> dict[str, list[tuple]]:
    return {name: [tuple(one.shape) for one in ones] for name, ones in parts.items()}


def _listed(names, shown: int = SHOWN) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _of(part: int, whole: int) -> str:
    if whole < 1_000_000:
        return f"{part:,} of {whole:,}"
    return f"{part / 1e6:.1f} of {whole / 1e6:.1f} million"


def _times(grid) -> str:
    return " x ".join(map(str, grid))
