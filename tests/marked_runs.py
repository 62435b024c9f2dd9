"""Runs whose reasons are known: pictures with a grey square that is marked and a white corner that nobody marked, and networks written by hand.

`honest` adds up what is grey and leaves out what is white; `shortcut` adds up what is white. Each Grad-CAM is the square, or the corner, to the
pixel, so that every number can be worked out on paper.
"""

from pathlib import Path

import factory
import keras
import numpy as np
import pandas as pd
import small_runs

from medtf import keeping_models, pipeline, predictions, runs
from medtf.evaluate import thresholds
from medtf.models import heads

SIDE, SQUARE, CORNER = 32, 6, 4
GREY, WHITE = 153, 255  # 0.6 and 1
GREY_FROM, WHITE_FROM = 0.4, 0.8  # what the two channels see begins here
SLOPE, AGAINST_WHITE = 400.0, 3.0
TESTED = 20  # people of the test fold, every second one sick
FOLDS = ("train",) * 8 + ("valid",) * 8 + ("test",) * TESTED


def pictures(folder: Path, *, twice: int = 0) -> Path:
    """One picture a person (two of the first `twice` of the test fold), sheet.csv, and masks of the sick in `marks`; `shifted`: by two columns."""
    generator = np.random.default_rng(0)
    rows = []
    people = [(i, fold) for i, fold in enumerate(FOLDS)]
    people += [(i, fold) for i, fold in people if fold == "test"][:twice]
    for number, (person, fold) in enumerate(people):
        image = generator.integers(0, 40, (SIDE, SIDE))
        if person % 2:
            mask = np.zeros((SIDE, SIDE), np.uint8)
            top, left = generator.integers(CORNER + 6, SIDE - SQUARE - 2, 2)
            mask[top : top + SQUARE, left : left + SQUARE] = 255
            image[mask > 0] = GREY
            image[:CORNER, :CORNER] = WHITE
            factory.picture(folder / "marks" / f"p{number}.png", mask)
            factory.picture(folder / "shifted" / f"p{number}.png", np.roll(mask, 2, axis=1))
        factory.picture(folder / "images" / f"p{number}.png", image.astype(np.uint8))
        rows.append((f"images/p{number}.png", f"person{person}", person % 2, fold))
    pd.DataFrame(rows, columns=["path", "patient", "sick", "fold"]).to_csv(folder / "sheet.csv", index=False)
    return folder


def settings(**sections):
    """Of a run on `pictures`."""
    return small_runs.settings(
        **{"targets": {"sick": "binary"}, "input": {"size": SIDE}, "evaluate": {"replicates": 200}} | sections
    )


def network(config, weights: tuple[float, float]) -> keras.Model:
    """A channel of what is grey or brighter and one of what is white, their means, and a head with these weights."""
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = keras.layers.Conv2D(2, 1, activation="relu", name="seen")(image)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(image, {name: heads.head(x, name, target) for name, target in config.targets.items()})
    model.get_layer("seen").set_weights([np.ones((1, 1, 1, 2)), np.array([-GREY_FROM, -WHITE_FROM])])
    dense = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    dense.set_weights([SLOPE * np.array(weights)[:, None], np.array([-1.0])])
    return model


def honest(config) -> keras.Model:
    """Grey speaks for it, white does not: 0.6 - 3 x 0.2 = 0."""
    return network(config, (1.0, -AGAINST_WHITE))


def shortcut(config) -> keras.Model:
    """White speaks for it, and nothing else."""
    return network(config, (0.0, 1.0))


def write(folder: Path, root: Path, model, **sections) -> runs.Run:
    """The folder of a run with a network that `model` makes of its config."""
    config = settings(**sections)
    table = small_runs.table_of(root, config)
    run = runs.new(folder).create(config, table, root, runs.environment(precision="float32", jit=False))
    made, module = model(config), pipeline.find(config.pipeline)
    keeping_models.save(made, run.model)
    found = predictions.predict(made, predictions.of_fold(table, "valid"), root, config, module)
    chosen = thresholds.choose(found, config.targets, config.evaluate.threshold, aggregate=config.evaluate.aggregate)
    run.write_json("thresholds.json", {"schema": runs.SCHEMA, "epoch": 1, "targets": chosen})
    return run
