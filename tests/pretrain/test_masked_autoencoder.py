"""The masked autoencoder: what the encoder is given, and that a classifier gets exactly what was learnt."""

import keras
import numpy as np
import pytest
from keras import ops
from masked_checks import arrays, autoencoder, cnn, noise, transformer

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.models import build, names, transfer
from medtf.models.vit.positions import sin_cos
from medtf.pretrain import token_decoder
from medtf.pretrain.masked_autoencoder import Pretraining
from medtf.schema_pretrain import Pretrain


@pytest.mark.parametrize(("pool", "first"), [("gap", 0), ("token", 1)])
@pytest.mark.parametrize(("mask", "visible"), [(0.5, 3), (0.84, 1)])
def test_the_blocks_are_given_the_visible_patches_alone(pool, first, mask, visible):
    made = autoencoder(transformer(pool), mask=mask)
    lengths = []
    of = made.encoder.get_layer
    attention = of("block_0_attention")
    whole = attention.call
    attention.call = lambda query, *rest, **more: lengths.append(query.shape[1]) or whole(query, *rest, **more)
    outcome = made.attempt(noise(), training=False)
    assert lengths == [visible + first]
    assert outcome["prediction"].shape == (3, 6, 8 * 8 * 2)


def test_visible_tokens_are_those_of_the_whole_image():
    """Taken before the first block, they know their pixels and their places."""
    made, images = autoencoder(), noise()
    given = {}
    made.seen = lambda tokens: given.setdefault("tokens", tokens)
    made.attempt(images, training=False)
    whole = keras.Model(made.encoder.inputs[0], made.encoder.get_layer("positions").output)(images)
    ids = ops.convert_to_numpy(made.draw(images, training=False)[0])
    expected = np.take_along_axis(ops.convert_to_numpy(whole), ids[..., None], axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(given["tokens"]), expected, atol=1e-6)


@pytest.mark.parametrize("class_token", [False, True])
def test_the_decoder_puts_tokens_back_in_place(class_token):
    """Places 0 to 3 of a 2 x 2 grid have ranks 2, 0, 3, 1; two tokens are visible: place 1 has the first, place 3 the second."""
    layer = token_decoder.Restored((2, 2), class_token=class_token)
    tokens = np.array([[[9.0] * 4] * class_token + [[1.0] * 4, [2.0] * 4]], "float32")
    found = ops.convert_to_numpy(layer(tokens, np.array([[2, 0, 3, 1]], "int32")))
    empty = ops.convert_to_numpy(layer.token)[0, 0]
    expected = sin_cos(2, 2, 4)[0] + np.stack([empty, np.ones(4), empty, np.full(4, 2.0)])
    np.testing.assert_allclose(found[0, int(class_token) :], expected, atol=1e-6)
    if class_token:
        np.testing.assert_array_equal(found[0, 0], [9] * 4)


@pytest.mark.parametrize(("width", "heads"), [(512, 16), (256, 8), (384, 12), (32, 1), (8, 1), (72, 2), (100, 2)])
def test_heads_are_32_wide_or_a_little_more(width, heads):
    assert token_decoder.heads(width) == heads


def test_the_encoder_learns_in_place_and_the_classifier_gets_it(tmp_path, monkeypatch):
    """Weights are equal before saving and after loading into a network with a head; so are the features."""
    monkeypatch.setitem(names.TRANSFORMERS, "tiny", (16, 2, 2, 8))
    network = Model(name="tiny", weights="none", dropout=0)
    encoder = build.encoder(network, (16, 24, 2))
    fresh = [np.array(weight) for weight in encoder.get_weights()]
    made = autoencoder(encoder)
    made.compile(keras.optimizers.Adam(1e-3), jit_compile=False)
    made.fit(noise(), epochs=1, verbose=0)
    assert any((one != other).any() for one, other in zip(fresh, encoder.get_weights(), strict=True))
    encoder.save(tmp_path / "model.keras")
    classifier = build.build(network, (16, 24, 2), {"view": Target(kind="binary")})
    transfer.load(classifier, str(tmp_path / "model.keras"))
    for layer in encoder.layers:
        for one, other in zip(layer.get_weights(), classifier.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=layer.name)
    features = keras.Model(classifier.inputs[0], classifier.get_layer("gap").output)
    np.testing.assert_allclose(
        ops.convert_to_numpy(features(noise())), ops.convert_to_numpy(encoder(noise())), atol=1e-6
    )


def test_every_weight_of_the_blocks_learns():
    """What the encoder has is used: each weight moves in a step, with a class token too."""
    made = autoencoder(transformer("token"))
    before = {weight.path: np.array(weight) for weight in made.trainable_weights}
    made.compile(keras.optimizers.SGD(1.0), jit_compile=False)
    made.train_on_batch(noise())
    still = [weight.path for weight in made.trainable_weights if (np.array(weight) == before[weight.path]).all()]
    # softmax does not change when all keys move alike, so a bias of keys learns nothing but rounding
    assert not [path for path in still if not path.endswith("key/bias")]
    assert len({id(weight) for weight in made.weights}) == len(made.weights)


@pytest.mark.slow
def test_a_compiled_step_counts_and_is_finite():
    made = autoencoder()
    made.compile(keras.optimizers.AdamW(1e-3), jit_compile=True)
    history = made.fit(noise(5), batch_size=3, epochs=1, verbose=0, validation_data=(noise(2),)).history
    assert made.jit_compile is True
    assert np.isfinite([*history["loss"], *history["val_loss"]]).all()
    assert int(made.masks.step) == 2  # batches of 3 and 2; validation does not count


def test_drop_path_is_as_the_encoder_says_and_in_training_alone():
    image = keras.Input((16, 24, 2), name="image")
    names.TRANSFORMERS["tiny"] = (16, 2, 2, 8)
    try:
        from medtf.models.vit import vit

        made = autoencoder(keras.Model(image, vit.features(image, "tiny", drop_path=0.9)))
    finally:
        del names.TRANSFORMERS["tiny"]
    calm = [arrays(made(noise(), training=False))["prediction"] for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    state = made.encoder.get_layer("block_1_drop_path_1").seed_generator.state
    before = np.array(state)
    made(noise(), training=True)
    assert (np.array(state) != before).any()


def test_a_cnn_is_refused_with_what_is_for_it():
    with pytest.raises(AskedWronglyError, match=r"is for vision transformers .*; for this network: masked_cnn"):
        Pretraining(cnn(), Pretrain(task="masked_autoencoder"))
