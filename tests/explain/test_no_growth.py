"""A heat map leaves nothing behind: no memory that grows with the images, no network that is traced again."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from medtf.explain.grad_cam import GradCAM

# 0.2 MB an image and 0.07 MB a map: a thousand of them, kept, would be seen beside what TensorFlow itself takes
PROGRAM = """
import json
import os

import keras
import numpy as np

from medtf.explain.grad_cam import GradCAM


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


image = x = keras.Input((128, 128, 3))
for width in (8, 16):
    x = keras.layers.Conv2D(width, 3, strides=2, activation="relu")(x)
x = keras.layers.GlobalAveragePooling2D()(x)
model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(x))
generator = np.random.default_rng(0)
held = {}
for done in range(20, 1001, 20):
    images = generator.random((20, 128, 128, 3), dtype=np.float32)
    assert GradCAM().heatmap(images, model, class_index=done // 20 % 2).shape == (20, 128, 128)
    held[done] = resident()
print(json.dumps(held))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_memory_does_not_grow_over_a_thousand_images(backend):
    """Issue: a callback explains images at the end of every epoch, for days."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("resident memory is read from /proc, which this system does not have")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    held = json.loads(done.stdout.splitlines()[-1])
    print({images: round(held[images]) for images in ("20", "200", "600", "1000")})
    assert held["1000"] < 1.05 * held["200"]


class Counting(keras.layers.Layer):
    """Hands its input on, and counts how often it is run in Python, which is once a trace."""

    def __init__(self):
        super().__init__()
        self.runs = 0

    def call(self, x):
        self.runs += 1
        return x


def test_a_network_is_traced_once_whoever_asks():
    """A fresh GradCAM, other images and another class ask the compiled question; other numbers of images may trace it once more, in all."""
    counting = Counting()
    image = keras.Input((16, 16, 1))
    looked_into = keras.layers.Conv2D(3, 3, activation="relu", name="looked_into")
    x = keras.layers.GlobalAveragePooling2D()(counting(looked_into(image)))
    head = keras.layers.Dense(3)
    model = keras.Model(image, head(x))
    generator = np.random.default_rng(0)
    looked_into.set_weights([generator.random((3, 3, 1, 3)), np.zeros(3)])
    head.set_weights([np.eye(3), np.zeros(3)])  # class k is channel k, all of them above 0
    images = generator.random((4, 16, 16, 1), dtype=np.float32)
    before = counting.runs
    GradCAM().heatmap(images, model, class_index=0, layer_name="looked_into")
    traced = counting.runs
    maps = [GradCAM().heatmap(images[::-1], model, class_index=k, layer_name="looked_into") for k in range(3)]
    assert counting.runs == traced
    assert not np.allclose(maps[0], maps[1])  # the class that was asked for is not frozen in the compiled question
    for count in (3, 2, 1, 4, 3):
        GradCAM().heatmap(images[:count], model, class_index=0, layer_name="looked_into")
    assert counting.runs - traced <= traced - before
