"""What must hold for every proxy task, on the backend of the process and on JAX.

    check_task(name)          determinism, a compiled fit, half precision, here
    on_jax(folder, names)     the same in a process with the JAX backend, whose draws are those of this one

As a script, `proxy_checks.py FOLDER NAME ...`, it is that other process.
"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

from medtf.pretrain import tasks
from medtf.schema_pretrain import Pretrain

SIDE = 16
OPTIONS = {"rotation": {}, "jigsaw": {"grid": 2, "permutations": 6}, "restore": {"swaps": 4}}
IMAGES = np.random.default_rng(0).random((6, SIDE, SIDE, 2), dtype="float32")


def encoder(height: int = SIDE, width: int | None = None, channels: int = 2, filters=(8, 16)) -> keras.Model:
    """Two or more strided convolutions and a pool, as a backbone ends."""
    x = image = keras.Input((height, width or height, channels), name="image")
    for number, count in enumerate(filters):
        x = layers.Conv2D(count, 3, strides=2, padding="same", activation="relu", name=f"convolution_{number}")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D(name="gap")(x), name="encoder")


def task(name: str, of: keras.Model | None = None, *, seed: int = 0, augmentation=(), **changed):
    """A task by its name."""
    pretrain = Pretrain(task=name, **OPTIONS[name] | changed)
    return tasks.find(name)(of or encoder(), pretrain, seed=seed, augmentation=augmentation)


def numpy(outcome) -> dict[str, np.ndarray]:
    """An outcome as arrays."""
    return {name: np.asarray(keras.ops.convert_to_numpy(one)) for name, one in outcome.items()}


def asked(made, training: bool, images=IMAGES) -> np.ndarray:
    """What a task made of the images: the changed pictures, or what each is to be told as."""
    if hasattr(made, "skips"):
        return np.asarray(keras.ops.convert_to_numpy(made.changed(images, training=training)))
    return numpy(made.attempt(images, training=training))["which"]


def fitted(made, images, *, epochs: int = 1, jit: bool = False, rate: float = 0.01, batch: int = 16):
    """The history of a training in whole batches, and of a validation on the same images."""
    made(images[:2], training=False)
    made.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=jit)
    whole = images[: len(images) // batch * batch]
    return made.fit(whole, validation_data=(images,), epochs=epochs, batch_size=batch, verbose=0).history


def check_task(name: str) -> None:
    """All that is the same for every task."""
    keras.utils.set_random_seed(0)
    _check_draws(name)
    _check_outcome(name)
    _check_compiled(name)
    _check_half(name)


def _check_draws(name):
    """Anew in each training call, by the seed; the same in every validation; a resumed count goes on."""
    one, same, other = task(name, seed=1), task(name, seed=1), task(name, seed=2)
    drawn = [asked(one, True) for _ in range(3)]
    assert not all(np.array_equal(drawn[0], later) for later in drawn[1:])
    np.testing.assert_array_equal(drawn[0], asked(same, True))
    assert any(not np.array_equal(first, asked(other, True)) for first in drawn)
    np.testing.assert_array_equal(asked(one, False), asked(same, False))
    np.testing.assert_array_equal(asked(one, False), asked(one, False))
    resumed = task(name, seed=1)
    resumed.set_weights(same.get_weights())
    np.testing.assert_array_equal(asked(resumed, True), drawn[1])


def _check_outcome(name):
    """Each tensor has the batch first; losses and scores are float32, one an example, and their means what `evaluate` says."""
    made = task(name)
    outcome = made(IMAGES, training=False)
    assert {one.shape[0] for one in outcome.values()} == {len(IMAGES)}
    losses, scores = made.example_losses(outcome), made.example_scores(outcome)
    for values in (losses, *scores.values()):
        assert values.shape == (len(IMAGES),)
        assert keras.backend.standardize_dtype(values.dtype) == "float32"
    assert set(scores) == set(made.score_names)
    made.compile()
    told = made.evaluate(IMAGES, batch_size=len(IMAGES), verbose=0, return_dict=True)
    np.testing.assert_allclose(told["loss"], np.mean(np.asarray(losses)), rtol=1e-5)
    for key, values in scores.items():
        np.testing.assert_allclose(told[key], np.mean(np.asarray(values)), rtol=1e-6)
    for picture in made.pictures(IMAGES).values():
        assert picture.shape == IMAGES.shape
        assert 0 <= np.min(np.asarray(picture)) <= np.max(np.asarray(picture)) <= 1


def _check_compiled(name):
    """A compiled fit moves the encoder; the last batch of its validation is not full."""
    made = task(name)
    before = [np.array(weight) for weight in made.encoder.get_weights()]
    history = fitted(made, IMAGES, batch=4, jit=True)
    assert made.jit_compile is True
    assert np.isfinite([values[0] for values in history.values()]).all()
    assert set(history) == {f"{part}{one}" for part in ("", "val_") for one in ("loss", *made.score_names)}
    after = made.encoder.get_weights()
    assert all((a != b).any() for a, b in zip(before[::2], after[::2], strict=True))


def _check_half(name):
    """float16 inside, float32 losses that are finite."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        made = task(name)
        assert made.encoder.get_layer("convolution_0").compute_dtype == "float16"
        losses = made.example_losses(made(IMAGES, training=True))
        assert keras.backend.standardize_dtype(losses.dtype) == "float32"
        assert np.isfinite(np.asarray(losses)).all()
    finally:
        keras.config.set_dtype_policy(before)


def draws(name: str) -> list[np.ndarray]:
    """What a task asks in its first two steps of training, and in validation."""
    made = task(name, seed=5)
    return [asked(made, training) for training in (True, True, False)]


def on_jax(folder: Path, names) -> None:
    """The checks in a process with JAX, and the draws of both backends."""
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, __file__, folder, *names], env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = np.load(folder / "draws.npz")
    for name in names:
        for number, values in enumerate(draws(name)):
            np.testing.assert_array_equal(found[f"{name}/{number}"], values, err_msg=name)


def _main(folder: Path, *names: str) -> None:
    assert keras.backend.backend() == "jax"
    found = {}
    for name in names:
        check_task(name)
        found |= {f"{name}/{number}": values for number, values in enumerate(draws(name))}
    np.savez(folder / "draws.npz", **found)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *sys.argv[2:])
