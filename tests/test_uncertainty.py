"""Passes with dropout left on and over changed images: what differs, and what must not."""

import importlib.util
import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import small_runs

from medtf import pipeline, predictions
from medtf.config import Config, Target
from medtf.errors import AskedWronglyError
from medtf.evaluate import answers
from medtf.uncertainty import Passes, with_dropout

BINARY = {"sick": Target(kind="binary")}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Root, config and the table of its test fold."""
    root = small_runs.pictures(tmp_path_factory.mktemp("pictures"))
    config = small_runs.settings()
    return root, config, predictions.of_fold(small_runs.table_of(root, config), "test")


def images(count=6, shape=(32, 32, 1)):
    return np.random.default_rng(0).random((count, *shape), dtype=np.float32)


def predict(made, model, config=None, **passes):
    root, usual, table = made
    config = config or usual
    return predictions.predict(model, table, root, config, pipeline.find(config.pipeline), **passes)


def test_only_dropout_differs_between_passes():
    """On dropout's own terms: each pass is the head of features of which some are 0 and the others doubled (rate 0.5)."""
    model = small_runs.network(BINARY, dropout=0.5)
    found = Passes(model, small_runs.settings(), mc_dropout=200)(images())[1]["mc"]["sick"]
    features = keras.Model(model.input, model.layers[-4].output)  # pooled
    assert isinstance(model.layers[-3], keras.layers.Dropout)
    pooled = features.predict(images(), verbose=0)
    weights, bias = model.get_layer("sick_logits").get_weights()
    masks = np.array([[int(bit) for bit in f"{n:08b}"] for n in range(256)])  # all that dropout of 8 features can do
    possible = 1 / (1 + np.exp(-(2 * masks[:, None] * pooled @ weights + bias)))[..., 0]  # (256, 6)
    for example in range(6):
        off = np.abs(found[:, example] - possible[:, example][None]).min(axis=1)
        assert off.max() < 1e-5
    assert (found.std(axis=0) > 0).all()


def test_the_spread_of_a_linear_head_is_that_of_the_binomial():
    """Dropout of rate q scales what stays by 1 / (1 - q): the value's variance is q / (1 - q) times the sum of (w x)^2."""
    rate, target = 0.3, Target(kind="regression")
    model = small_runs.network({"age": target}, dropout=rate)
    found = Passes(model, small_runs.settings(), mc_dropout=4_000)(images())[1]["mc"]["age"]
    pooled = keras.Model(model.input, model.layers[-4].output).predict(images(), verbose=0)
    weights, _ = model.get_layer("age_logits").get_weights()
    expected = np.sqrt(rate / (1 - rate) * ((pooled * weights[:, 0]) ** 2).sum(axis=1))
    columns = answers.summary(found, "age", target, "mc")
    np.testing.assert_allclose(columns["age_mc_sd"], expected, rtol=0.06)  # a deviation of 4,000 draws is known to 2 %
    plain = model.predict(images(), verbose=0)["age"][:, 0]
    np.testing.assert_allclose(columns["age_mc"], plain, atol=5 * expected.max() / np.sqrt(4_000))
    apart = np.corrcoef(found[..., 0].T)[~np.eye(6, dtype=bool)]
    assert np.abs(apart).max() < 0.1, "examples share a mask"


def test_batch_normalisation_stays_as_in_judgement():
    """Statistics of the batch would tie the examples together: each one's passes do not depend on its neighbours."""
    model = small_runs.network(BINARY, dropout=1e-9)  # left on, and dropping nothing
    batch = images()
    whole = Passes(model, small_runs.settings(), mc_dropout=3)(batch)[1]["mc"]["sick"]
    np.testing.assert_allclose(whole, np.broadcast_to(model.predict(batch, verbose=0)["sick"], whole.shape), rtol=1e-5)
    before = [w.numpy().copy() for w in model.non_trainable_variables if "moving" in w.path]
    Passes(model, small_runs.settings(), mc_dropout=3)(100 * batch)
    after = [w.numpy() for w in model.non_trainable_variables if "moving" in w.path]
    assert before
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_model_itself_is_left_as_it_was():
    model = small_runs.network(BINARY)
    names, answer = [layer.name for layer in model.layers], model.predict(images(), verbose=0)["sick"]
    Passes(model, small_runs.settings(), mc_dropout=3, tta=3)(images())
    assert [layer.name for layer in model.layers] == names
    np.testing.assert_array_equal(model.predict(images(), verbose=0)["sick"], answer)


@pytest.mark.parametrize("dropout", [None, 0.0])
def test_a_network_without_dropout_is_refused_with_what_to_do(made, dropout):
    model = small_runs.network(made[1].targets, dropout=dropout)
    with pytest.raises(AskedWronglyError, match=r"no dropout layer.*model.dropout above 0.*evaluate.tta"):
        predict(made, model, mc_dropout=5)


@pytest.mark.parametrize("augment", [{}, {"mixup": 0.2, "erase": 0.5}])
def test_an_augment_that_changes_no_image_is_refused_with_what_to_do(made, augment):
    config = small_runs.settings(augment=augment)
    with pytest.raises(AskedWronglyError, match=r"`augment` changes nothing.*augment.flip"):
        predict(made, small_runs.network(config.targets), config, tta=5)


def test_one_seed_one_result_and_another_seed_another(made):
    model = small_runs.network(made[1].targets)
    one, same, other = (predict(made, model, mc_dropout=4, tta=4, seed=seed) for seed in (3, 3, 4))
    assert one.equals(same)
    for column in ("sick_mc", "sick_tta", "age_mc_sd", "site_tta_entropy"):
        assert (one[column] != other[column]).any(), column


def test_the_plain_columns_are_those_without_passes(made):
    model = small_runs.network(made[1].targets)
    plain, more = predict(made, model), predict(made, model, mc_dropout=3, tta=3)
    assert plain.equals(more[list(plain.columns)])
    expected = {f"sick_{key}{end}" for key in ("mc", "tta") for end in ("", "_sd", "_entropy", "_mutual_information")}
    expected |= {
        f"site_{key}_{end}" for key in ("mc", "tta") for end in (0, 1, 2, "sd", "entropy", "mutual_information")
    }
    expected |= {f"age_{key}{end}" for key in ("mc", "tta") for end in ("", "_sd", "_sd_data", "_sd_model")}
    assert set(more) - set(plain) == expected
    assert (more[sorted(expected)].dtypes == np.float32).all()
    assert more[sorted(expected)].notna().all().all()


def test_the_first_of_the_changed_images_is_the_image_itself():
    """A flip of probability 1 and its mean over two passes: half the image, half its mirror."""
    config = small_runs.settings(augment={"flip": 1.0})
    model = small_runs.network(BINARY)
    batch = images()
    found = Passes(model, config, tta=2)(batch)[1]["tta"]["sick"]
    np.testing.assert_array_equal(found[0], model.predict_on_batch(batch)["sick"])
    np.testing.assert_allclose(found[1], model.predict_on_batch(batch[:, :, ::-1])["sick"], rtol=1e-5)


def test_a_network_that_does_not_see_the_change_has_no_spread():
    """Pooling over the whole picture of one pixel's receptive field cannot tell left from right."""
    image = keras.Input((32, 32, 1))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 1)(image))
    model = keras.Model(image, {"sick": keras.layers.Dense(1, activation="sigmoid")(x)})
    found = Passes(model, small_runs.settings(augment={"flip": 0.5}), tta=6)(images())[1]["tta"]["sick"]
    assert found.std(axis=0).max() < 1e-6


def test_dropout_inside_the_network_is_left_on_too():
    """Two branches from one layer, of which one drops: what the other holds is kept from the first part, not computed anew."""
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    y = keras.layers.SpatialDropout2D(0.5)(x)
    y = keras.layers.Add()([keras.layers.Conv2D(4, 1)(y), x])
    y = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(y))
    model = keras.Model(image, {"sick": keras.layers.Dense(1)(y)})
    first, after = with_dropout(model, 0)
    assert len(after.inputs) == 1  # the convolution's outcome, which both branches take
    passes = Passes(model, small_runs.settings(), mc_dropout=8)
    outputs, found = passes(images(3, (8, 8, 1)))
    assert set(outputs) == {"sick"}
    assert found["mc"]["sick"].shape == (8, 3, 1)
    assert (found["mc"]["sick"].std(axis=0) > 0).all()
    kernel = model.layers[1].kernel
    assert any(w is kernel for w in first.weights)
    assert not any(w is kernel for w in after.weights), "computed in every pass"


def test_the_patches_of_a_volume_are_gathered_in_each_pass(made, monkeypatch):
    """What a pass says of a volume is the mean over its patches, weighted by their foreground; the spread is over the passes."""
    root, config, table = made
    table = table.with_frame(table.frame.iloc[:1])
    config = small_runs.settings(targets={"sick": "binary"})
    passes = {"mc": {"sick": np.array([[[0.2], [0.6]], [[0.4], [0.4]]], np.float32)}}  # (2 passes, 2 patches, 1)
    monkeypatch.setattr(
        predictions, "Passes", lambda *_, **__: lambda images: ({"sick": np.array([[0.1], [0.5]])}, passes)
    )
    monkeypatch.setattr(predictions, "rows_of_blocks", lambda *_: np.array([0, 0]))
    module = SimpleNamespace(dataset=lambda *_, **__: [(images(2), {}, np.array([1.0, 3.0]))])
    found = predictions.predict(None, table, root, config, module, mc_dropout=2).iloc[0]
    assert found["sick"] == pytest.approx(0.4)
    assert found["sick_mc"] == pytest.approx(0.45)  # of 0.5 and 0.4
    assert found["sick_mc_sd"] == pytest.approx(0.05)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_networks_of_half_precision_have_passes_too(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = small_runs.network(BINARY)
    finally:
        keras.config.set_dtype_policy("float32")
    outputs, found = Passes(model, small_runs.settings(), mc_dropout=3, tta=3)(images())
    for key in ("mc", "tta"):
        assert found[key]["sick"].dtype == np.float32
        assert (found[key]["sick"].std(axis=0) > 0).all()
    np.testing.assert_array_equal(outputs["sick"], model.predict_on_batch(images())["sick"])


def test_volumes_are_changed_as_in_training():
    config = Config.model_validate({
        "pipeline": "table", "targets": {"sick": "binary"}, "input": {"size": [8, 8, 8]}, "model": {"name": "cnn3d"},
        "augment": {"flip": 0.5, "noise": 0.3, "share": 1.0, "cutout": 0.5},
    })  # fmt: skip
    model = small_runs.network(BINARY, shape=(8, 8, 8, 1))
    batch = images(3, (8, 8, 8, 1))
    found = Passes(model, config, tta=4, mc_dropout=3)(batch)[1]
    assert found["tta"]["sick"].shape == (4, 3, 1)
    assert (found["tta"]["sick"].std(axis=0) > 0).all()


def test_many_models_in_one_process_warn_of_nothing(made, caplog):
    """TensorFlow warns of tracing too often where several networks predict one after the other."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seed in range(3):
            predict(made, small_runs.network(made[1].targets, seed), mc_dropout=2, tta=2)
    assert "retracing" not in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="runs itself with the other backend")
def test_it_holds_on_jax_too():
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        __file__,
        "-k",
        "dropout or first or seed or volumes",
    ]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
