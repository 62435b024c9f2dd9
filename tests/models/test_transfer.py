"""Weights from another model: what matches is counted, and little is refused."""

import keras
import numpy as np
import pytest

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError, MedtfError
from medtf.models import build, transfer

BINARY, THREE = Target(kind="binary"), Target(kind="multiclass", classes=("a", "b", "c"))


def mobilenet(targets, norm="batch", channels=1):
    return build.build(Model(name="mobilenet", norm=norm), (32, 32, channels), targets)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with a model of a head `any` of one logit."""
    folder = tmp_path_factory.mktemp("run")
    keras.utils.set_random_seed(1)
    model = mobilenet({"any": BINARY})
    model.save(folder / "model.keras")
    model.save_weights(folder / "all.weights.h5")
    return folder, model


def test_equal_models_match_whole(run):
    folder, source = run
    keras.utils.set_random_seed(2)
    model = mobilenet({"any": BINARY})
    found = transfer.load(model, str(folder))
    assert found == {"matched": sum(bool(layer.weights) for layer in model.layers), "other_shape": 0, "absent": 0}
    for a, b in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_heads_are_counted_and_left_alone(run):
    folder, source = run
    keras.utils.set_random_seed(2)
    model = mobilenet({"any": THREE, "age": Target(kind="regression")})
    head = model.get_layer("age_logits").get_weights()[0]
    whole = sum(bool(layer.weights) for layer in model.layers)
    assert transfer.load(model, str(folder / "model.keras")) == {"matched": whole - 2, "other_shape": 1, "absent": 1}
    np.testing.assert_array_equal(model.get_layer("age_logits").get_weights()[0], head)
    np.testing.assert_array_equal(model.get_layer("conv1").get_weights()[0], source.get_layer("conv1").get_weights()[0])


def test_another_backbone_is_refused(run):
    folder, _ = run
    model = build.build(Model(name="mobilenet_v2"), (32, 32, 1), {"any": BINARY})
    with pytest.raises(MedtfError, match=r"only \d+ layers .* parameters\) match by name and shape"):
        transfer.load(model, str(folder))


def test_a_weight_file_fits_whole_or_not_at_all(run):
    folder, source = run
    keras.utils.set_random_seed(2)
    model = mobilenet({"any": BINARY})
    transfer.load(model, str(folder / "all.weights.h5"))
    for a, b in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(MedtfError, match="do not fit") as caught:
        transfer.load(mobilenet({"any": THREE}), str(folder / "all.weights.h5"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.keras", "cut.keras", "some.weights.h5"])
def test_no_file_and_no_model_are_told_apart(name, tmp_path, run):
    model = mobilenet({"any": BINARY})
    with pytest.raises(AskedWronglyError, match="no such run folder or file"):
        transfer.load(model, str(tmp_path / name))
    (tmp_path / name).write_bytes((run[0] / "model.keras").read_bytes()[:50_000])
    with pytest.raises(MedtfError, match=name) as caught:
        transfer.load(model, str(tmp_path / name))
    assert "\n" not in str(caught.value)


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
