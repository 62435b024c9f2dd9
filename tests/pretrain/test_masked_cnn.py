"""Masked image modelling with a CNN: holes, skips found in the graph of real backbones, the decoder's way back to the image."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from masked_checks import cnn, masked_cnn, noise, transformer

from medtf.config import Model
from medtf.errors import AskedWronglyError
from medtf.models import build
from medtf.pretrain import unet_decoder

# the ends of the stages, by the names in keras.applications: sides at 64 pixels (Inception, without padding: 80)
STAGES = {
    "mobilenet_v2": (
        64,
        ["block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu", "block_13_expand_relu", "out_relu"],
    ),
    "resnet50_v2": (64, ["conv1_conv", "conv2_block2_out", "conv3_block3_out", "conv4_block5_out", "post_relu"]),
    "densenet121": (64, ["conv1_relu", "pool2_conv", "pool3_conv", "pool4_conv", "relu"]),
    "inception_v3": (80, ["activation_2", "activation_4", "mixed2", "mixed7", "mixed10"]),
}
QUICK = "mobilenet_v2"


def test_a_hole_has_the_mean_of_what_is_visible():
    """Visible 1, 2, 3 and 6 in the first channel: 3. Hidden pixels, 100, do not count."""
    made = masked_cnn(cnn((4, 4, 1)), square=2)
    image = np.full((1, 4, 4, 1), 100, "float32")
    image[0, :2, :2, 0] = [[1, 2], [3, 6]]
    hidden = np.ones((1, 4, 4, 1), "float32")
    hidden[0, :2, :2] = 0
    found = ops.convert_to_numpy(made.given(image, hidden))[0, :, :, 0]
    np.testing.assert_allclose(found, [[1, 2, 3, 3], [3, 6, 3, 3], [3, 3, 3, 3], [3, 3, 3, 3]])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == QUICK else pytest.mark.slow) for name in STAGES]
)
def test_skips_are_the_ends_of_the_stages(name):
    side, expected = STAGES[name]
    encoder = build.encoder(Model(name=name, weights="none"), (side, side, 1))
    skips = unet_decoder.skips_model(encoder)
    assert [tensor._keras_history.operation.name for tensor in skips.outputs] == expected
    decoder = unet_decoder.Decoder(encoder, 1)
    image = decoder(skips(noise(1, (side, side, 1))))
    assert image.shape == (1, side, side, 1)
    assert np.isfinite(ops.convert_to_numpy(image)).all()


def test_a_skip_is_no_branch_and_no_padding():
    """Stride 2 ends with `end`, before the branches whose sum has stride 4; the padded map after it is not taken."""
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="early")(image)
    x = end = layers.Conv2D(4, 3, padding="same", name="end")(x)
    padded = layers.ZeroPadding2D(1, name="padded")(x)
    one = layers.Conv2D(8, 3, strides=2, name="branch")(padded)
    thin = layers.Conv2D(2, 1, name="thin")(end)
    other = layers.Conv2D(8, 1, strides=2, name="other")(thin)
    x = layers.Add(name="sum")([one, other])
    encoder = keras.Model(image, layers.GlobalAveragePooling2D(name="gap")(x))
    found = [tensor._keras_history.operation.name for tensor in unet_decoder.skips_model(encoder).outputs]
    assert found == ["end", "sum"]


def test_the_way_back_keeps_its_place():
    """2 x 2 becomes 4 x 4; what is too wide is cut, what is too narrow filled, evenly."""
    maps = np.array([[1, 2], [3, 4]], "float32")[None, :, :, None]
    doubled = ops.convert_to_numpy(unet_decoder.enlarged(maps, 2, (4, 4)))[0, :, :, 0]
    np.testing.assert_array_equal(doubled, [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    cut = ops.convert_to_numpy(unet_decoder.enlarged(maps, 2, (2, 6)))[0, :, :, 0]
    np.testing.assert_array_equal(cut, [[0, 1, 1, 2, 2, 0], [0, 3, 3, 4, 4, 0]])


def test_decoder_weights_are_there_before_the_first_image():
    decoder = unet_decoder.Decoder(cnn(), 2)
    count = len(decoder.weights)
    decoder(unet_decoder.skips_model(cnn())(noise()))
    assert len(decoder.weights) == count > 0


def test_encoder_layers_are_shared_and_each_learns():
    encoder = cnn()
    before = [np.array(weight) for weight in encoder.get_weights()]
    made = masked_cnn(encoder)
    assert made.encoder is encoder
    assert len({id(weight) for weight in made.weights}) == len(made.weights)
    made.compile(keras.optimizers.SGD(0.1), jit_compile=True)
    made.train_on_batch(noise())
    assert made.jit_compile is True
    assert all((one != other).any() for one, other in zip(before, encoder.get_weights(), strict=True))


def test_what_it_cannot_do_is_said():
    with pytest.raises(
        AskedWronglyError, match=r"is for 2D CNNs.*; for vision transformers: pretrain.task: masked_autoencoder"
    ):
        masked_cnn(transformer())
    with pytest.raises(AskedWronglyError, match=r"pretrain\.square 7 does not divide images of 16 x 24 pixels: 8 does"):
        masked_cnn(square=7)
