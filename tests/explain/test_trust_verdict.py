"""The verdict: known facts about methods on a small trained network, and the rule on maps that are made up."""

import json

import keras
import numpy as np
import pytest
import trust_checks
from keras import layers

from medtf.errors import AskedWronglyError
from medtf.explain import gradients
from medtf.explain import layers as of_model
from medtf.explain.enlarge import enlarged
from medtf.explain.grad_cam import GradCAM
from medtf.explain.method import Method
from medtf.explain.trust import labels
from medtf.explain.trust.check import check
from medtf.explain.trust.randomised import Cascade
from medtf.explain.trust.verdict import judge

SIDE = 32


class Edges(Method):
    """No explanation: the edges of the picture, whatever network is asked."""

    name = "edges"

    def prepared(self, model, score, layer_name):
        return lambda images, classes: np.abs(np.gradient(images[..., 0], axis=1))


class Active(Method):
    """Blind to classes, as attention rollout is: how active the last layer is at each place."""

    name = "active"

    def prepared(self, model, score, layer_name):
        def ask(images, classes):
            def combine(activations, slopes):
                return keras.ops.mean(keras.ops.abs(activations), axis=-1)

            layer = of_model.find(model, layer_name).layer
            small = gradients.of_layer(model, layer, score, combine, (self.name,), images, classes)
            return np.asarray(enlarged(keras.ops.convert_to_tensor(small), images.shape[1:-1]))

        return ask


def pictures(count, seed):
    """A bright square at a random place says yes; bright stripes are in every picture."""
    generator = np.random.default_rng(seed)
    images = generator.uniform(0, 0.3, (count, SIDE, SIDE, 1)).astype(np.float32)
    yes = generator.integers(0, 2, count)
    for image, has in zip(images, yes, strict=True):
        for stripes in (True, False) if has else (True,):
            row, column = generator.integers(2, SIDE - 10, 2)
            image[row : row + 8 : 1 + stripes, column : column + 8] += 0.6
    return images, yes


@pytest.fixture(scope="module")
def trained():
    """(network, training images, their labels, new images with a square)."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((SIDE, SIDE, 1))
    for filters, smaller in ((8, True), (16, True), (16, False), (16, False)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.8)(x))
        x = layers.MaxPooling2D()(x) if smaller else x
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(1, activation="sigmoid", name="square")(x))
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    images, yes = pictures(320, 0)
    model.fit(images, yes, epochs=6, batch_size=32, verbose=0)
    new, has = pictures(60, 1)
    assert model.evaluate(new, has, verbose=0)[1] > 0.95
    return model, images, yes, new[has == 1][:12]


def test_grad_cam_of_a_trained_network_passes(trained):
    model, images, yes, new = trained
    features = labels.features_of(model, images[:200])
    found = check(GradCAM(), model, new, features=features, labels=yes[:200])
    assert found.passed, found.words
    assert found.words.startswith("Passes: with all weights random its maps are others (rank correlation ")
    assert found.details["pictures"] == 12
    assert [len(step["layers"]) for step in found.details["steps"]] == [1, 2, 2, 2, 1, 1]
    assert found.details["random"]["draws"] == 5
    assert "other_classes" not in found.details  # there are none
    json.dumps(found.details, allow_nan=False)


def test_edges_of_the_picture_fail(trained):
    model, images, yes, new = trained
    features = labels.features_of(model, images[:200])
    found = check(Edges(), model, new, features=features, labels=yes[:200], steps=1)
    assert not found.passed
    assert found.details["random"]["rank_correlation"] == 1
    assert found.words.startswith(
        "Fails: with all weights random its maps still look alike (rank correlation 1.00): it shows edges of the picture"
    )
    assert "shuffled labels" in found.words


def test_a_method_that_is_blind_to_the_head_fails_by_shuffled_labels(trained):
    model, images, yes, new = trained
    features = labels.features_of(model, images[:200])
    found = check(Active(), model, new, features=features, labels=yes[:200], steps=1)
    assert not found.passed
    assert found.details["permuted_head"]["rank_correlation"] == 1
    assert "they do not depend on what the labels taught the head" in found.words


@pytest.mark.parametrize("target", ["site", "age"])
def test_a_method_that_is_blind_to_classes_fails(target):
    """Of three classes the others; of a value in a network of several targets the other target."""
    model, shown = trust_checks.network(), trust_checks.images()
    blind, seeing = (check(method, model, shown, target=target, steps=1) for method in (Active(), GradCAM()))
    assert not blind.passed
    assert blind.details["other_classes"]["rank_correlation"] == 1
    assert "its maps of other classes or targets are the same (rank correlation 1.00)" in blind.words
    assert seeing.details["other_classes"]["rank_correlation"] < 0.95


def test_other_classes_are_each_asked_once():
    model, shown = trust_checks.network(), trust_checks.images(4)
    classes = np.array([0, 1, 2, 0])
    found = labels.of_classes(GradCAM(), model, shown, classes, target="site")
    assert found.shape == (2, 4, 16, 16)
    wanted = [GradCAM().heatmap(shown, model, (classes + by) % 3, target="site") for by in (1, 2)]
    assert np.array_equal(found, wanted)


# === The head on shuffled labels ===


def rows(count=300, width=20, seed=0):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(count, width))
    direction = generator.normal(size=width)
    return features, direction, features @ direction


def cosine(one, other):
    return float(one.ravel() @ other.ravel() / np.linalg.norm(one) / np.linalg.norm(other))


def test_a_head_that_is_fitted_to_true_labels_points_where_they_do():
    features, direction, values = rows()
    assert cosine(labels.fitted(features, values, 1), direction) > 0.99
    assert cosine(labels.fitted(features, (values > 0) * 1.0, 1), direction) > 0.95
    shuffled = np.random.default_rng(1).permutation(values)
    assert abs(cosine(labels.fitted(features, shuffled, 1), direction)) < 0.6


def test_heads_of_every_kind():
    features, direction, values = rows()
    classes = np.digitize(values, np.quantile(values, [1 / 3, 2 / 3]))
    three = labels.fitted(features, classes, 3)
    assert cosine(three[:, 2] - three[:, 0], direction) > 0.95
    bins = labels.fitted(features, values, 5, "bins")
    expected = np.exp(features @ bins / 10)  # a softmax's mean of the bins rises with the value
    expected = (expected * np.arange(5)).sum(axis=1) / expected.sum(axis=1)
    assert np.corrcoef(np.argsort(np.argsort(expected)), np.argsort(np.argsort(values)))[0, 1] > 0.99
    gaussian = labels.fitted(features, values, 2, "gaussian")
    assert cosine(gaussian[:, 0], direction) > 0.99
    assert not gaussian[:, 1].any()


def test_ridge_with_more_features_than_rows_is_the_one_of_the_normal_equations():
    features, _, values = rows(30, 50)
    x, y = features - features.mean(axis=0), values - values.mean()
    penalty = labels.SHRINK * (x**2).sum()
    wanted = np.linalg.solve(x.T @ x + penalty * np.eye(50), x.T @ y)
    np.testing.assert_allclose(labels.fitted(features, values, 1)[:, 0], wanted, rtol=1e-8)


def test_features_are_what_the_last_layer_is_given():
    model, shown = trust_checks.network(), trust_checks.images(20)  # more than a batch
    wanted = keras.Model(model.inputs, model.get_layer("gap").output).predict(shown, verbose=0)
    np.testing.assert_allclose(labels.features_of(model, shown, target="age"), wanted, rtol=1e-5, atol=1e-6)


def test_labels_that_cannot_be_shuffled():
    model, shown = trust_checks.network(), trust_checks.images(2)
    asked = {"target": "age", "features": np.ones((4, 6))}
    with pytest.raises(AskedWronglyError, match="all are alike or unknown"):
        labels.permuted_head(GradCAM(), model, shown, labels=np.array([1, 1, np.nan, 1]), **asked)
    with pytest.raises(AskedWronglyError, match=r"'age_logits' takes \(rows, 6\) and \(rows,\)"):
        labels.permuted_head(GradCAM(), model, shown, labels=np.arange(5), **asked)


def test_an_answer_that_ends_in_a_convolution_leaves_the_check_out():
    image = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(1, 3, padding="same")(layers.Conv2D(4, 3, padding="same")(image)))
    model, shown = keras.Model(image, x), trust_checks.images(8, 8)
    with pytest.raises(AskedWronglyError, match="does not end in one dense layer"):
        labels.features_of(model, shown)
    found = check(GradCAM(), model, shown, features=np.ones((4, 6)), labels=np.arange(4), steps=1)
    assert "permuted_head" not in found.details
    assert "does not end in one dense layer" in found.details["permuted_head_left_out"]


# === The rule, on maps that are made up ===


def cascade(original, random) -> Cascade:
    return Cascade(np.zeros(len(original), np.int32), original, random[:1], (("head",),), random)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def mixed(original, share, seed=5):
    return share * original + (1 - share) * noise(3, *original.shape, seed=seed)


def test_maps_that_have_nothing_in_common_pass():
    found = judge(cascade(noise(10, 16, 16), noise(3, 10, 16, 16, seed=1)))
    assert found.passed
    assert abs(found.details["random"]["rank_correlation"]) < 0.05
    assert "reserve" not in found.words


def test_maps_that_stay_in_part_pass_with_a_reserve_and_those_that_stay_fail():
    original = noise(10, 16, 16)
    # of two independent uniforms weighted 1 : 2 the correlation is 1 / sqrt(1 + 4) = 0.45, of 1 : 1 it is 0.71
    some, most = (judge(cascade(original, mixed(original, share))) for share in (1 / 3, 1 / 2))
    assert some.details["random"]["rank_correlation"] == pytest.approx(0.45, abs=0.04)
    assert some.passed
    assert "With a reserve: part of what it shows is there without training" in some.words
    assert most.details["random"]["rank_correlation"] == pytest.approx(0.71, abs=0.04)
    assert not most.passed


def test_maps_that_are_the_same_for_every_picture_are_told_to_be_so():
    one = np.broadcast_to(noise(1, 16, 16), (10, 16, 16))
    original = 0.9 * one + 0.1 * noise(10, 16, 16, seed=3)
    random = 0.5 * one + 0.5 * noise(3, 10, 16, 16, seed=4)
    found = judge(cascade(original, random))
    assert not found.passed
    assert "it shows much the same of every picture (between pictures 0.9" in found.words


def test_other_classes_fail_only_where_all_of_them_have_the_same_map():
    original, random = noise(10, 16, 16), noise(3, 10, 16, 16, seed=1)
    same, other = original[None], noise(1, 10, 16, 16, seed=2)
    assert not judge(cascade(original, random), of_classes=same).passed
    found = judge(cascade(original, random), of_classes=np.concatenate([same, other]))
    assert found.passed
    assert found.details["other_classes"]["each"][0] == 1


def test_empty_maps_are_left_out_and_alone_tell_nothing():
    original, random = noise(10, 16, 16), noise(3, 10, 16, 16, seed=1)
    original[:4] = 0
    random[:, :4] = 0  # alike, for nothing is in them
    found = judge(cascade(original, random))
    assert found.details["told"] == 6
    assert abs(found.details["random"]["rank_correlation"]) < 0.1
    assert found.words.endswith("Told by 6 pictures only.")
    found = judge(cascade(np.zeros_like(original), random))
    assert found.passed is None
    assert found.words == "Cannot be told: the maps of 10 of 10 pictures are empty."


def test_draws_without_finite_numbers_are_left_out_and_alone_tell_nothing():
    original, random = noise(10, 16, 16), noise(3, 10, 16, 16, seed=1)
    random[0] = np.nan
    found = judge(cascade(original, random))
    assert found.passed
    json.dumps(found.details, allow_nan=False)
    found = judge(cascade(original, np.full_like(random, np.nan)))
    assert not found.passed
    assert "no finite numbers" in found.words
    json.dumps(found.details, allow_nan=False)
