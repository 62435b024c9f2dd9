"""What is refused, and what is told, before a training begins."""

import keras

from medtf import split, stages
from medtf.config import Config
from medtf.data import volume_grid
from medtf.models import build
from medtf.models.weight_files import located
from medtf.table import Table


def refuse_model(config: Config) -> None:
    """What is wrong with the backbone (too small images, weights that no network brings) shows before the files are read.

    Raises:
        MedtfError, AskedWronglyError: as `backbones.check`.
    """
    if config.model.weights not in ("none", "imagenet"):
        located(config.model.weights)
    for stage in stages.of(config):
        build.check(config.model, (*stage.config.input.size, channels_of(config)))


def refuse_volumes(table: Table, config: Config) -> None:
    """What the headers of volumes say cannot work shows before any is read.

    Raises:
        MedtfError: as `volume_grid.plan`.
    """
    if config.model.dimensions == 3:
        volume_grid.plan(table.frame, config)


def keep_volumes(table: Table, root, config: Config, told) -> None:
    """Say what reading the volumes of the training and validation folds takes; decode them where they are kept in memory.

    Raises:
        MedtfError: more than the memory holds.
    """
    if config.model.dimensions != 3:
        return
    from medtf.data import keeping

    read = table.with_frame(table.frame[table.frame["fold"].isin(["train", "valid"])])
    grid = volume_grid.plan(read.frame, config)
    told.say(keeping.describe(read.frame, config, grid))
    if config.input.keep == "memory":
        keeping.fill(read, root, config, grid, told.progress("decoding"))


def channels_of(config: Config) -> int:
    """Of the network's input: a channel for each window, one for a grey volume."""
    if config.model.dimensions == 3:
        return 1
    return len(config.input.windows) if config.input.windows is not None else config.input.channels


def times(count: int, what: str) -> str:
    """`1 epoch`, `12 epochs`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def about_folds(table: Table, config: Config) -> list[str]:
    """`train: 96 examples of 12 patients; any 15, subdural 4`, a line a fold."""
    said = []
    for row in split.counts(table, config.targets).to_dict("records"):
        fold, examples, patients = (row.pop(name) for name in ("fold", "examples", "patients"))
        labels = ", ".join(f"{name} {value:.4g}" for name, value in row.items())
        said.append(f"  {fold}: {examples:,} examples of {patients:,} patients" + (f"; {labels}" if labels else ""))
    return said


def about_norms(model: keras.Model, config: Config, steps: int) -> list[str]:
    """What a user should know of the normalisation that was chosen, before time is spent on it."""
    batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    group = any(isinstance(layer, keras.layers.GroupNormalization) for layer in model.layers)
    if batch and (steps < 200 or config.train.batch_size < 8):
        return [
            f"batch norm: {steps} steps of {config.train.batch_size} examples are few for its statistics; "
            "consider model.norm: group, more epochs or larger batches"
        ]
    if config.model.norm == "group" and not group:
        return [f"model.norm: group changes nothing: {config.model.name} has no batch normalisation"]
    if group and config.model.weights == "imagenet":
        return [
            "model.norm: group with ImageNet weights: scales, offsets and statistics of its batch normalisation are dropped; "
            "the convolutions were trained with them, so expect a slower start than with model.norm: batch"
        ]
    return []
