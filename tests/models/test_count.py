"""Parameters and multiply-adds, counted by hand."""

import itertools

import keras
import pytest
from keras import layers

from medtf.errors import AskedWronglyError
from medtf.models import count
from medtf.models.names import BACKBONES, PAPERS, TRANSFORMERS, VOLUME_BACKBONES


def model(shape, *stack):
    x = image = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("shape", "stack", "expected"),
    [
        # positions of the outcome x kernel x channels in x channels out
        ((8, 10, 12, 2), [layers.Conv3D(5, 3, padding="same")], 8 * 10 * 12 * 27 * 2 * 5),
        ((8, 10, 12, 2), [layers.Conv3D(5, 3)], 6 * 8 * 10 * 27 * 2 * 5),
        ((8, 10, 12, 2), [layers.Conv3D(5, (1, 3, 3), strides=2, padding="same")], 4 * 5 * 6 * 9 * 2 * 5),
        ((8, 8, 8, 2), [layers.Conv3D(5, 3, dilation_rate=2, padding="same")], 512 * 27 * 2 * 5),
        ((8, 8, 6), [layers.Conv2D(4, 3, groups=2, padding="same")], 64 * 9 * 3 * 4),
        ((8, 8, 6), [layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")], 64 * 9 * 6 * 2),
        ((8, 8, 6), [layers.SeparableConv2D(10, 3, padding="same")], 64 * (9 * 6 + 6 * 10)),
        ((7,), [layers.Dense(5), layers.Dense(3)], 7 * 5 + 5 * 3),
        ((4, 4, 7), [layers.Dense(5)], 16 * 7 * 5),  # on every position
        ((8, 8, 6), [layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten()], 0),
        ((8, 8, 6), [model((8, 8, 6), layers.Conv2D(4, 1)), layers.Flatten(), layers.Dense(2)], 64 * 6 * 4 + 64 * 4 * 2),
    ],
    ids=lambda value: "" if isinstance(value, (tuple, int)) else "+".join(type(layer).__name__ for layer in value),
)  # fmt: skip
def test_multiply_adds_by_hand(shape, stack, expected):
    assert count.multiply_adds(model(shape, *stack)) == expected


def test_parameters_leave_out_moving_averages():
    counted = model((8, 8, 8, 1), layers.Conv3D(4, 3, use_bias=False), layers.BatchNormalization())
    assert count.parameters(counted) == 27 * 4 + 2 * 4
    assert counted.count_params() == 27 * 4 + 4 * 4


def test_cnn3d_by_hand():
    found = count.size_of("cnn3d", 32)
    widths = [1, 16, 32, 64, 128, 128]
    pairs = list(itertools.pairwise(widths))
    assert found.parameters == sum(27 * a * b + 2 * b for a, b in pairs) + 128 + 1
    assert found.multiply_adds == sum((32 >> i) ** 3 * 27 * a * b for i, (a, b) in enumerate(pairs)) + 128
    assert (found.dimensions, found.side) == (3, 32)


def test_mobilenet_is_as_published():
    """Howard 2017, table 4: 4.2 million parameters and 569 million multiply-adds at 224, with 1000 classes in place of one output."""
    found = count.size_of("mobilenet")
    assert found.side == 224
    assert round((found.parameters + 999 * 1025) / 1e6, 1) == 4.2
    assert round((found.multiply_adds + 999 * 1024) / 1e6) == 569


def test_a_network_that_is_too_small_is_told_and_all_have_a_paper():
    with pytest.raises(AskedWronglyError, match=r"input.size 16 x 16 x 16 is too small for sfcn"):
        count.size_of("sfcn", 16)
    with pytest.raises(AskedWronglyError, match=r"input.size 16 x 16 is too small for xception"):
        count.size_of("xception", 16)
    assert set(PAPERS) == {*BACKBONES, *TRANSFORMERS, *VOLUME_BACKBONES}
