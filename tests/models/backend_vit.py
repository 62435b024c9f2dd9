"""Numbers of a saved vision transformer in a fresh process, under whatever backend that has; `backend_vit.py FOLDER` reads and writes there."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from medtf.models import saved


def main(folder: Path) -> None:
    images = np.load(folder / "images.npy")
    model = saved.load(folder / "model.keras")
    found = {name: np.asarray(value).ravel().tolist() for name, value in model.predict_on_batch(images).items()}
    found["layers"] = [layer.name for layer in model.layers]
    if keras.backend.backend() == "jax":
        found |= step(model, images)
    found["backend"] = keras.backend.backend()
    (folder / "numbers.json").write_text(json.dumps(found))


def step(model, images) -> dict:
    """One compiled step through the first blocks; the whole network would take XLA a quarter of a minute."""
    start = keras.Model(model.input, keras.layers.Dense(1)(model.get_layer("block_1_add_2").output[:, 0]))
    drops = [start.get_layer(f"block_1_drop_path_{k}").seed_generator.state for k in (1, 2)]
    before = [np.asarray(state).tolist() for state in drops]
    start.compile("sgd", "mse", jit_compile=True)
    loss = float(start.train_on_batch(images, np.zeros((len(images), 1), "float32")))
    drew = [np.asarray(state).tolist() != old for state, old in zip(drops, before, strict=True)]
    return {"loss": loss, "drew": drew}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
