"""Weights from another model: what matches is told, what can be made to fit is, and little is refused."""

import h5py
import keras
import numpy as np
import pytest

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError, MedtfError
from medtf.models import build, names, transfer
from medtf.models.parts import encoder_of, heads_of
from medtf.models.vit.positions import interpolated

BINARY, THREE = Target(kind="binary"), Target(kind="multiclass", classes=("a", "b", "c"))


def mobilenet(targets, norm="batch", channels=1, name="mobilenet"):
    return build.build(Model(name=name, norm=norm), (32, 32, channels), targets)


def transformer(side=32, channels=1, pool="gap", targets=None):
    return build.build(Model(name="vit_ti16", pool=pool), (side, side, channels), targets or {"any": BINARY})


def three_convolutions(*, include_top, weights, input_shape):
    """In the place of MobileNet, as keras.applications makes its models: seconds become milliseconds."""
    x = image = keras.Input(input_shape)
    for number, filters in enumerate((8, 16, 32), 1):
        x = keras.layers.Conv2D(filters, 3, strides=2, use_bias=False, name=f"conv{number}")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(name=f"conv{number}_bn")(x))
    return keras.Model(image, x)


@pytest.fixture(scope="module", autouse=True)
def _small():
    """Networks of the same make, and smaller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNet", three_convolutions)
        patch.setitem(names.TRANSFORMERS, "vit_ti16", (16, 2, 2, 16))  # width, blocks, heads, patch
        yield


def equal(model, source, names):
    for name in names:
        pairs = zip(model.get_layer(name).get_weights(), source.get_layer(name).get_weights(), strict=True)
        for mine, theirs in pairs:
            np.testing.assert_array_equal(mine, theirs)


def weighted(model):
    return [layer.name for layer in model.layers if layer.weights]


def shaken(model):
    """No weight as it was made: also statistics and scales, which begin at 0 and 1."""
    generator = np.random.default_rng(1)
    model.set_weights([generator.normal(size=w.shape).astype("float32") for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def run(_small, tmp_path_factory):
    """A run folder with a model of a head `any` of one logit."""
    folder = tmp_path_factory.mktemp("run")
    model = shaken(mobilenet({"any": BINARY}))
    model.save(folder / "model.keras")
    model.save_weights(folder / "all.weights.h5")
    return folder, model


@pytest.fixture(scope="module")
def pretrained(_small, tmp_path_factory):
    """A bare encoder, as a pretraining leaves it: a vision transformer of grey images."""
    folder = tmp_path_factory.mktemp("mae")
    model = shaken(build.encoder(Model(name="vit_ti16"), (32, 32, 1)))
    model.save(folder / "model.keras")
    model.save_weights(folder / "all.weights.h5")
    return folder, model


@pytest.mark.parametrize("name", ["", "all.weights.h5"])
def test_equal_models_match_whole(run, name):
    folder, source = run
    model = mobilenet({"any": BINARY})
    found = transfer.load(model, str(folder / name))
    assert list(found.matched) == weighted(model)
    assert (found.changed, found.other_shape, found.new, found.left_behind) == ({}, (), (), ())
    assert found.parameters == found.all_parameters == model.count_params()
    equal(model, source, weighted(model))


@pytest.mark.parametrize("name", ["model.keras", "all.weights.h5"])
def test_other_heads_are_told_and_left_alone(run, name):
    folder, source = run
    model = mobilenet({"any": THREE, "age": Target(kind="regression")})
    before = [model.get_layer(head).get_weights()[0] for head in ("any_logits", "age_logits")]
    found = transfer.load(model, str(folder / name))
    assert (found.other_shape, found.new, found.left_behind) == (("any_logits",), ("age_logits",), ())
    for head, kernel in zip(("any_logits", "age_logits"), before, strict=True):
        np.testing.assert_array_equal(model.get_layer(head).get_weights()[0], kernel)
    equal(model, source, found.matched)
    whole = len(weighted(model))
    (line,) = found.lines()
    assert line.startswith(
        f"weights from {folder / name}: {whole - 2} of {whole} layers ({found.parameters:,} of {model.count_params():,} parameters); "
    )
    assert line.endswith("of another shape: any_logits; new: age_logits")


@pytest.mark.parametrize("name", ["", "all.weights.h5"])
def test_an_encoder_goes_into_a_classifier_attention_and_all(pretrained, name):
    folder, source = pretrained
    model = transformer(targets={"sick": BINARY, "site": THREE})
    found = transfer.load(model, str(folder / name))
    assert list(found.matched) == weighted(source)
    assert found.new == ("sick_logits", "site_logits")
    equal(model, source, weighted(source))
    image = np.random.default_rng(0).random((2, 32, 32, 1), dtype="float32")
    features = keras.Model(model.input, model.get_layer("gap").output)
    np.testing.assert_array_equal(features(image), source(image))


def test_statistics_of_batch_normalisation_come_along(run):
    folder, source = run
    model = mobilenet({"other": BINARY})
    transfer.load(model, str(folder))
    moving = source.get_layer("conv1_bn").moving_mean
    np.testing.assert_array_equal(model.get_layer("conv1_bn").moving_mean, moving)
    assert np.abs(moving).max() > 0


def test_what_a_class_token_learnt_is_left_behind_and_its_absence_told(pretrained, tmp_path):
    folder, _ = pretrained
    model = transformer(pool="token")
    assert transfer.load(model, str(folder)).new == ("class_token", "any_logits")
    model.save(tmp_path / "model.keras")
    found = transfer.load(transformer(), str(tmp_path))
    assert (found.new, found.left_behind) == ((), ("class_token",))
    assert found.lines()[0].endswith("; left behind: class_token")


@pytest.mark.parametrize("name", ["model.keras", "all.weights.h5"])
def test_a_grey_picture_gives_the_same_features_in_one_channel_and_in_three(pretrained, name, tmp_path):
    """Both ways, to float32: kernels are divided for three channels, and added up again for one."""
    folder, source = pretrained
    image = np.random.default_rng(0).random((2, 32, 32, 1), dtype="float32")
    three = transformer(channels=3)
    found = transfer.load(three, str(folder / name))
    assert found.changed == {"patch_embedding": "a third of the kernels of 1 grey channel for each of 3 channels"}
    pooled = keras.Model(three.input, three.get_layer("gap").output)
    np.testing.assert_allclose(pooled(np.repeat(image, 3, axis=-1)), source(image), atol=1e-4)
    three.save(tmp_path / "three.keras")
    one = transformer()
    found = transfer.load(one, str(tmp_path / "three.keras"))
    assert found.lines()[1] == "  patch_embedding: kernels of 3 channels added up for 1 grey channel"
    np.testing.assert_allclose(
        one.get_layer("patch_embedding").kernel, source.get_layer("patch_embedding").kernel, rtol=1e-5
    )


@pytest.mark.parametrize("name", ["model.keras", "all.weights.h5"])
def test_positions_of_another_size_are_interpolated(pretrained, name):
    folder, source = pretrained
    model = build.build(Model(name="vit_ti16"), (48, 64, 1), {"any": BINARY})
    found = transfer.load(model, str(folder / name))
    assert found.changed == {"positions": "positions of 2 x 2 patches interpolated to 3 x 4"}
    expected = interpolated(source.get_layer("positions").positions, (2, 2), (3, 4))
    np.testing.assert_allclose(model.get_layer("positions").positions, expected, rtol=1e-6)


def test_another_backbone_is_refused_and_nothing_is_changed(run):
    folder, _ = run
    model = mobilenet({"any": BINARY}, name="mobilenet_v2")
    before = model.get_weights()
    with pytest.raises(MedtfError, match=r"only \d+ of \d+ layers of the encoder .* is it the same model.name\?"):
        transfer.load(model, str(folder))
    for mine, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, kept)


def test_heads_do_not_make_up_for_an_encoder(tmp_path):
    """A head of a million weights that matches, on an encoder that does not."""

    def network(name, filters):
        x = image = keras.Input((8, 8, 1), name="image")
        x = keras.layers.Conv2D(filters, 3, name=name)(x)
        x = keras.layers.GlobalAveragePooling2D(name="gap")(x)
        return keras.Model(image, keras.layers.Dense(1000, name="any_logits")(x))

    network("conv_a", 1000).save(tmp_path / "model.keras")
    with pytest.raises(MedtfError, match=r"only 0 of 1 layers of the encoder \(0 of 10,000 parameters\)"):
        transfer.load(network("conv_b", 1000), str(tmp_path))


def test_half_of_the_encoder_is_enough_and_less_is_not(tmp_path):
    """Two layers of 20 parameters each and one of 30: 40 of 70 match, then 30 of 70."""

    def network(*names):
        x = image = keras.Input((4,), name="image")
        sizes = (4, 4, 6)
        for name, size in zip(names, sizes, strict=True):
            x = keras.layers.Dense(size, name=name)(x)
        return keras.Model(image, keras.layers.Identity(name="gap")(x))

    network("a", "b", "c").save(tmp_path / "model.keras")
    assert transfer.load(network("a", "b", "x"), str(tmp_path)).matched == ("a", "b")
    with pytest.raises(MedtfError, match="only 1 of 3 layers"):
        transfer.load(network("x", "y", "c"), str(tmp_path))


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    source = mobilenet({"any": BINARY})
    layer = source.get_layer("conv3")
    layer.set_weights([np.full(w.shape, np.nan, np.float32) for w in layer.get_weights()])
    source.save_weights(tmp_path / "gone.weights.h5")
    with pytest.raises(MedtfError, match="layer 'conv3' holds NaN or infinite weights"):
        transfer.load(mobilenet({"any": BINARY}), str(tmp_path / "gone.weights.h5"))


@pytest.mark.parametrize("name", ["model.keras", "cut.keras", "some.weights.h5"])
def test_no_file_and_no_model_are_told_apart(name, tmp_path, run):
    model = mobilenet({"any": BINARY})
    with pytest.raises(AskedWronglyError, match="no such run folder or file"):
        transfer.load(model, str(tmp_path / name))
    whole = run[0] / ("all.weights.h5" if name.endswith("h5") else "model.keras")
    for content in (whole.read_bytes()[:9_000], b"text"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MedtfError, match=name) as caught:
            transfer.load(model, str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_file_that_links_to_another_is_refused(tmp_path, run):
    """HDF5 may name any file of the machine; what is loaded must lie in the file itself."""
    path = tmp_path / "linked.weights.h5"
    path.write_bytes((run[0] / "all.weights.h5").read_bytes())
    with h5py.File(path, "a") as file:
        (first, *_) = [name for name in file["layers"] if "0" in file[f"layers/{name}/vars"]]
        del file[f"layers/{first}/vars/0"]
        file[f"layers/{first}/vars/0"] = h5py.ExternalLink(run[0] / "all.weights.h5", f"layers/{first}/vars/0")
    with pytest.raises(MedtfError, match="a link to elsewhere"):
        transfer.load(mobilenet({"any": BINARY}), str(path))


def test_the_constants_of_a_normalisation_follow_its_weights(tmp_path):
    """Keras makes them when the layer is built or loaded, not when its weights are set."""
    source = build.build(Model(name="efficientnet_b0"), (32, 32, 3), {"any": BINARY})
    layer = source.get_layer("normalization")
    layer.set_weights([np.full(3, 0.4, np.float32), np.full(3, 0.04, np.float32), layer.get_weights()[2]])
    layer.finalize_state()
    source.save(tmp_path / "model.keras")
    model = build.build(Model(name="efficientnet_b0"), (32, 32, 3), {"any": BINARY})
    transfer.load(model, str(tmp_path))
    found = model.get_layer("normalization")(np.full((1, 2, 2, 3), 0.6, np.float32))
    np.testing.assert_allclose(found, 1.0, rtol=1e-5)  # (0.6 - 0.4) / 0.2


@pytest.mark.parametrize(
    "settings", [{"name": "mobilenet"}, {"name": "vit_ti16"}, {"name": "vit_ti16", "pool": "token"}]
)
def test_the_encoder_is_what_the_heads_stand_on(settings):
    targets = {"any": BINARY, "age": Target(kind="regression", head="gaussian")}
    model = build.build(Model(**settings), (32, 32, 1), targets)
    encoder = build.encoder(Model(**settings), (32, 32, 1))
    assert [layer.name for layer in encoder_of(model)] == [layer.name for layer in encoder.layers]
    assert {"dropout", "any_logits", "any", "age"} <= heads_of(model)
    assert heads_of(encoder) == set()


def test_millions_are_told_as_such():
    found = transfer.Loaded("runs/mae", ("a", "b"), {}, (), ("c",), tuple("defghij"), 21_600_000, 21_712_345)
    assert found.lines() == [
        "weights from runs/mae: 2 of 3 layers (21.6 of 21.7 million parameters); new: c; left behind: d, e, f, g, h and 2 more"
    ]
