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


def network(name, volumes) -> dict[str, list]:
    """Outputs of a network with weights that are the same on every backend; Keras makes none, which takes JAX ten seconds."""
    model = Model(name=name, dropout=0.0, se=name == "cnn3d", norm="group" if name == "resnet3d_10" else "batch")
    with keras.StatelessScope(initialize_variables=False):
        made = build.build(model, volumes.shape[1:], TARGETS, priors=PRIORS)
    generator = np.random.default_rng(0)
    values = [[drawn(v, generator) for v in part] for part in (made.trainable_variables, made.non_trainable_variables)]

    def call(*arguments):
        return made.stateless_call(*arguments, training=False)[0]

    if keras.backend.backend() == "jax":
        import jax

        call = jax.jit(call)
    outputs = call(*values, volumes)
    return {f"{name} {target}": keras.ops.convert_to_numpy(value).ravel().tolist() for target, value in outputs.items()}


def drawn(variable, generator):
    shape = tuple(variable.shape)
    if "norm" in variable.path:
        return generator.uniform(0.7, 1.3, shape).astype("float32")
    return generator.normal(0, np.prod(shape[:-1] or shape) ** -0.5, shape).astype("float32")


def numbers(more: bool) -> dict:
    """Name of a network or loss: its numbers; with `more` DenseNet too, and a step of training."""
    out = {"backend": keras.backend.backend()}
    for name, side in SIDES.items():
        volumes = np.random.default_rng(1).normal(size=(2, side, side + 1, side, 1)).astype("float32")
        if more == (name == "densenet3d_121"):
            out |= network(name, volumes)
        if more and name == "cnn3d":
            out["step"] = step(build.build(Model(name=name), volumes.shape[1:], TARGETS, priors=PRIORS), volumes)
    logits = np.random.default_rng(2).normal(0, 2, (3, 4)).astype("float32")
    spread = np.array([[50, 3], [0, 1], [70, 9]], "float32")
    for loss, given in ((SoftBinsLoss((40, 80, 10), 5), logits), (GaussianLoss(9), spread)):
        out[loss.name] = keras.ops.convert_to_numpy(loss.call(LABELS, given)).tolist()
    metric = MeanAbsoluteError(bin_centers=TARGETS["binned"].bin_centers)
    metric.update_state(LABELS, logits)
    out["metric"] = [float(metric.result())]
    return out


def step(model, volumes) -> list[float]:
    """Whether the loss of a training step with an unknown label is finite, and every weight after it."""
    trainer = build.logits_model(model, TARGETS)
    losses = {"binned": SoftBinsLoss((40, 80, 10), 5), "sure": GaussianLoss(9), "sex": "mse"}
    trainer.compile("sgd", losses, jit_compile=keras.backend.backend() == "jax")
    labels = {"binned": LABELS[:2], "sure": LABELS[:2], "sex": np.ones((2, 1), "float32")}
    loss = trainer.train_on_batch(volumes, labels)
    whole = all(np.isfinite(keras.ops.convert_to_numpy(w)).all() for w in trainer.weights)
    return [float(np.isfinite(loss).all()), float(whole)]


if __name__ == "__main__":
    with open(sys.argv[1], "w") as file:
        json.dump(numbers("more" in sys.argv), file)
