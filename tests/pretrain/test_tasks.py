"""Proxy tasks by name, and those of a user's own file."""

import importlib.util

import keras
import numpy as np
import pytest
from proxy_checks import encoder, fitted, on_jax

from medtf.errors import AskedWronglyError, MedtfError
from medtf.pretrain import tasks
from medtf.pretrain.task import Task
from medtf.schema_pretrain import TASKS, Pretrain

HALVES = '''
"""Which half of the image stands upside down?"""

from keras import ops

from medtf.pretrain.classes import ClassTask


class Pretraining(ClassTask):
    """The left or the right half of each image is turned upside down, and the network tells which."""

    def __init__(self, encoder, pretrain, *, augmentation=(), seed=0):
        super().__init__(encoder, 2, augmentation=augmentation, seed=seed, name="halves")

    def changed(self, images, which, *, training):
        """Half 0 is the left one, half 1 the right one."""
        width = images.shape[2]
        half = ops.reshape(ops.arange(width) * 2 // width, (1, 1, -1, 1))
        return ops.where(ops.equal(half, ops.reshape(which, (-1, 1, 1, 1))), ops.flip(images, axis=1), images)

    def pictures(self, images):
        """What the network gets beside what there was."""
        which = ops.arange(ops.shape(images)[0]) % 2
        return {"given": self.changed(images, which, training=False), "original": images}
'''


@pytest.fixture(name="file")
def _file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return str(path)

    return write


def test_every_task_of_the_schema_is_there():
    assert set(tasks.MODULES) == set(TASKS)
    for name in TASKS:
        assert issubclass(tasks.find(name), Task)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")
@pytest.mark.parametrize("names", [["rotation"], pytest.param(["jigsaw", "restore"], marks=pytest.mark.slow)])
def test_tasks_on_jax_with_the_draws_of_tensorflow(names, tmp_path):
    on_jax(tmp_path, names)


def test_a_task_of_ones_own_is_found_and_learnt(file):
    keras.utils.set_random_seed(0)
    found = tasks.find(file(HALVES))
    made = found(encoder(channels=1), Pretrain(task="mine.py"), seed=1)
    rng = np.random.default_rng(0)
    images = np.clip(np.linspace(1, 0, 16)[None, :, None, None] + rng.normal(0, 0.05, (64, 16, 16, 1)), 0, 1)
    history = fitted(made, images.astype("float32"), epochs=15)
    assert history["val_accuracy"][-1] > 0.9
    assert made.baseline() == 0.5
    given = np.asarray(made.pictures(images[:2].astype("float32"))["given"])
    np.testing.assert_allclose(given[0, :, :8], images[0, ::-1, :8], rtol=1e-6)
    np.testing.assert_allclose(given[0, :, 8:], images[0, :, 8:], rtol=1e-6)


def test_an_unknown_name():
    with pytest.raises(AskedWronglyError, match=r"unknown task 'rotaton': did you mean 'rotation'\?"):
        tasks.find("rotaton")
    with pytest.raises(AskedWronglyError, match=r"pretrain.task 'absent.py': no such file"):
        tasks.find("absent.py")


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("import nothing_of_this_name", MedtfError, "line 1: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("class Pretraining(:", MedtfError, "line 1: SyntaxError"),
        ("x = 1", AskedWronglyError, "has no class Pretraining: see CONTRIBUTING.md"),
        ("class Pretraining:\n    pass", AskedWronglyError, r"Pretraining is no Task: write `class Pretraining\(Task\)`"),
        ("Pretraining = 3", AskedWronglyError, "Pretraining is no Task"),
        (
            "from medtf.pretrain.task import Task\nclass Pretraining(Task):\n    def attempt(self, images, *, training): ...",
            AskedWronglyError,
            r"has no method example_losses\(\)",
        ),
        (HALVES.replace("def changed", "def change"), AskedWronglyError, r"has no method changed\(\)"),
        (HALVES.replace(", seed=0):", "):"), AskedWronglyError, r"expected __init__\(self, encoder, pretrain, .* 'seed'"),
    ],
)  # fmt: skip
def test_what_is_missing_in_a_file_is_told(file, text, kind, said):
    with pytest.raises(kind, match=rf"pretrain.task '.*mine\.py': .*{said}"):
        tasks.find(file(text))
