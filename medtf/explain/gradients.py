"""The one place that knows how gradients are had: TensorFlow's tape or JAX's transformations, compiled once for each network and question.

Everything else in this package is arithmetic in `keras.ops`. A compiled question reads the weights when it is asked, not when it was
compiled, so that a network whose weights are changed is asked again without being traced again.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from medtf.errors import MedtfError
from medtf.explain import hooks
from medtf.explain.score import Score
from medtf.quiet import silent_tracing

# Gradients of half precision are made larger on the way and smaller again at its end: of a mean over 8 x 8 places they are of the order 1e-4,
# where float16 has three digits left and below 6e-8 none (Micikevicius 2018, section 3.2, for training).
SCALE = 2.0**10


def ask(model: keras.Model, key: tuple, question: Callable, images, *more) -> np.ndarray:
    """Compile `question` once and ask it of a batch.

    Args:
        model: the network, whose weights are read anew at every call.
        key: what tells this question from others that are asked of this network.
        question: (call, images, *more) -> tensor (batch, ...); `call(images)` runs the network for inference.
        images: float32 (batch, ...).
        more: further arrays, (batch, ...).
    Returns:
        float32 (batch, ...).
    """
    held = vars(model).setdefault("_asked", {})  # with the network, so that both go together; past Keras's tracking
    if key not in held:
        held[key] = _BACKENDS[_backend()][0](model, question)
    given = [np.asarray(images, np.float32), *map(np.asarray, more)]
    with silent_tracing():
        return np.asarray(held[key](*given), np.float32)


def of_layer(model: keras.Model, layer, score: Score, combine: Callable, key: tuple, images, classes) -> np.ndarray:
    """What `combine` makes of a layer's output and of the slope of the score against it.

    Args:
        layer: anywhere in the model.
        combine: (activations, gradients), float32 tensors (batch, ..., channels) -> tensor (batch, ...).
        key: of `combine`.
        images: float32 (batch, *spatial, channels). classes: int32 (batch,), see `Score.classes`.
    Returns:
        float32, as `combine` gives it.
    Raises:
        MedtfError: gradients that are not finite.
    """
    slope = _BACKENDS[_backend()][1]

    def question(call, images, classes, scale):
        activations, gradients = slope(layer, lambda: ops.sum(score.of(lambda: call(images), classes)) * scale[0])
        if gradients is None:
            raise MedtfError(f"layer {layer.name!r}: the answer does not depend on it: name a layer on the way to it")
        return combine(ops.cast(activations, "float32"), ops.cast(gradients, "float32") / scale[0])

    return _finite(model, ("layer", id(layer), *score.key, *key), question, images, classes)


def of_input(model: keras.Model, score: Score, images, classes) -> np.ndarray:
    """float32 (batch, *spatial, channels): the slope of the score against each value of the input.

    Args:
        images, classes: as for `of_layer`.
    Raises:
        MedtfError: gradients that are not finite.
    """
    slope = _BACKENDS[_backend()][2]

    def question(call, images, classes, scale):
        gradients = slope(lambda x: ops.sum(score.of(lambda: call(x), classes)) * scale[0], images)
        return ops.cast(gradients, "float32") / scale[0]

    return _finite(model, ("input", *score.key), question, images, classes)


def values(model: keras.Model, score: Score, images, classes) -> np.ndarray:
    """float32 (batch,): the score itself."""

    def question(call, images, classes):
        return score.of(lambda: call(images), classes)

    return ask(model, ("values", *score.key), question, images, classes)


def _finite(model, key, question, images, classes) -> np.ndarray:
    half = "float16" in {getattr(layer, "compute_dtype", "") for layer in model._flatten_layers()}
    for scale in (SCALE, 1.0, 1 / SCALE) if half else (1.0,):
        found = ask(model, key, question, images, classes, np.full(1, scale, np.float32))
        if np.isfinite(found).all():
            return found
    raise MedtfError(f"{model.name}: gradients of this input are not finite: the weights or the input are broken")


def _backend() -> str:
    return keras.backend.backend()


# === TensorFlow ===


def _tf_compiled(model, question):
    import tensorflow as tf

    def run(*given):
        return question(lambda images: model(images, training=False), *given)

    # autograph off: nothing here needs it, and it wraps an error into lines of traceback
    compiled = tf.function(
        run, autograph=False, reduce_retracing=True, jit_compile=bool(tf.config.list_physical_devices("GPU"))
    )
    return lambda *given: compiled(*map(tf.convert_to_tensor, given))


def _tf_of_layer(layer, total):
    import tensorflow as tf

    seen = []
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def watched(output):
            tape.watch(output)
            seen.append(output)
            return output

        with hooks.passing(layer, watched):
            score = total()
    return seen[-1], tape.gradient(score, seen[-1])


def _tf_of_input(total, images):
    import tensorflow as tf

    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        score = total(images)
    return tape.gradient(score, images)


# === JAX ===


def _jax_compiled(model, question):
    import jax

    @jax.jit
    def run(trainable, others, *given):
        return question(
            lambda images: model.stateless_call(trainable, others, images, training=False)[0],
            *given,
        )

    def compiled(*given):
        trainable = [variable.value for variable in model.trainable_variables]
        return run(trainable, [variable.value for variable in model.non_trainable_variables], *given)

    return compiled


def _jax_of_layer(layer, total):
    import jax

    calls = []

    def output():
        calls.clear()
        with hooks.passing(layer, lambda x: calls.append(x) or x):
            total()
        return calls[-1]

    def moved(by):
        seen = []

        def last_moved(x):  # of a layer that is called several times the last call, as with the tape
            seen.append(x)
            return x + by if len(seen) == len(calls) else x

        with hooks.passing(layer, last_moved):
            return total(), seen[-1]

    shape = jax.eval_shape(output)
    gradients, activations = jax.grad(moved, has_aux=True)(jax.numpy.zeros(shape.shape, shape.dtype))
    return activations, gradients


def _jax_of_input(total, images):
    import jax

    return jax.grad(total)(images)


# backend -> (compile a question, slope at a layer, slope at the input)
_BACKENDS = {
    "tensorflow": (_tf_compiled, _tf_of_layer, _tf_of_input),
    "jax": (_jax_compiled, _jax_of_layer, _jax_of_input),
}
