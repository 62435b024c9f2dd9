"""Attention rollout: the product of all layers' attention in NumPy, with and without a class token, flash attention off the while."""

import keras
import numpy as np
import pytest
from explain_networks import images_of, made, resized
from keras import layers

from medtf.errors import AskedWronglyError
from medtf.explain.attention_rollout import AttentionRollout


def rolled(model, images, blocks=2) -> np.ndarray:
    """Abnar and Zuidema 2020, equation 1, with NumPy's softmax on query and key of each layer: (batch, tokens, tokens)."""
    product = None
    for block in range(blocks):
        attention = model.get_layer(f"block_{block}_attention")
        tokens = np.asarray(keras.Model(model.inputs, model.get_layer(f"block_{block}_norm_1").output)(images))
        query, key = (
            np.einsum("btw,whd->bhtd", tokens, dense.get_weights()[0]) + dense.get_weights()[1][:, None]
            for dense in (attention._query_dense, attention._key_dense)
        )
        scores = np.einsum("bhtd,bhsd->bhts", query, key) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares = (shares / shares.sum(axis=-1, keepdims=True)).mean(axis=1)
        shares = 0.5 * shares + 0.5 * np.eye(shares.shape[-1])
        product = shares if product is None else shares @ product
    return product


@pytest.mark.parametrize("kind", ["patches", "class token"])
def test_it_is_the_product_of_all_layers(kind):
    model, images = made(kind), images_of(kind)
    model.set_weights([4 * one for one in model.get_weights()])  # attention that is not even
    rows = rolled(model, images)
    np.testing.assert_allclose(rows.sum(axis=-1), 1, rtol=1e-5)
    row = rows[:, 0, 1:] if kind == "class token" else rows.mean(axis=1)
    expected = resized(row.reshape(-1, 4, 4), (16, 16))
    found = AttentionRollout().relevance(images, model)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for asked in ({"class_index": 2}, {"class_index": 0, "against": True}):
        np.testing.assert_array_equal(AttentionRollout().relevance(images, model, **asked), found)


def test_flash_attention_is_off_the_while_and_on_again():
    """A layer that never has its attention whole is asked for it; afterwards it is as it was."""
    model, images = made("patches"), images_of("patches")
    expected = AttentionRollout().heatmap(images, model)
    fast = made("patches")
    for block in range(2):
        fast.get_layer(f"block_{block}_attention")._flash_attention = True
    np.testing.assert_array_equal(AttentionRollout().heatmap(images, fast), expected)
    assert fast.get_layer("block_1_attention")._flash_attention is True


class Block(layers.Layer):
    """Attention inside of a layer, as libraries of transformers have it."""

    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 4)

    def call(self, tokens):
        output, _ = self.attention(tokens, tokens, return_attention_scores=True)
        return tokens + output


class Patches(layers.Layer):
    """Patches cut inside of a layer, so that no layer of the graph has them as a grid; one token in front."""

    def __init__(self):
        super().__init__()
        self.embedding = layers.Conv2D(8, 4, strides=4)

    def call(self, images):
        tokens = keras.ops.reshape(self.embedding(images), (-1, 16, 8))
        return keras.ops.concatenate([keras.ops.ones_like(tokens[:, :1]), tokens], axis=1)


def test_attention_inside_of_other_layers():
    """The grid of patches is then that of the image's own shape, and Grad-CAM looks before the last block."""
    from medtf.explain import layers as found_layers
    from medtf.explain.grad_cam import GradCAM

    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 1))
    x = Block()(Block()(Patches()(image)))
    model = keras.Model(image, layers.Dense(2)(x[:, 0]))
    images = images_of("patches")
    found = found_layers.find(model)
    assert (found.layer, found.grid, found.leading) == (model.layers[2], (4, 4), 1)
    assert AttentionRollout().heatmap(images, model).shape == (3, 16, 16)
    maps = [GradCAM().heatmap(images, model, class_index=0, against=against) for against in (False, True)]
    assert np.maximum(*maps).max() == 1


def test_a_network_without_attention_is_refused():
    with pytest.raises(
        AskedWronglyError, match=r"flat: no layer of attention .* it is for transformers; take grad-cam"
    ):
        AttentionRollout().heatmap(images_of("flat"), made("flat"))


def test_attention_to_something_else_is_refused():
    """Patches that attend to four learnt tokens: no product of squares."""
    image = keras.Input((16, 16, 1))
    x = layers.Reshape((16, 8))(layers.Conv2D(8, 4, strides=4)(image))
    few = layers.AveragePooling1D(4)(x)
    x = layers.MultiHeadAttention(2, 4)(x, few)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)), name="crossed")
    with pytest.raises(AskedWronglyError, match="crossed: attention between 16 and 4 tokens where it has 16"):
        AttentionRollout().heatmap(images_of("patches"), model)
