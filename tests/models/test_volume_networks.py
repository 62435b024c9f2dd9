"""Networks of volumes: what each computes, how large it is by the papers, what its options change."""

import keras
import numpy as np
import pytest
from network_checks import check_network, check_step

from medtf.config import Model, Target
from medtf.errors import AskedWronglyError
from medtf.models import build, count, volumes
from medtf.models.names import PAPERS, VOLUME_BACKBONES
from medtf.models.volumes.blocks import groups_of

AGE = {"age": Target(kind="regression")}
SMALLEST = ("cnn3d", "sfcn", "resnet3d_10", "densenet3d_121", "highres3dnet")
LEAST = {"cnn3d": 16, "sfcn": 32, "resnet3d_10": 8, "densenet3d_121": 29, "highres3dnet": 8}


def make(name, side=None, targets=AGE, **model):
    side = side or LEAST.get(name, 8)
    shape = side if isinstance(side, tuple) else (side,) * 3
    return build.build(Model(name=name, **model), (*shape, 1), targets)


def classes(k):
    return {"label": Target(kind="multiclass", classes=tuple(range(k)))}


def volume(*sides, n=2):
    return np.random.default_rng(0).normal(size=(n, *sides, 1)).astype("float32")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "densenet3d_121" else ()) for n in SMALLEST]
)
def test_every_family(name, tmp_path):
    targets = {"age": Target(kind="regression", head="gaussian"), "sex": Target(kind="binary")}
    shape = (LEAST[name], LEAST[name] + 3, LEAST[name], 1)
    check_network(lambda: build.build(Model(name=name), shape, targets), shape, tmp_path, jit=name == "cnn3d")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet3d_10", "highres3dnet"])
def test_strides_and_dilation_compile(name):
    check_step(make(name, norm="group", se=True), volume(8, 8, 8), jit=True)


PUBLISHED = {
    # Peng 2021: 3.0 million; counted in ha-ha-ha-han/UKBiobank_deep_pretrain with 40 bins
    ("sfcn", 40): 2_952_936,
    # torchvision's r3d_18 (its documentation: num_params 33,371,472; 400 classes) has a stem of 3 x 7 x 7 on three channels: 64 x 3 x 147
    # weights, here 64 x 343
    ("resnet3d_18", 400): 33_371_472 - 64 * 3 * 147 + 64 * 343,
    # MONAI 1.6.1, resnet10 / 34 / 50 (spatial_dims 3, one channel, one class, shortcut_type "B", bias_downsample False); in
    # MedicalNet's README, with a bias in each shortcut and no head, 14.36, 63.31 (with type A) and 46.21 million
    ("resnet3d_10", 1): 14_356_033,
    ("resnet3d_34", 1): 63_470_145,
    ("resnet3d_50", 1): 46_157_121,
    # MONAI 1.6.1, DenseNet121(spatial_dims=3, in_channels=1, out_channels=2)
    ("densenet3d_121", 2): 11_244_674,
    # Li 2017: 0.81 million; fepegar/highresnet and MONAI count 803,504 in the trunk. With 160 labels (64 x 160 + 2 x 160) it is 814,064.
    # Here the last normalisation (2 x 64) and a head of one output come to it
    ("highres3dnet", 1): 803_504 + 2 * 64 + 65,
}


@pytest.mark.parametrize(("name", "k"), PUBLISHED, ids=lambda value: str(value))
def test_as_many_parameters_as_published(name, k):
    with keras.StatelessScope(initialize_variables=False):  # the weights need no numbers
        model = make(name, 32, AGE if k == 1 else classes(k))
        assert count.parameters(model) == PUBLISHED[name, k]


def test_the_papers_sizes_rounded():
    """What the papers themselves print, in millions."""
    assert round(PUBLISHED["sfcn", 40] / 1e6, 1) == 3.0
    assert round((803_504 + 64 * 160 + 2 * 160) / 1e6, 2) == 0.81
    assert round(PUBLISHED["resnet3d_10", 1] / 1e6, 2) == 14.36
    assert set(PAPERS) >= set(VOLUME_BACKBONES) == set(volumes._NETWORKS)


def test_cnn3d_is_small_and_cheap_enough_for_a_cpu():
    model = make("cnn3d", 64)
    assert count.parameters(model) < 1e6
    assert count.multiply_adds(model) < 1e9


@pytest.mark.parametrize("name", SMALLEST)
def test_a_volume_too_small_is_told_before_anything_is_made(name):
    least = LEAST[name]
    with pytest.raises(
        AskedWronglyError,
        match=f"input.size {least} x {least - 1} x {least} is too small for {name}: it needs {least} voxels",
    ):
        build.check(Model(name=name), (least, least - 1, least, 1))
    build.check(Model(name=name), (least, least, least, 1))
    with pytest.raises(AskedWronglyError, match="too small"):
        make(name, least - 1)


@pytest.mark.parametrize("name", ["cnn3d", "sfcn", "resnet3d_10", "highres3dnet"])
@pytest.mark.parametrize("more", [0, 5])
def test_any_size_that_is_large_enough(name, more):
    least = LEAST[name]
    sides = (least, least + more, least + 2 * more)
    found = make(name, sides)(volume(*sides), training=False)["age"]
    assert found.shape == (2, 1)
    assert np.isfinite(found).all()


def test_what_a_network_does_not_have_is_told():
    with pytest.raises(AskedWronglyError, match=r"model.weights: imagenet: sfcn is a 3D network"):
        build.check(Model(name="sfcn", weights="imagenet"), (64, 64, 64, 1))
    with pytest.raises(AskedWronglyError, match=r"model.se: mobilenet is a 2D network"):
        build.check(Model(name="mobilenet", se=True), (64, 64, 1))
    with pytest.raises(AskedWronglyError, match=r"input.size 16 x 16 is too small for inception_v3: it needs 75"):
        build.check(Model(name="inception_v3"), (16, 16, 1))


@pytest.mark.parametrize("name", SMALLEST)
def test_squeeze_and_excitation_gates_every_block(name):
    """With the gates' last layer at 0 every gate is 1/2; without its weights, it is the plain network's size."""
    with keras.StatelessScope(initialize_variables=False):
        plain, gated = make(name), make(name, se=True)
    gates = [layer for layer in gated.layers if layer.name.endswith("_excite2")]
    blocks = {"cnn3d": 5, "sfcn": 6, "resnet3d_10": 4, "densenet3d_121": 4, "highres3dnet": 9}
    assert len(gates) == blocks[name]
    extra = sum(layer.count_params() for layer in gated.layers if "_excite" in layer.name)
    assert count.parameters(gated) == count.parameters(plain) + extra
    for layer in gates:
        channels, between = layer.units, layer.input.shape[-1]
        assert between == max(channels // 16, 4)
        assert layer.input.shape[1:4] == (1, 1, 1)


def test_a_gate_multiplies_its_channels():
    model = make("cnn3d", se=True)
    x = volume(16, 16, 16)
    for number in range(1, 6):
        gate = model.get_layer(f"block{number}_excite2")
        gate.set_weights([np.zeros(gate.kernel.shape), np.zeros(gate.units)])  # sigmoid(0) = 1/2
    both = keras.Model(model.input, [model.get_layer("block2_relu").output, model.get_layer("block2_excited").output])
    before, after = both(x, training=False)
    np.testing.assert_allclose(after, 0.5 * np.asarray(before), rtol=1e-6)


@pytest.mark.parametrize("name", ["cnn3d", "resnet3d_10"])
@pytest.mark.parametrize(
    ("norm", "layer"),
    [("batch", "BatchNormalization"), ("group", "GroupNormalization"), ("instance", "GroupNormalization")],
)
def test_the_normalisation_that_is_asked_for_stands_everywhere(name, norm, layer):
    with keras.StatelessScope(initialize_variables=False):
        model = make(name, norm=norm)
    found = [type(one).__name__ for one in model.layers if "Normalization" in type(one).__name__]
    assert set(found) == {layer}
    assert len(found) == {"cnn3d": 5, "resnet3d_10": 12}[name]
    for one in model.layers:
        if layer == "GroupNormalization" == type(one).__name__:
            assert one.groups == (one.input.shape[-1] if norm == "instance" else groups_of(one.input.shape[-1]))


def test_what_each_normalisation_sees():
    """Instance and group normalisation see one volume only; with one volume scaled, the other one's answer stays."""
    x = volume(16, 16, 16)
    other = x * np.array([1, 7], "float32").reshape(2, 1, 1, 1, 1)
    for norm, alone in (("batch", False), ("group", True), ("instance", True)):
        keras.utils.set_random_seed(0)
        model = make("cnn3d", norm=norm, dropout=0.0)
        same = np.allclose(model(x, training=True)["age"][0], model(other, training=True)["age"][0], rtol=1e-3)
        assert same == alone, norm
    # a channel alone has mean 0 and deviation 1 behind instance normalisation, behind group normalisation only its group has
    for norm, alone in (("instance", True), ("group", False)):
        model = make("cnn3d", norm=norm)
        maps = np.asarray(keras.Model(model.input, model.get_layer(f"block1_{norm}_norm").output)(x))
        assert np.allclose(maps.mean(axis=(1, 2, 3)), 0, atol=1e-3) == alone
        grouped = maps.reshape(2, -1, 4, 4)  # 16 channels in 4 groups
        np.testing.assert_allclose(grouped.mean(axis=(1, 3)), 0, atol=1e-3)


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (6, 1), (8, 2), (16, 4), (48, 12), (64, 16), (96, 24), (128, 32), (1024, 32), (130, 26)],
)
def test_groups_divide_the_channels(channels, groups):
    assert groups_of(channels) == groups
    assert channels % groups == 0


@pytest.mark.parametrize(("init", "variance"), [("he", 2 / (27 * 64)), ("glorot", 2 / (27 * (64 + 128)))])
def test_the_initialiser_of_the_convolutions(init, variance):
    """He 2015: 2 / inputs; Glorot 2010: 2 / (inputs + outputs)."""
    keras.utils.set_random_seed(0)
    kernel = np.asarray(make("cnn3d", init=init).get_layer("block4_conv").kernel)
    assert kernel.shape == (3, 3, 3, 64, 128)
    assert kernel.var() == pytest.approx(variance, rel=0.02)


def test_gap_is_adaptive_average_pooling_to_one():
    model = make("highres3dnet", (8, 9, 11))
    maps, pooled = keras.Model(model.input, [model.get_layer("gap").input, model.get_layer("gap").output])(
        volume(8, 9, 11)
    )
    adaptive = keras.layers.AdaptiveAveragePooling3D(1)(maps)
    np.testing.assert_allclose(pooled, np.asarray(adaptive)[:, 0, 0, 0], rtol=1e-4, atol=1e-5)


def test_highres3dnet_keeps_the_grid_and_pads_its_shortcut_with_channels_of_zeros():
    model = make("highres3dnet", (8, 9, 11))
    assert model.get_layer("gap").input.shape[1:] == (8, 9, 11, 64)
    wide = model.get_layer("stage2_block1_wide").output
    narrow = model.get_layer("stage1_block3_add").output
    before, after = (np.asarray(a) for a in keras.Model(model.input, [narrow, wide])(volume(8, 9, 11)))
    np.testing.assert_array_equal(after[..., 8:24], before)
    assert not after[..., :8].any()
    assert not after[..., 24:].any()
    dilations = {layer.name: layer.dilation_rate[0] for layer in model.layers if isinstance(layer, keras.layers.Conv3D)}
    assert len(dilations) == 19
    assert sorted(dilations.values()) == [1] * 7 + [2] * 6 + [4] * 6


@pytest.mark.parametrize(("name", "shape"), [("cnn3d", (2, 3, 4, 128)), ("resnet3d_10", (1, 2, 2, 512))])
def test_strides(name, shape):
    with keras.StatelessScope(initialize_variables=False):
        assert make(name, (32, 48, 64)).get_layer("gap").input.shape[1:] == shape


def test_a_strided_convolution_borders_both_sides_alike():
    """The mirrored volume gives the mirrored maps, on odd sizes, where the grid of strides is symmetrical."""
    model = make("resnet3d_10", 33, dropout=0.0)
    kernel = model.get_layer("stem_conv").kernel
    kernel.assign((np.asarray(kernel) + np.asarray(kernel)[::-1]) / 2)
    stem = keras.Model(model.input, model.get_layer("stem_pool").output)
    x = volume(33, 33, 33, n=1)
    np.testing.assert_allclose(stem(x[:, ::-1]), np.asarray(stem(x))[:, ::-1], rtol=1e-4, atol=1e-5)
