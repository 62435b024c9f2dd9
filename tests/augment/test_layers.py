"""What holds for every random layer, of pictures and of volumes; and what `build` makes of a config."""

import importlib.util
import re
import warnings

import keras
import numpy as np
import pytest
from layers import check_layer, numpy, on_jax, step_of_all

from medtf.augment import PICTURES_ONLY, VOLUMES_ONLY, build
from medtf.augment.affine import RandomAffine
from medtf.augment.erase import RandomErase
from medtf.augment.flip import RandomFlip
from medtf.augment.intensity import RandomIntensity
from medtf.augment.mixup import MixUp
from medtf.augment.noise import RandomNoise
from medtf.augment.volume.affine import RandomAffine3D
from medtf.augment.volume.bias import RandomBiasField
from medtf.augment.volume.blur import RandomBlur
from medtf.augment.volume.cutout import RandomCutout
from medtf.augment.volume.elastic import RandomElastic
from medtf.augment.volume.flip import RandomFlip3D
from medtf.augment.volume.gamma import RandomGamma
from medtf.augment.volume.ghosting import RandomGhosting
from medtf.augment.volume.intensity import RandomIntensity3D
from medtf.augment.volume.low_resolution import RandomLowResolution
from medtf.augment.volume.motion import RandomMotion
from medtf.augment.volume.noise import RandomNoise3D
from medtf.augment.volume.rician import RandomRicianNoise
from medtf.config import Augment
from medtf.errors import AskedWronglyError

PICTURES = {
    RandomFlip: {"probability": 0.5},
    RandomAffine: {"rotate": 20, "zoom": 0.2, "translate": 0.2},
    RandomIntensity: {"contrast": 0.5, "brightness": 0.3},
    RandomNoise: {"deviation": 0.2},
    RandomErase: {"probability": 0.7},
}
VOLUMES = {
    RandomFlip3D: {"probability": 0.5},
    RandomAffine3D: {"rotate": 20, "zoom": 0.2, "translate": 0.2},
    RandomElastic: {"displacement": 0.9},
    RandomMotion: {"degrees": 20},
    RandomGhosting: {"intensity": 0.8},
    RandomLowResolution: {"factor": 2.0},
    RandomBlur: {"sigma": 1.5},
    RandomBiasField: {"coefficients": 0.4},
    RandomGamma: {"log_gamma": 0.4},
    RandomIntensity3D: {"contrast": 0.5, "brightness": 0.3},
    RandomNoise3D: {"deviation": 0.3},
    RandomRicianNoise: {"deviation": 0.3},
    RandomCutout: {"probability": 0.7},
}
EVERY = [(layer, strengths, 4) for layer, strengths in PICTURES.items()]
EVERY += [(layer, strengths, 5) for layer, strengths in VOLUMES.items()]
EVERY += [(MixUp, {"alpha": 0.8}, rank) for rank in (4, 5)]
OUT_OF_RANGE = {"rotate": 181, "zoom": 1, "translate": 1, "probability": 1.1, "degrees": 46, "log_gamma": 2}
MOVING = (RandomFlip3D, RandomAffine3D, RandomElastic)
every_layer = pytest.mark.parametrize(
    ("layer", "strengths", "rank"), EVERY, ids=lambda v: v.__name__ if isinstance(v, type) else ""
)


def batch(rank, count=6):
    """Pictures in [0, 1], three channels; volumes as z-scores, no two sides alike."""
    rng = np.random.default_rng(0)
    if rank == 4:
        return rng.random((count, 12, 15, 3), dtype="float32")
    return rng.normal(size=(count, 10, 13, 12, 1)).astype("float32")


@every_layer
def test_every_layer(layer, strengths, rank, tmp_path):
    half = ("float16", "bfloat16") if rank == 4 else ("float16",)
    check_layer(layer(**strengths, seed=0), batch(rank, 4), tmp_path, dtypes=half)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compares TensorFlow with JAX")
@pytest.mark.slow
def test_every_layer_on_jax_with_the_numbers_of_tensorflow(tmp_path):
    on_jax([(layer(**strengths, seed=0), batch(rank)) for layer, strengths, rank in EVERY], {}, tmp_path)


@pytest.mark.parametrize("kind", [PICTURES, VOLUMES], ids=["pictures", "volumes"])
def test_a_training_step_compiles_with_all_layers(kind):
    step_of_all(
        [layer(**strengths, seed=0) for layer, strengths in {**kind, MixUp: {"alpha": 0.8}}.items()],
        batch(4 if kind is PICTURES else 5),
    )


@pytest.mark.parametrize("layer", PICTURES, ids=lambda layer: layer.__name__)
def test_pictures_stay_within_zero_and_one(layer):
    changed = numpy(layer(**PICTURES[layer], seed=0)(batch(4), training=True))
    assert changed.min() >= 0
    assert changed.max() <= 1


@pytest.mark.parametrize(("layer", "strengths", "rank"), [case for case in EVERY if case[0] is not MixUp])
def test_examples_are_drawn_apart(layer, strengths, rank):
    same = np.repeat(batch(rank)[:1], 16, axis=0)
    changed = numpy(layer(**strengths, seed=0)(same, training=True))
    different = len(np.unique(changed.reshape(16, -1), axis=0))
    assert different >= (2 if layer in (RandomFlip, RandomFlip3D) else 8)


@pytest.mark.parametrize("layer", VOLUMES, ids=lambda layer: layer.__name__)
def test_a_constant_volume_stays_constant_unless_the_layer_adds(layer):
    flat = np.full((3, 9, 9, 9, 1), -0.7, "float32")
    changed = numpy(layer(**VOLUMES[layer], seed=0)(flat, training=True))
    if layer is RandomIntensity3D:  # a contrast of nothing and a shift of 0 deviations
        assert np.ptp(changed) < 1e-6
    np.testing.assert_allclose(changed, flat, atol=1e-5)  # noise is measured by the volume's deviation: 0


@pytest.mark.parametrize("layer", VOLUMES, ids=lambda layer: layer.__name__)
def test_scale_and_offset_of_the_intensities_do_not_matter(layer):
    """MRI has no unit: a volume in other numbers is changed alike, and nothing is clipped."""
    volumes, made = batch(5, 3), layer(**VOLUMES[layer], seed=0)
    draws = made.draw(volumes.shape)
    expected = 100 * numpy(made.apply(volumes, draws)) - 500
    np.testing.assert_allclose(numpy(made.apply(100 * volumes - 500, draws)), expected, atol=0.02)


@pytest.mark.parametrize("layer", [v for v in VOLUMES if v not in MOVING], ids=lambda layer: layer.__name__)
def test_nothing_reaches_beyond_a_brain_mask(layer):
    """A z-scored volume under a mask: 0 outside, which is neither its lowest value nor air that noise could reach."""
    volumes = batch(5, 4)
    outside = np.ones(volumes.shape, bool)
    outside[:, 2:-2, 3:-3, 2:-2] = False
    masked = np.where(outside, 0, volumes).astype("float32")
    changed = numpy(
        layer(**VOLUMES[layer] | ({"probability": 1.0} if layer is RandomCutout else {}), seed=0)(masked, training=True)
    )
    np.testing.assert_array_equal(changed[outside], 0)
    assert np.abs(changed - masked)[~outside].max() > 0.1


@pytest.mark.parametrize("layer", VOLUMES, ids=lambda layer: layer.__name__)
def test_masks_get_the_spatial_part_alone(layer):
    masks = (np.random.default_rng(2).random((4, 10, 13, 12, 1)) > 0.5).astype("int32") * 7
    made = layer(**VOLUMES[layer], seed=0)
    if layer is RandomElastic:  # a seed's control points may all move by less than half a voxel
        made = layer(4.0, seed=0)
    moved = numpy(made.apply_mask(masks, made.draw(masks.shape)))
    assert moved.dtype == np.int32
    assert set(np.unique(moved)) <= {0, 7}  # picked, not mixed
    assert np.array_equal(moved, masks) == (layer not in MOVING)


@pytest.mark.parametrize(("layer", "strengths", "rank"), EVERY)
def test_a_strength_out_of_range_is_named(layer, strengths, rank):
    for name in strengths:
        for wrong in (-0.1, float("nan"), OUT_OF_RANGE.get(name, -1)):
            with pytest.raises(ValueError, match=rf"`{name}`: expected a number in \[0, "):
                layer(**{name: wrong})


def test_build_takes_what_is_switched_on():
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none may be idle
        assert build(Augment()) == []
        assert build(Augment(), dimensions=3) == []
        layers = build(Augment(flip=0.5, zoom=0.1, brightness=0.2, noise=0.01, erase=0.3, mixup=0.2), seed=0)
    assert [type(layer) for layer in layers] == [RandomFlip, RandomAffine, RandomIntensity, RandomNoise, RandomErase]
    assert (layers[1].rotate, layers[1].zoom, layers[1].translate) == (0, 0.1, 0)
    assert len({layer.seed for layer in layers}) == 5
    assert [type(layer) for layer in build(Augment(erase=0.1, contrast=0.1))] == [RandomIntensity, RandomErase]


def test_build_knows_every_key_of_volumes():
    keys = [key for key in Augment.model_fields if key not in (*PICTURES_ONLY, "mixup", "cutmix", "share")]
    layers = build(Augment(**dict.fromkeys(keys, 0.3)), seed=7, dimensions=3)
    assert [type(layer) for layer in layers] == list(VOLUMES)  # in the order of anatomy, scanner, intensity
    assert len({layer.seed for layer in layers}) == len({layer.name for layer in layers}) == len(VOLUMES)
    for layer in layers:
        assert {getattr(layer, name) for name in layer.strengths} == {0.3}, layer.name
    for key in keys:
        assert len(build(Augment(**{key: 0.1}), dimensions=3)) == 1, key


def test_a_share_of_the_volumes_is_changed_and_the_others_are_left_alone():
    """The mean judgement sees is of volumes as they are: about half of a large batch stays so, each for each step anew."""
    volumes = np.random.default_rng(0).normal(size=(64, 6, 6, 6, 1)).astype("float32")
    (layer,) = build(Augment(brightness=0.3), seed=1, dimensions=3)
    assert layer.share == 0.5
    same = [(np.asarray(layer(volumes, training=True)) == volumes).all(axis=(1, 2, 3, 4)) for _ in range(2)]
    assert 0.3 < same[0].mean() < 0.7
    assert (same[0] != same[1]).any()
    (layer,) = build(Augment(brightness=0.3, share=1), seed=1, dimensions=3)
    assert not (np.asarray(layer(volumes, training=True)) == volumes).all(axis=(1, 2, 3, 4)).any()
    with pytest.raises(ValueError, match=r"`share`: expected a number in \(0, 1\], got 0"):
        type(layer)(share=0)


@pytest.mark.parametrize("key", VOLUMES_ONLY)
def test_a_key_of_volumes_for_pictures_is_named(key):
    message = f"augment.{key} is for volumes and the network takes 2D pictures: set it to 0 or remove it"
    with pytest.raises(AskedWronglyError, match=re.escape(message)):
        build(Augment(**{key: 0.1}))


def test_a_key_of_pictures_for_volumes_is_named():
    with pytest.raises(AskedWronglyError, match=r"augment.erase is for 2D pictures .* there is augment.cutout"):
        build(Augment(erase=0.1), dimensions=3)
