"""What both sides of grad_cam.py share: two networks, weights and images drawn with a seed. Run in either environment, with its own Keras."""

import os
import time

import numpy as np

THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
SIZES = {"inception": (299, 299, 3), "cnn3d": (64, 64, 64, 1)}
LAYERS = {"inception": "mixed10", "cnn3d": "block5_relu"}
CLASSES = {"inception": 1, "cnn3d": 0}


def limit_threads() -> None:
    """To be called before TensorFlow starts its threads."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def images(name: str, count: int) -> np.ndarray:
    """Float32 (count, *size) in [0, 1]: a blob on noise, each of its own brightness, so that the answers differ."""
    generator = np.random.default_rng(0)
    *sides, channels = SIZES[name]
    made = generator.random((count, *sides, channels), dtype=np.float32)
    axes = np.meshgrid(*[np.linspace(0, 1, side, dtype=np.float32) for side in sides], indexing="ij")
    for one in made:
        middle = generator.random(len(sides))
        distance = sum((axis - at) ** 2 for axis, at in zip(axes, middle, strict=True))
        one *= 0.5 * generator.random()
        one += 0.5 * np.exp(-distance / 0.05)[..., None]
    return made


def inception(keras):
    """InceptionV3 and two findings, each with a sigmoid: the slope of such a probability is that of its logit but for a factor."""
    base = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=SIZES["inception"])
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, keras.layers.Dense(2, activation="sigmoid", name="findings")(x))


def cnn3d(keras):
    """The layers of medtf's `cnn3d`, by their names there."""
    layers = keras.layers
    image = x = keras.Input(SIZES["cnn3d"])
    for place, width in enumerate((16, 32, 64, 128, 128), 1):
        x = layers.Conv3D(width, 3, padding="same", use_bias=False, name=f"block{place}_conv")(x)
        if place < 5:
            x = layers.MaxPooling3D(2, name=f"block{place}_pool")(x)
        x = layers.BatchNormalization(epsilon=1e-5, name=f"block{place}_batch_norm")(x)
        x = layers.ReLU(name=f"block{place}_relu")(x)
    x = layers.Dense(1, name="finding_logits")(layers.GlobalAveragePooling3D()(x))
    return keras.Model(image, layers.Activation("sigmoid", name="finding")(x))


def draw(model) -> dict[str, np.ndarray]:
    """Weights by `layer/place`: He's kernels, so that what flows keeps its size, and normalisations that do something."""
    generator = np.random.default_rng(1)
    drawn = {}
    for layer in model.layers:
        for place, weight in enumerate(layer.weights):
            noise = generator.normal(size=tuple(weight.shape))
            if weight.name == "kernel":
                values = noise * np.sqrt(2 / np.prod(noise.shape[:-1]))
            elif weight.name in ("gamma", "moving_variance"):
                values = 1 + 0.1 * np.abs(noise)
            else:
                values = 0.1 * noise
            drawn[f"{layer.name}/{place}"] = values.astype(np.float32)
    return drawn


def give(model, file) -> None:
    """Put drawn weights into the layers of their names; those that Keras numbers itself are the same in every fresh process.

    Raises:
        KeyError, ValueError: a layer without weights in the file, or of another shape; weights that no layer takes.
    """
    with np.load(file) as drawn:
        left = set(drawn)
        for layer in model.layers:
            keys = [f"{layer.name}/{place}" for place in range(len(layer.weights))]
            if keys:
                layer.set_weights([drawn[key] for key in keys])
            left -= set(keys)
    if left:
        raise ValueError(f"weights that no layer takes: {sorted(left)[:3]}")


def timed(call, x) -> tuple[float, float]:
    """Seconds of one call, (clock, processor); the second counts the work of all threads."""
    start = time.perf_counter(), time.process_time()
    call(x)
    return time.perf_counter() - start[0], time.process_time() - start[1]
