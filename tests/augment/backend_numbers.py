"""Numbers of every loss, and a step with MixUp, under the backend of the process; as a script: writes them to a JSON file.

test_backends.py runs this under TensorFlow and under JAX. The random layers are compared in test_layers.py.
"""

import json
import sys

import keras
import numpy as np

from medtf import losses
from medtf.augment.mixup import MixUp

IMAGES = np.random.default_rng(0).random((4, 8, 9, 2), dtype="float32")
LABELS = np.array([[1, 0, 0], [np.nan, np.nan, np.nan], [0.2, 0.3, 0.5]], "float32")
PREDICTIONS = np.array([[2, -1, 0.5], [0, 40, -3], [100, -100, 3]], "float32")


def numbers() -> dict:
    """Name of a loss: its output, flat; and whether a compiled training step with MixUp ran."""
    out = {}
    every_loss = (
        losses.BinaryLogLoss(2),
        losses.BinaryFocalLoss(alpha=0.3),
        losses.CategoricalLogLoss([1, 2, 3]),
        losses.CategoricalFocalLoss(),
        losses.RegressionLoss("huber", 3),
    )
    for loss in every_loss:
        out[type(loss).__name__] = keras.ops.convert_to_numpy(loss.call(LABELS, PREDICTIONS)).tolist()

    inputs, mixup = keras.Input(IMAGES.shape[1:]), MixUp()
    mixup.share.assign(0.3)
    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(mixup(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", losses.BinaryLogLoss(), jit_compile=True)
    step = model.train_on_batch(IMAGES, np.array([[1, 0, np.nan]] * 4, "float32"))
    share = float(keras.ops.convert_to_numpy(mixup.share))
    out["step"] = [
        float(model.jit_compile),
        float(np.isfinite(step)),
        float(0 <= share <= 1 and abs(share - 0.3) > 1e-6),
    ]
    return out


if __name__ == "__main__":
    with open(sys.argv[1], "w") as file:
        json.dump({"backend": keras.backend.backend(), **numbers()}, file)
