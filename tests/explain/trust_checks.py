"""What must hold for the trust checks on every backend: weights come back to the bit, nothing is traced again, norms fit. A script on JAX."""

import keras
import numpy as np
import pytest
from keras import layers

from medtf.explain.grad_cam import GradCAM
from medtf.explain.method import Method
from medtf.explain.trust import labels, norms, parts, randomised


class Counting(keras.layers.Layer):
    """Counts how often Python runs it: once each time a question is traced."""

    runs = 0

    def call(self, x):
        type(self).runs += 1
        return x


class Breaking(Method):
    """Gives maps of the network as it was, and an error that nobody expects afterwards."""

    name, asked = "breaking", 0

    def prepared(self, model, score, layer_name):
        self.asked += 1
        if self.asked > 1:
            raise RuntimeError("broken on purpose")
        return lambda images, classes: images[..., 0]


def network(side=16, seed=0) -> keras.Model:
    """Two convolutions in a nested model, batch normalisation, dropout, two heads: three classes and a value."""
    keras.utils.set_random_seed(seed)
    x = inner = keras.Input((side, side, 1))
    x = layers.Conv2D(4, 3, padding="same", name="first")(x)
    x = layers.BatchNormalization(name="first_norm")(x)
    x = layers.MaxPooling2D()(layers.ReLU()(x))
    x = layers.Conv2D(6, 3, padding="same", name="second")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="second_norm")(x))
    backbone = keras.Model(inner, x, name="backbone")
    image = keras.Input((side, side, 1))
    x = Counting(name="counting")(backbone(image))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D(name="gap")(x))
    site = layers.Activation("softmax", dtype="float32", name="site")(layers.Dense(3, name="site_logits")(x))
    age = layers.Rescaling(10.0, 50.0, dtype="float32", name="age")(layers.Dense(1, name="age_logits")(x))
    model = keras.Model(image, {"site": site, "age": age})
    generator = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):  # as a training leaves it: channels of very different strength
            layer.moving_variance.assign(generator.uniform(1e-4, 2, layer.moving_variance.shape))
            layer.gamma.assign(generator.uniform(0.5, 1.5, layer.gamma.shape))
    return model


def images(count=9, side=16) -> np.ndarray:
    """Noise and a bright square."""
    generator = np.random.default_rng(1)
    made = generator.uniform(0, 0.3, (count, side, side, 1)).astype(np.float32)
    for one in made:
        row, column = generator.integers(0, side - 5, 2)
        one[row : row + 5, column : column + 5] += 0.6
    return made


def weights(model) -> list[bytes]:
    return [np.array(keras.ops.convert_to_numpy(one)).tobytes() for one in model.weights]


def check_restored():
    model, shown = network(), images()
    before = weights(model)
    drawn = randomised.cascade(GradCAM(), model, shown, target="site", steps=3, draws=2)
    assert weights(model) == before
    assert len(drawn.steps) == 3
    assert drawn.random.shape == (2, 9, 16, 16)
    assert not np.array_equal(drawn.steps[-1], drawn.original), "weights were not drawn"
    assert np.array_equal(GradCAM().heatmap(shown, model, drawn.classes, target="site"), drawn.original)
    rows = labels.features_of(model, images(40), target="site")
    found = {"features": rows, "labels": np.arange(40) % 3}
    labels.permuted_head(GradCAM(), model, shown, target="site", **found)
    assert weights(model) == before
    with pytest.raises(RuntimeError, match="on purpose"):
        randomised.cascade(Breaking(), model, shown, target="age")
    assert weights(model) == before


def check_traced_once():
    traces = []
    for steps in (2, 5):
        model = network()
        Counting.runs = 0
        randomised.cascade(GradCAM(), model, images(), target="site", steps=steps, draws=1)
        traces.append(Counting.runs)
        Counting.runs = 0
        randomised.cascade(GradCAM(), model, images(), target="site", steps=steps, seed=1)
        assert Counting.runs == 0
    assert traces[0] == traces[1] > 0


def check_norms_fit_what_they_are_given():
    model, shown = network(), images()
    groups = parts.groups(model, 1)
    drawn = [layer for _, layer in groups[0]]
    randomised.shuffled(drawn, np.random.default_rng(0))
    norms.settle(model, drawn, shown)
    backbone = model.get_layer("backbone")
    for norm in (backbone.get_layer("first_norm"), backbone.get_layer("second_norm")):
        given = np.asarray(keras.Model(backbone.inputs, norm.input).predict(shown, verbose=0), np.float64)
        np.testing.assert_allclose(norm.moving_mean, given.mean(axis=(0, 1, 2)), atol=1e-5)
        np.testing.assert_allclose(norm.moving_variance, given.var(axis=(0, 1, 2)), rtol=1e-4, atol=1e-7)


def check_half_precision():
    for policy in ("mixed_float16", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = network()
        finally:
            keras.config.set_dtype_policy("float32")
        before = weights(model)
        drawn = randomised.cascade(GradCAM(), model, images(), target="age", steps=2, draws=2)
        assert drawn.random.dtype == np.float32
        assert np.isfinite(drawn.random).all()
        assert weights(model) == before


CHECKS = (check_restored, check_traced_once, check_norms_fit_what_they_are_given, check_half_precision)

if __name__ == "__main__":
    for check in CHECKS:
        check()
