"""Heat maps while a network learns: what is written and when, that TensorBoard reads it, that nothing changes the training or ends it."""

import io

import keras
import numpy as np
import pandas as pd
import pytest
import small_runs
import tensorflow as tf
from keras import layers
from PIL import Image

from medtf import config as configs
from medtf import runs, train
from medtf.data import event_files
from medtf.errors import AskedWronglyError
from medtf.explain.callback import GradCAMCallback
from medtf.explain.grad_cam import GradCAM
from medtf.explain.runs import watching

TARGETS = {"age": {"regression": {"head": "gaussian"}}, "sick": "binary"}


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 24, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(image)))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy")
    return model


def batch(count=6):
    generator = np.random.default_rng(0)
    return generator.random((count, 16, 24, 1), np.float32), np.arange(count) % 2


def events(path) -> list:
    """As TensorFlow reads them, which checks every record's sum."""
    return [tf.compat.v1.Event.FromString(one.numpy()) for one in tf.data.TFRecordDataset(str(path))]


def test_pictures_come_every_so_many_epochs_and_show_the_weights_of_then(tmp_path):
    model, data = network(), batch()
    callback = GradCAMCallback(data, output_dir=tmp_path / "maps", every=2)
    model.fit(*data, epochs=5, verbose=0, callbacks=[callback])
    names = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert names == ["epoch_0002.png", "epoch_0004.png", "tensorboard"]
    model.fit(*data, epochs=6, initial_epoch=5, verbose=0, callbacks=[callback])
    last = Image.open(tmp_path / "maps" / "epoch_0006.png")
    # six pictures in three columns, enlarged to 128 pixels a side at least, with gaps of two
    assert last.size == (3 * 192 + 2 * 2, 2 * 128 + 2)
    small = GradCAM().explain(data, model)  # the same without enlargement
    assert np.array_equal(np.asarray(last)[:128:8, :192:8], small[:16, :24])


def test_tensorboard_is_given_the_same_picture(tmp_path):
    model, data = network(), batch()
    model.fit(*data, epochs=2, verbose=0, callbacks=[GradCAMCallback(data, output_dir=tmp_path)])
    files = sorted((tmp_path / "tensorboard").iterdir())
    assert [path.name for path in files] == [f"events.out.tfevents.000000000{epoch}.medtf" for epoch in (1, 2)]
    for epoch, path in enumerate(files, 1):
        version, event = events(path)
        assert version.file_version == "brain.Event:2"
        (value,) = event.summary.value
        assert (event.step, value.tag) == (epoch, "explain/grad-cam")
        png = (tmp_path / f"epoch_000{epoch}.png").read_bytes()
        assert value.image.encoded_image_string == png
        assert Image.open(io.BytesIO(png)).size == (value.image.width, value.image.height)


def test_tensorboard_reads_it(tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    png = io.BytesIO()
    Image.new("RGB", (30, 20)).save(png, "png")
    for step in (2, 10):
        event_files.write_picture(tmp_path, "explain/grad-cam", png.getvalue(), (20, 30), step=step)
    found = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert found.Tags()["images"] == ["explain/grad-cam"]
    images = found.Images("explain/grad-cam")
    assert [(one.step, one.width, one.height) for one in images] == [(2, 30, 20), (10, 30, 20)]
    assert images[0].encoded_image_string == png.getvalue()


def test_an_event_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        event_files.write_picture(tmp_path, "a", "no bytes but a path", ("20", 30), step=1)
    assert not list(tmp_path.iterdir())


def test_a_training_with_pictures_gives_the_weights_of_one_without(tmp_path):
    found = []
    for callbacks in ([], [GradCAMCallback(batch(), output_dir=tmp_path)]):
        model = network()
        model.fit(*batch(), epochs=3, batch_size=2, verbose=0, callbacks=callbacks)
        found.append(model.get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(*found, strict=True))


def test_a_picture_that_fails_is_told_once_and_ends_nothing(tmp_path):
    model, data = network(), batch()
    said = []
    callback = GradCAMCallback(data, output_dir=tmp_path, layer_name="conv2", say=said.append)
    history = model.fit(*data, epochs=3, verbose=0, callbacks=[callback])
    assert len(history.epoch) == 3
    (line,) = said
    assert line.startswith("no heat maps are drawn from epoch 1 on: layer 'conv2': ")
    assert "did you mean 'conv2d" in line
    assert not list(tmp_path.iterdir())


def test_without_a_listener_the_failure_is_a_warning(tmp_path):
    model, data = network(), batch()
    (tmp_path / "file").touch()
    with pytest.warns(UserWarning, match="no heat maps are drawn from epoch 1 on"):
        model.fit(*data, verbose=0, callbacks=[GradCAMCallback(data, output_dir=tmp_path / "file")])


def test_what_is_asked_wrongly_is_told_before_the_training():
    with pytest.raises(AskedWronglyError, match="method 'grad-can': did you mean 'grad-cam'"):
        GradCAMCallback(batch(), method="grad-can")
    with pytest.raises(ValueError, match="every=0"):
        GradCAMCallback(batch(), every=0)


def test_volumes_and_other_pictures_under_the_maps(tmp_path):
    image = keras.Input((8, 10, 12, 1))
    x = layers.Conv3D(2, 3, padding="same", name="conv")(image)
    model = keras.Model(image, layers.Dense(1)(layers.GlobalAveragePooling3D()(x)))
    model.compile("sgd", "mse")
    volumes = np.random.default_rng(0).random((2, 8, 10, 12, 1), np.float32)
    drawn = []
    callback = GradCAMCallback(
        lambda: (volumes, None), output_dir=tmp_path, drawn=lambda x: drawn.append(x.shape) or 0 * x
    )
    model.fit(volumes, np.zeros(2), verbose=0, callbacks=[callback])
    assert drawn == [(2, 8, 10, 12, 1)]
    assert min(Image.open(tmp_path / "epoch_0001.png").size) >= 128


# === medtf fit ===


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return small_runs.pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module", autouse=True)
def _small():
    """A network of one convolution in the place of MobileNet."""

    def small(*, include_top, weights, input_shape):
        image = keras.Input(input_shape)
        x = layers.Conv2D(6, 3, strides=2, name="conv")(image)
        return keras.Model(image, layers.ReLU()(layers.BatchNormalization(name="bn")(x)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, "MobileNet", small)
        yield


@pytest.fixture(scope="module")
def whole(_small, data, tmp_path_factory):
    """A run with a picture of every epoch."""
    return fitted(settings(every=1, examples=6), data, tmp_path_factory.mktemp("whole") / "run")


def settings(**explain):
    learning = {"epochs": 3, "batch_size": 4, "precision": "float32", "jit": False}
    augment = {"flip": 0.5, "noise": 0.1}
    return small_runs.settings(targets=TARGETS, train=learning, augment=augment, explain=explain)


def fitted(config, data, folder, said=None):
    return train.fit(config, data, runs.new(folder), told=train.Told(say=(said if said is not None else []).append))


def weights(run):
    return keras.saving.load_model(run.model, compile=False).get_weights()


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_fit_draws_into_the_run_and_learns_the_same(whole, data, tmp_path):
    folder = whole.folder / "explain" / "training"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["epoch_0001.png", "epoch_0002.png", "epoch_0003.png", "tensorboard"]
    assert len(list((folder / "tensorboard").iterdir())) == 3
    without = fitted(settings(), data, tmp_path / "without")
    assert not (without.folder / "explain").exists()
    assert same(weights(whole), weights(without))
    pd.testing.assert_frame_equal(*(pd.read_csv(run.history) for run in (whole, without)))


@pytest.mark.slow
def test_a_resumed_training_with_pictures_ends_with_the_same_weights(whole, data, tmp_path, monkeypatch):
    run = runs.new(tmp_path / "cut")
    after = GradCAMCallback.write

    def killed(self, epoch):
        if epoch == 2:
            raise KeyboardInterrupt
        return after(self, epoch)

    monkeypatch.setattr(GradCAMCallback, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        train.fit(whole.config(), data, run, told=train.Told(say=lambda line: None))
    monkeypatch.setattr(GradCAMCallback, "write", after)
    train.resume(run, told=train.Told(say=lambda line: None))
    assert same(weights(whole), weights(run))
    drawn = [
        {path.name: path.read_bytes() for path in (one.folder / "explain" / "training").glob("*.png")}
        for one in (whole, run)
    ]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 3


def test_fit_goes_on_where_the_pictures_cannot_be_read(data, tmp_path, monkeypatch):
    said = []

    def gone(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(watching.gallery_pictures, "seen", gone)
    run = fitted(settings(every=1), data, tmp_path / "run", said)
    assert [line for line in said if "heat map" in line] == ["no heat maps are drawn from epoch 1 on: the disk is gone"]
    assert run.ended()


def test_fit_tells_what_cannot_be_drawn_before_it_makes_a_folder(data, tmp_path):
    with pytest.raises(AskedWronglyError, match="method 'gradcam': did you mean 'grad-cam'"):
        fitted(settings(every=1, method="gradcam"), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"explain": {"target": "sik"}}, r"explain\.target: 'sik' is no target: did you mean 'sick'"),
        ({"explain": {"evry": 1}}, "did you mean 'every'"),
        ({"explain": {"every": -1}}, r"explain\.every: .*greater than or equal to 0, found -1"),
        (
            {"explain": {"every": 1}, "targets": {}, "pretrain": {"task": "rotation"}},
            r"explain\.every: a pretraining has no answer to be explained",
        ),
    ],
)
def test_wrong_settings(raw, words):
    with pytest.raises(AskedWronglyError, match=words):
        configs.parse({"pipeline": "table", "targets": TARGETS} | raw)


def test_the_first_binary_target_is_drawn_where_none_is_asked_for():
    assert watching.target_of(settings()) == "sick"
    assert watching.target_of(settings(target="age")) == "age"


def test_examples_are_of_each_class_in_turn_and_of_other_people_first():
    frame = pd.DataFrame(
        {
            "patient": ["a", "a", "b", "c", "c", "d", "e"],
            "sick": [1, 1, 0, 1, 0, np.nan, 0],
            "age": [50, 51, np.nan, 53, 54, 55, 56],
        }
    )
    targets = settings().targets

    def chosen(name, count):
        return watching.chosen(frame, name, targets[name], count)

    # sick: rows 0 (a), 3 (c), then a again; healthy: 2 (b), 4 (c), 6 (e); the unknown comes last
    assert chosen("sick", 7) == [0, 2, 3, 4, 1, 6, 5]
    assert chosen("sick", 3) == [0, 2, 3]
    assert chosen("age", 7) == [0, 3, 5, 6, 1, 4, 2]
