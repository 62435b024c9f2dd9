"""Where places look: published receptive fields, windows counted by hand, and the slope of real layers."""

import keras
import numpy as np
import pytest
from keras import layers

from medtf.config import parse
from medtf.explain import fields
from medtf.explain.enlarge import enlarged, weights
from medtf.explain.grad_cam import GradCAM
from medtf.models import build


def last(name: str, size: int):
    config = parse(
        {"pipeline": "table", "targets": {"any": "binary"}, "model": {"name": name}, "input": {"size": size}}
    )
    model = build.build(config.model, (size, size, 1), config.targets)
    pooled = next(one for one in model.layers if one.name == "gap")
    return pooled._inbound_nodes[0].input_tensors[0]._keras_history.operation, model.output["any"]


@pytest.mark.parametrize(
    ("name", "size", "field", "padding"), [("mobilenet", 224, 315, 126), ("inception_v3", 299, 1311, 618)]
)
def test_published_fields(name, size, field, padding):
    """Araujo 2019, Distill, table of networks: size of the field and effective padding; its middle is at (field - 1) / 2 - padding, its stride 32."""
    assert fields.centres(*last(name, size)) == (((field - 1) / 2 - padding, 32),) * 2


@pytest.mark.parametrize(
    ("layer", "side", "first", "step"),
    [
        (layers.Conv2D(1, 3, strides=2, padding="same"), 8, 1, 2),  # an even side: the one odd pixel is padded behind
        (layers.Conv2D(1, 3, strides=2, padding="same"), 9, 0, 2),  # an odd one: one pixel on either side
        (layers.Conv2D(1, 3, strides=2), 9, 1, 2),
        (layers.Conv2D(1, 3, dilation_rate=2), 9, 2, 1),
        (layers.MaxPooling2D(2), 8, 0.5, 2),
        (layers.ZeroPadding2D(((2, 1), (2, 1))), 8, -2, 1),
        (layers.Cropping2D(((2, 1), (2, 1))), 8, 2, 1),
    ],
)
def test_one_layer(layer, side, first, step):
    image = keras.Input((side, side, 1))
    layer = layer.__class__.from_config(layer.get_config())
    assert fields.centres(layer, layer(image)) == ((first, step),) * 2


@pytest.mark.parametrize("shape", [(33, 40, 1), (21, 24, 18, 1)])
def test_the_slope_of_a_place_has_its_middle_there(shape):
    """Kernels of ones: what one place sees of the input is symmetric about the middle of its field, away from the borders."""
    dimensions = len(shape) - 1
    conv, pool = (
        (layers.Conv2D, layers.AveragePooling2D) if dimensions == 2 else (layers.Conv3D, layers.AveragePooling3D)
    )
    image = keras.Input(shape)
    inner = keras.Sequential([keras.Input(shape), conv(1, 3, strides=2, padding="same", kernel_initializer="ones")])
    x = pool(2)(inner(image))
    x = layers.Add()([conv(1, 3, padding="same", kernel_initializer="ones")(x), x])
    end = layers.ReLU()
    model = keras.Model(image, end(x))
    found = fields.centres(end, model.output)
    weights_of = _linear(model, shape)
    place = tuple(side // 2 for side in weights_of.shape[:dimensions])
    mass = np.abs(weights_of[place])
    for axis, (first, step) in enumerate(found):
        along = mass.sum(axis=tuple(i for i in range(dimensions) if i != axis))
        assert (along * np.arange(len(along))).sum() / along.sum() == pytest.approx(
            first + step * place[axis], abs=1e-4
        )


def _linear(model, shape):
    """What each place of the output has of each pixel, by asking for one pixel at a time: (*places, *pixels)."""
    pixels = int(np.prod(shape))
    units = np.eye(pixels, dtype=np.float32).reshape(pixels, *shape)
    out = np.concatenate([model.predict_on_batch(units[at : at + 512]) for at in range(0, pixels, 512)])[..., 0]
    return np.moveaxis(out, 0, -1).reshape(*out.shape[1:], *shape[:-1])


def test_squeeze_and_excitation_does_not_hide_the_way():
    image = keras.Input((16, 16, 2))
    x = layers.Conv2D(4, 3, strides=2)(image)
    gate = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D()(x)))
    end = layers.Multiply()
    assert fields.centres(end, end([x, gate])) == ((1, 2),) * 2


def test_what_is_not_known_is_not_guessed():
    image = keras.Input((8, 8, 1))
    shuffled = layers.Reshape((4, 4, 4))(image)
    end = layers.ReLU()
    assert fields.centres(end, end(shuffled)) is None
    turned = layers.Permute((2, 1, 3))(image)  # the same sides, other places
    end = layers.ReLU()
    assert fields.centres(end, end(turned)) is None
    open_sides = keras.Input((None, None, 1))
    conv = layers.Conv2D(1, 3)
    assert fields.centres(conv, conv(open_sides)) is None


def test_a_map_is_put_where_its_places_look():
    """Places at pixels 1, 3, 5 of 8: pixel 2 lies half way between the first two, pixel 0 before the first, 7 behind the last."""
    maps = keras.ops.convert_to_tensor(np.array([[1.0, 2.0, 4.0]], np.float32))
    assert np.asarray(enlarged(maps, (8,), ((1.0, 2.0),))).tolist() == [[1, 1, 1.5, 2, 3, 4, 4, 4]]
    np.testing.assert_allclose(weights(3, 8, (1.0, 2.0)).sum(axis=1), 1)


def test_the_hottest_pixel_is_under_a_small_square():
    """A network that sees one square pixel through three strides of 2: stretched, its map points 3 pixels off; by its fields, at the square."""
    image = keras.Input((64, 64, 1))
    x = image
    for _ in range(3):
        x = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones", use_bias=False)(x)
    model = keras.Model(image, layers.Dense(1, kernel_initializer="ones")(layers.GlobalAveragePooling2D()(x)))
    picture = np.zeros((1, 64, 64, 1), np.float32)
    picture[0, 39, 23] = 1  # the middle of the field of place (4, 2): 7 + 8 i
    found = {fields: GradCAM(fields=fields).heatmap(picture, model)[0] for fields in (True, False)}
    assert np.unravel_index(found[True].argmax(), (64, 64)) == (39, 23)
    assert found[False][39, 23] < 0.8
