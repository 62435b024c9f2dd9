"""Transformer blocks: against NumPy in float64, on some of the tokens, in half precision."""

import math

import keras
import numpy as np
import pytest
from layers import compiled, numpy
from network_checks import policy

from medtf.models.vit.blocks import layers_of, through

WIDTH, BLOCKS, HEADS = 12, 2, 3


def stack(**options):
    """Layers of a small stack, built, every weight another."""
    keras.utils.set_random_seed(0)
    made = layers_of(WIDTH, BLOCKS, HEADS, **options)
    through(keras.Input((None, WIDTH)), made.__getitem__, BLOCKS, prefix=options.get("prefix", ""))
    generator = np.random.default_rng(1)
    for layer in made.values():
        layer.set_weights([w + 0.3 * generator.normal(size=w.shape) for w in layer.get_weights()])
    return made


def tokens(count=5, batch=2):
    return np.random.default_rng(2).normal(size=(batch, count, WIDTH)).astype("float32")


def weights(layer):
    return [np.asarray(w, "float64") for w in layer.get_weights()]


def normalised(x, layer):
    scale, shift = weights(layer)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + shift


def attended(x, layer):
    """Each head: softmax(q k' / sqrt(d)) v; then the heads side by side through the output's matrix."""
    query, key, value, output = (
        weights(part) for part in (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense)
    )
    heads = []
    for head in range(HEADS):
        q, k, v = (x @ kernel[:, head] + bias[head] for kernel, bias in (query, key, value))
        scores = np.exp(q @ k.swapaxes(1, 2) / math.sqrt(WIDTH // HEADS))
        heads.append(scores / scores.sum(-1, keepdims=True) @ v @ output[0][head])
    return sum(heads) + output[1]


def perceived(x, one, other):
    hidden = x @ weights(one)[0] + weights(one)[1]
    hidden = hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
    return hidden @ weights(other)[0] + weights(other)[1]


def by_numpy(x, made):
    x = x.astype("float64")
    for name in (f"block_{block}_" for block in range(BLOCKS)):
        x = x + attended(normalised(x, made[name + "norm_1"]), made[name + "attention"])
        x = x + perceived(normalised(x, made[name + "norm_2"]), made[name + "mlp_1"], made[name + "mlp_2"])
    return normalised(x, made["norm"])


def test_blocks_give_the_numbers_of_numpy():
    made = stack()
    np.testing.assert_allclose(
        numpy(through(tokens(), made.__getitem__, BLOCKS)), by_numpy(tokens(), made), atol=1e-5, rtol=1e-5
    )


def test_some_tokens_alone_are_as_all_of_them_with_the_others_out_of_sight():
    """What the masked autoencoder relies on: a subset goes through the same layers, as if the others had never been."""
    made, x, there = stack(), tokens(6), [0, 2, 5]
    alone = numpy(through(x[:, there], made.__getitem__, BLOCKS))
    seen = np.zeros((2, 6, 6), bool)
    seen[:, :, there] = True

    def layer(name):
        if not name.endswith("attention"):
            return made[name]
        return lambda query, value: made[name](query, value, attention_mask=seen)

    masked = numpy(through(x, layer, BLOCKS))
    np.testing.assert_allclose(alone, masked[:, there], atol=1e-5, rtol=1e-5)
    every = numpy(through(x, made.__getitem__, BLOCKS))
    assert np.abs(every[:, there] - alone).max() > 0.01, "the others must count where they are seen"


def test_the_order_of_the_tokens_says_nothing_by_itself():
    made, x, order = stack(), tokens(), [3, 0, 4, 1, 2]
    whole = numpy(through(x, made.__getitem__, BLOCKS))
    np.testing.assert_allclose(numpy(through(x[:, order], made.__getitem__, BLOCKS)), whole[:, order], atol=1e-5)


def test_layers_are_called_after_their_place():
    expected = []
    for i in (0, 1):
        names = "norm_1 attention drop_path_1 add_1 norm_2 mlp_1 gelu mlp_2 drop_path_2 add_2"
        expected += [f"decoder_block_{i}_{name}" for name in names.split()]
    made = stack(prefix="decoder_")
    assert list(made) == [*expected, "decoder_norm"]
    assert [layer.name for layer in made.values()] == list(made)


def test_drop_path_rises_evenly_and_no_two_layers_drop_alike():
    made = layers_of(8, 3, 2, drop_path=0.4)
    rates = [made[f"block_{i}_drop_path_{k}"].rate for i in range(3) for k in (1, 2)]
    assert rates == pytest.approx([0, 0, 0.2, 0.2, 0.4, 0.4])
    both = [*made.values(), *layers_of(8, 3, 2, drop_path=0.4, prefix="decoder_").values()]
    drawn = [
        tuple(numpy(layer(np.ones((64, 1, 1), "float32"), training=True)).ravel() == 0)
        for layer in both
        if getattr(layer, "rate", 0)
    ]
    assert len(set(drawn)) == len(drawn) == 8


def test_training_drops_and_judgement_does_not():
    """With a rate near 1 in the last block only what went around it is left, but for the few that are kept."""
    made, x = stack(drop_path=0.999), tokens(batch=64)
    first = numpy(through(x, made.__getitem__, 1))  # the first block's rate is 0; then the end's normalisation
    training = keras.Sequential([keras.Input((5, WIDTH)), Whole(made)])
    same = np.isclose(numpy(training(x, training=True)), first, atol=1e-4).all(axis=(1, 2))
    assert same.mean() > 0.9
    np.testing.assert_allclose(
        numpy(training(x, training=False)), numpy(through(x, made.__getitem__, BLOCKS)), atol=1e-5
    )


class Whole(keras.layers.Layer):
    """A stack inside another layer, as a proxy task has it: `training` must reach the stack."""

    def __init__(self, made):
        super().__init__()
        self.made = made

    def call(self, x):
        return through(x, self.made.__getitem__, BLOCKS)


def test_weights_start_as_published():
    """He 2022: Xavier-uniform, of a matrix of width x width for each of query, key, value and output: sqrt(6 / 2 width)."""
    keras.utils.set_random_seed(0)
    made = layers_of(96, 1, 3)
    through(keras.Input((4, 96)), made.__getitem__, 1)
    attention = made["block_0_attention"]
    parts = (attention.query_dense, attention.key_dense, attention.value_dense, attention.output_dense)
    starts = [np.asarray(part.kernel) for part in parts]
    limits = [math.sqrt(6 / 192)] * 4 + [math.sqrt(6 / (96 + 384))] * 2
    starts += [np.asarray(made[f"block_0_mlp_{i}"].kernel) for i in (1, 2)]
    for start, limit in zip(starts, limits, strict=True):
        assert 0.99 * limit < np.abs(start).max() <= limit
        assert start.std() == pytest.approx(limit / math.sqrt(3), rel=0.03)
    assert len({start.ravel()[0] for start in starts}) == 6, "two matrices start alike"
    assert all((np.asarray(part.bias) == 0).all() for part in parts)


def test_a_width_that_heads_do_not_share_is_refused():
    with pytest.raises(ValueError, match=r"`width`: expected a multiple of the 3 heads, got 16"):
        layers_of(16, 1, 3)


@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_near_and_survives_what_softmax_and_mean_squares_would_not(name):
    made, x = stack(), tokens()
    with policy(name):
        half = stack()
    expected = numpy(through(x, made.__getitem__, BLOCKS))
    found = through(x, half.__getitem__, BLOCKS)
    assert keras.backend.standardize_dtype(found.dtype) == name.removeprefix("mixed_")
    assert np.abs(numpy(found) - expected).mean() < 0.03
    # squares of 500 are beyond float16, and so is exp of scores above 11
    far = through(x * 500, half.__getitem__, BLOCKS)
    assert np.isfinite(numpy(far)).all()


def test_a_compiled_stack_gives_the_same_numbers():
    made = stack()
    found = compiled(lambda x: through(x, made.__getitem__, BLOCKS))(tokens())
    np.testing.assert_allclose(numpy(found), numpy(through(tokens(), made.__getitem__, BLOCKS)), atol=1e-5)


def test_a_compiled_step_changes_every_weight():
    made, x = stack(drop_path=0.2), tokens(batch=8)
    model = keras.Sequential([keras.Input((5, WIDTH)), Whole(made), keras.layers.Dense(1)])
    before = model.get_weights()
    model.compile("sgd", "mse", jit_compile=True)
    assert math.isfinite(model.train_on_batch(x, np.zeros((8, 5, 1), "float32")))
    assert model.jit_compile
    pairs = zip(model.weights, before, model.get_weights(), strict=True)
    still = [weight.path for weight, a, b in pairs if (a == b).all()]
    assert all(path.endswith("key/bias") for path in still), still  # softmax does not see it: the same for every key
