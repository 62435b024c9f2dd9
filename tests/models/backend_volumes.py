"""Numbers of every network, head and regression loss under the backend of the process; as a script: writes them to a JSON file.

test_volume_backends.py runs this under TensorFlow and under JAX.
"""

import json
import sys

import keras
import numpy as np

from medtf.config import Model, Target
from medtf.losses import GaussianLoss, SoftBinsLoss
from medtf.metrics import MeanAbsoluteError
from medtf.models import build

SIDES = {"cnn3d": 16, "sfcn": 32, "resnet3d_10": 9, "densenet3d_121": 32, "highres3dnet": 8}
TARGETS = {
    "binned": Target(kind="regression", head="bins", bins=(40, 80, 10), sigma=5),
    "sure": Target(kind="regression", head="gaussian"),
    "sex": Target(kind="binary"),
}
PRIORS = {"binned": np.full(4, 0.25), "sure": np.array([60, 9]), "sex": np.array([0.4])}
LABELS = np.array([[45], [np.nan], [71]], "float32")


def stirred(model):
    """The same weights on every backend, of a size that lets them matter."""
    generator = np.random.default_rng(0)
    for layer in model.layers:
        weights = [
            w * 0 + generator.normal(0, 0.5 / np.sqrt(max(w.size / w.shape[-1], 1)), w.shape)
            for w in layer.get_weights()
        ]
        if "norm" in layer.name:
            weights = [np.abs(w) + 0.7 for w in weights]
        layer.set_weights(weights)
    return model


def numbers() -> dict:
    """Name of a network or loss: its numbers; and whether a step of training ran."""
    out = {"backend": keras.backend.backend()}
    for name, side in SIDES.items():
        volumes = np.random.default_rng(1).normal(size=(2, side, side + 1, side, 1)).astype("float32")
        model = Model(name=name, dropout=0.0, se=name == "cnn3d", norm="group" if name == "resnet3d_10" else "batch")
        made = stirred(build.build(model, volumes.shape[1:], TARGETS, priors=PRIORS))
        for target, value in made(volumes, training=False).items():
            out[f"{name} {target}"] = keras.ops.convert_to_numpy(value).ravel().tolist()
        if name == "cnn3d":
            out["step"] = step(made, volumes)
    logits = np.random.default_rng(2).normal(0, 2, (3, 4)).astype("float32")
    spread = np.array([[50, 3], [0, 1], [70, 9]], "float32")
    for loss, given in ((SoftBinsLoss((40, 80, 10), 5), logits), (GaussianLoss(9), spread)):
        out[loss.name] = keras.ops.convert_to_numpy(loss.call(LABELS, given)).tolist()
    metric = MeanAbsoluteError(bin_centers=TARGETS["binned"].bin_centers)
    metric.update_state(LABELS, logits)
    out["metric"] = [float(metric.result())]
    return out


def step(model, volumes) -> list[float]:
    """Loss of one training step with an unknown label: it is finite, and no weight is lost."""
    trainer = build.logits_model(model, TARGETS)
    losses = {"binned": SoftBinsLoss((40, 80, 10), 5), "sure": GaussianLoss(9), "sex": "mse"}
    trainer.compile("sgd", losses, jit_compile=keras.backend.backend() == "jax")
    labels = {"binned": LABELS[:2], "sure": LABELS[:2], "sex": np.ones((2, 1), "float32")}
    loss = trainer.train_on_batch(volumes, labels)
    whole = all(np.isfinite(keras.ops.convert_to_numpy(w)).all() for w in trainer.weights)
    return [float(np.ravel(loss)[0]), float(whole)]


if __name__ == "__main__":
    with open(sys.argv[1], "w") as file:
        json.dump(numbers(), file)
