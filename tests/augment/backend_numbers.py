"""Numbers of every layer and loss under the backend of the process; as a script: writes them to a JSON file.

test_backends.py runs this under TensorFlow and under JAX.
"""

import json
import sys

import keras
import numpy as np

from medtf import losses
from medtf.augment.affine import RandomAffine
from medtf.augment.erase import RandomErase
from medtf.augment.flip import RandomFlip
from medtf.augment.intensity import RandomIntensity
from medtf.augment.mixup import MixUp
from medtf.augment.noise import RandomNoise

IMAGES = np.random.default_rng(0).random((4, 8, 9, 2), dtype="float32")
NOISE = np.random.default_rng(1).normal(0, 0.1, IMAGES.shape)
LABELS = np.array([[1, 0, 0], [np.nan, np.nan, np.nan], [0.2, 0.3, 0.5]], "float32")
PREDICTIONS = np.array([[2, -1, 0.5], [0, 40, -3], [100, -100, 3]], "float32")
CHOSEN = np.array([True, True, False, True])


def layers():
    """Each layer with draws for IMAGES."""
    turns = {"angle": [0.3, -1, 2, 0], "zoom": [1, 1.1, 0.8, 1], "down": [0, 0.1, -0.2, 0], "right": [0.1, 0, 0, 2]}
    places = {
        "top": [0, 0.2, 0, 0.5],
        "left": [0.3, 0, 0, 0.1],
        "height": [0.4, 0.3, 1, 0.5],
        "width": [0.3, 0.6, 1, 0.2],
    }
    yield RandomFlip(), {"flip": CHOSEN}
    yield RandomAffine(10), floats(turns)
    yield RandomIntensity(0.1), floats({"factor": [1, 0.5, 1.5, 1], "shift": [0, 0.1, -0.2, 0.3]})
    yield RandomNoise(), floats({"noise": NOISE})
    yield RandomErase(), {"chosen": CHOSEN, **floats(places)}
    yield MixUp(), floats({"share": 0.3})


def floats(draws):
    return {name: np.float32(values) for name, values in draws.items()}


def numbers() -> dict:
    """Name of a layer or loss: its output, flat; and whether a compiled training step with all of it ran."""
    out = {}
    outputs = inputs = keras.Input(IMAGES.shape[1:])
    for layer, draws in layers():
        out[type(layer).__name__] = keras.ops.convert_to_numpy(layer.apply(IMAGES, draws)).ravel().tolist()
        outputs = layer(outputs)
    every_loss = (
        losses.BinaryLogLoss(2),
        losses.BinaryFocalLoss(alpha=0.3),
        losses.CategoricalLogLoss([1, 2, 3]),
        losses.CategoricalFocalLoss(),
        losses.RegressionLoss("huber", 3),
    )
    for loss in every_loss:
        out[type(loss).__name__] = keras.ops.convert_to_numpy(loss.call(LABELS, PREDICTIONS)).tolist()

    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(outputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", losses.BinaryLogLoss(), jit_compile=True)
    step = model.train_on_batch(IMAGES, np.array([[1, 0, np.nan]] * 4, "float32"))
    share = float(keras.ops.convert_to_numpy(layer.share))  # of MixUp, the last layer: 0.3 was applied above
    out["step"] = [
        float(model.jit_compile),
        float(np.isfinite(step)),
        float(0 <= share <= 1 and abs(share - 0.3) > 1e-6),
    ]
    return out


if __name__ == "__main__":
    with open(sys.argv[1], "w") as file:
        json.dump({"backend": keras.backend.backend(), **numbers()}, file)
