"""Run folders as `fit` leaves them, with networks of two layers that nobody trained: what is tested is what follows the training."""

from pathlib import Path

import factory
import keras
import numpy as np
import pandas as pd

from medtf import config as configs
from medtf import keeping_models, pipeline, predictions, prepare, runs
from medtf.beforehand import channels_of
from medtf.evaluate import thresholds
from medtf.models import heads

TARGETS = {"sick": "binary", "site": {"classes": ["a", "b", "c"]}, "age": {"regression": {"head": "gaussian"}}}
PEOPLE = 24  # two pictures each; 12 train, 4 validate, 8 are tested


def pictures(folder: Path, seed=0) -> Path:
    """Grey pictures of 32 pixels with a sheet: bright ones are sick, the site is where a bar stands, the age its length."""
    generator = np.random.default_rng(seed)
    rows = []
    for i in range(2 * PEOPLE):
        patient = i // 2
        sick, site, age = patient % 2, patient % 3, 20 + 2 * patient
        image = generator.integers(0, 40, (32, 32)) + 90 * sick
        image[2 + 10 * site : 8 + 10 * site, : age // 3] = 250
        factory.picture(folder / "images" / f"{i}.png", image.astype(np.uint8))
        fold = "train" if patient < 12 else "valid" if patient < 16 else "test"
        rows.append((f"images/{i}.png", f"p{patient}", sick, "abc"[site], age, fold))
    pd.DataFrame(rows, columns=["path", "patient", "sick", "site", "age", "fold"]).to_csv(
        folder / "sheet.csv", index=False
    )
    return folder


def volumes(folder: Path, people=8) -> Path:
    """Balls of noise in 20 voxels of 2 mm a side, with a sheet: the larger the ball, the older."""
    generator = np.random.default_rng(0)
    radius = np.linalg.norm(np.indices((20, 20, 20)) - 9.5, axis=0)
    rows = []
    for i in range(people):
        values = np.where(radius < 5 + i / 3, 600, 0) + generator.integers(0, 200, radius.shape)
        factory.nifti(folder / "volumes" / f"{i}.nii.gz", values, affine=np.diag([2.0, 2.0, 2.0, 1.0]))
        rows.append((f"volumes/{i}.nii.gz", f"v{i}", 20.0 + 5 * i, ("train", "train", "valid", "test")[i % 4]))
    pd.DataFrame(rows, columns=["path", "patient", "age", "fold"]).to_csv(folder / "sheet.csv", index=False)
    return folder


def settings_of_volumes(**sections) -> configs.Config:
    """Of a run on `volumes`."""
    raw = {"targets": {"age": {"regression": {"head": "gaussian"}}}, "input": {"size": [16, 16, 16]}}
    raw |= {"model": {"name": "cnn3d"}, "augment": {"flip": 0.5}, "train": {"batch_size": 2}}
    return settings(**(raw | sections))


def settings(**sections) -> configs.Config:
    """Of a run on `pictures`."""
    raw = {
        "pipeline": "table",
        "targets": TARGETS,
        "data": {"columns": {"fold": "fold"}},
        "input": {"size": 32},
        "model": {"name": "mobilenet"},
        "augment": {"flip": 0.5, "rotate": 20, "noise": 0.1},
        "train": {"batch_size": 8},
        "evaluate": {"replicates": 50},
    }
    return configs.parse(raw | sections)


def table_of(folder: Path, config: configs.Config):
    """The example table of `pictures`, with the sheet's folds."""
    return prepare.training_table(config, folder)[0]


def network(targets, seed=0, dropout=0.5, shape=(32, 32, 1)) -> keras.Model:
    """Convolution, batch normalisation, pooling, dropout, heads; features are large, so that predictions vary."""
    initial = keras.initializers.RandomNormal(stddev=3.0, seed=seed)
    x = image = keras.Input(shape, name="image")
    flat = len(shape) == 3
    x = (keras.layers.Conv2D if flat else keras.layers.Conv3D)(8, 3, strides=2, kernel_initializer=initial)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU()(x)
    x = (keras.layers.GlobalAveragePooling2D if flat else keras.layers.GlobalAveragePooling3D)()(x)
    if dropout is not None:
        x = keras.layers.Dropout(dropout)(x)
    keras.utils.set_random_seed(seed)
    return keras.Model(image, {name: heads.head(x, name, target) for name, target in targets.items()})


def write(folder: Path, table, root, config: configs.Config, *, seed=0, dropout=0.5) -> runs.Run:
    """The folder of a run with its model, threshold and validation predictions."""
    run = runs.new(folder).create(config, table, root, runs.environment(precision="float32", jit=False))
    run.checkpoint.parent.rmdir()
    model = network(config.targets, seed, dropout, (*config.input.size, channels_of(config)))
    keeping_models.save(model, run.model)
    module = pipeline.find(config.pipeline)
    found = predictions.predict(model, predictions.of_fold(table, "valid"), root, config, module)
    found.to_parquet(run.folder / "valid_predictions.parquet", index=False)
    chosen = thresholds.choose(found, config.targets, config.evaluate.threshold, aggregate=config.evaluate.aggregate)
    run.write_json("thresholds.json", {"schema": runs.SCHEMA, "epoch": 1, "targets": chosen})
    return run
