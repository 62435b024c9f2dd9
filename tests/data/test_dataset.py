"""The whole pipeline: what comes in which order, with which labels, the same wherever it was begun."""

import factory
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from pydicom.uid import RLELossless
from scipy.ndimage import map_coordinates

from medtf import table
from medtf.config import parse
from medtf.data import dataset, pixels
from medtf.data.header import read_header
from medtf.errors import AskedWronglyError, MedtfError

N = 22
SIZE = 16


def config(batch_size=4, windows=("brain", "bone"), targets=None, seed=0, undersample="none", **inputs):
    return parse(
        {
            "pipeline": "table",
            "targets": targets or {"number": "regression"},
            "data": {"undersample": undersample},
            "input": {"size": SIZE, "windows": list(windows) if windows else None, **inputs},
            "train": {"batch_size": batch_size, "seed": seed},
        }
    )


def table_of(root, names, **columns):
    rows = [row for name in names for row in read_header(root, name)]
    assert not any(r["excluded"] for r in rows)
    frame = pd.DataFrame(rows).assign(number=np.arange(len(rows), dtype=float))
    return table.Table(frame.assign(**columns))


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """22 equal slices of flat tissue, so that whatever differs was drawn."""
    root = tmp_path_factory.mktemp("slices")
    hu = np.full((SIZE, SIZE), 50)
    for n in range(N):
        factory.dicom(root / f"{n:02d}.dcm", hu + 1024, patient=f"P{n // 2}")
    return root, table_of(root, [f"{n:02d}.dcm" for n in range(N)])


def numbers(ds):
    return [batch[1]["number"].numpy()[:, 0].astype(int).tolist() for batch in ds]


def flat(batches):
    return [number for batch in batches for number in batch]


def images(ds):
    return [batch[0].numpy() for batch in ds]


# === Evaluation ===


def test_evaluation_keeps_every_example_in_the_tables_order(slices):
    root, found = slices
    ds = dataset.make(found, root, config(), training=False)
    assert [len(b) for b in numbers(ds)] == [4, 4, 4, 4, 4, 2]
    assert flat(numbers(ds)) == list(range(N))
    assert flat(numbers(ds)) == list(range(N))  # again
    x, labels, weights = next(iter(ds))
    assert x.shape == (4, SIZE, SIZE, 2)
    assert x.dtype == labels["number"].dtype == weights.dtype == tf.float32
    np.testing.assert_array_equal(weights, np.ones(4))


def test_evaluation_is_not_undersampled_and_not_jittered(slices):
    root, found = slices
    found = found.with_frame(found.frame.assign(y=[1.0] * 3 + [0.0] * (N - 3)))
    how = {"targets": {"y": "binary"}, "undersample": "each_epoch", "window_jitter": [20, 20]}
    got = np.concatenate(images(dataset.make(found, root, config(**how), training=False)))
    # (50 - 40) / 80 + 0.5 and (50 - 600) / 2800 + 0.5
    np.testing.assert_allclose(got, np.broadcast_to([0.625, 0.5 - 550 / 2800], got.shape), atol=1e-6)


def test_unknown_labels_stay_unknown(slices):
    root, found = slices
    found = found.with_frame(found.frame.assign(y=[1.0, 0.0, np.nan, 1.0] + [np.nan] * (N - 4)))
    _, labels, _ = next(
        iter(dataset.make(found, root, config(targets={"y": "binary", "number": "regression"}), training=False))
    )
    np.testing.assert_array_equal(labels["y"], [[1], [0], [np.nan], [1]])


# === Training ===


def test_an_epoch_holds_whole_batches_without_repeats(slices):
    root, found = slices
    got = numbers(dataset.make(found, root, config(), training=True, epoch=3))
    assert [len(b) for b in got] == [4] * 5
    assert len(set(flat(got))) == 20
    assert got == numbers(dataset.make(found, root, config(), training=True, epoch=3))
    assert got != numbers(dataset.make(found, root, config(), training=True, epoch=4))
    assert got != numbers(dataset.make(found, root, config(seed=1), training=True, epoch=3))


def test_images_and_labels_stay_together(tmp_path):
    for n in range(8):
        factory.dicom(tmp_path / f"{n}.dcm", np.full((SIZE, SIZE), 1024 + 10 * n))
    found = table_of(tmp_path, [f"{n}.dcm" for n in range(8)])
    for x, labels, _ in dataset.make(found, tmp_path, config(windows=[[40, 80]]), training=True, epoch=1):
        np.testing.assert_allclose(x[:, 0, 0, 0], labels["number"][:, 0] * 10 / 80, atol=1e-6)


def test_variables_are_read_again_at_each_iteration(slices):
    root, found = slices
    epoch, step = tf.Variable(0, dtype=tf.int64), tf.Variable(0, dtype=tf.int64)
    ds = dataset.make(found, root, config(), training=True, epoch=epoch, step=step)
    by_number = [numbers(dataset.make(found, root, config(), training=True, epoch=e)) for e in range(3)]
    assert numbers(ds) == by_number[0]
    epoch.assign(2)
    assert numbers(ds) == by_number[2]
    step.assign(3)
    assert numbers(ds) == by_number[2][3:]


def test_shards_share_out_the_batch_with_the_same_pixels(slices):
    root, found = slices
    how = config(window_jitter=[5, 10])
    whole = list(dataset.make(found, root, how, training=True))
    shards = [list(dataset.make(found, root, how, training=True, shard=(i, 2))) for i in range(2)]
    assert len(whole) == len(shards[0]) == len(shards[1])
    for batch, a, b in zip(whole, *shards, strict=True):
        pieces = {int(n): x for part in (a, b) for n, x in zip(part[1]["number"][:, 0], part[0].numpy(), strict=True)}
        assert len(pieces) == 4
        for n, x in zip(batch[1]["number"][:, 0], batch[0].numpy(), strict=True):
            np.testing.assert_array_equal(pieces[int(n)], x)  # jitter does not depend on who reads


# === Window jitter ===


def test_jitter_differs_by_place_and_not_by_run(slices):
    root, found = slices
    how = config(window_jitter=[5, 10])
    one = images(dataset.make(found, root, how, training=True))
    np.testing.assert_array_equal(one, images(dataset.make(found, root, how, training=True)))
    values = np.concatenate(one)[:, 0, 0]  # equal slices: one value an example and channel
    assert len(np.unique(values[:, 0])) == len(values)
    assert not np.array_equal(one, images(dataset.make(found, root, how, training=True, epoch=1)))
    other = config(window_jitter=[5, 10], seed=9)
    assert not np.array_equal(one, images(dataset.make(found, root, other, training=True)))


def test_jitter_has_the_spread_that_was_asked_for(tmp_path):
    # centre alone, 4 HU on a window of 80: (50 - 40 - d) / 80 + 0.5, d ~ N(0, 4)
    factory.dicom(tmp_path / "a.dcm", np.full((SIZE, SIZE), 50 + 1024))
    found = table_of(tmp_path, ["a.dcm"])
    found = found.with_frame(pd.concat([found.frame] * 400))
    how = config(batch_size=100, windows=["brain"], window_jitter=[4, 0])
    values = np.concatenate(images(dataset.make(found, tmp_path, how, training=True)))[:, 0, 0, 0]
    drawn = (0.625 - values) * 80
    assert abs(drawn.mean()) < 0.8  # four standard errors
    assert 3.4 < drawn.std() < 4.6


def test_no_jitter_is_identity(slices):
    root, found = slices
    got = np.concatenate(images(dataset.make(found, root, config(), training=True)))
    np.testing.assert_allclose(got, np.broadcast_to([0.625, 0.5 - 550 / 2800], got.shape), atol=1e-6)


@pytest.mark.parametrize("shard", [(0, 1), (1, 2)])
def test_a_resumed_epoch_goes_on_with_the_same_pixels(slices, shard):
    root, found = slices
    how = config(window_jitter=[5, 10])
    whole = images(dataset.make(found, root, how, training=True, epoch=2, shard=shard))
    rest = images(dataset.make(found, root, how, training=True, epoch=2, step=3, shard=shard))
    assert len(rest) == 2
    np.testing.assert_array_equal(rest, whole[3:])


# === Mixed tables, against NumPy ===


def test_mixed_layouts_against_numpy(tmp_path):
    """Raw, padded, compressed, big, small, not square, frames: one table, one reference."""
    factory.dicom(tmp_path / "raw.dcm", factory.head(24) + 1024)
    factory.dicom(
        tmp_path / "padded.dcm", np.where(factory.head(24) < -500, -2000, factory.head(24) + 1024), padding=-2000
    )
    factory.dicom(tmp_path / "rle.dcm", factory.head(24, seed=2) + 1024, compress=RLELossless)
    factory.dicom(tmp_path / "large.dcm", factory.head(64, seed=3) + 1024, signed=False, bits_stored=12, rubbish=1)
    factory.dicom(tmp_path / "wide.dcm", np.maximum(factory.head(20, 28), -1024) + 1024, signed=False)
    factory.dicom(tmp_path / "multi.dcm", np.stack([factory.head(20, seed=s) for s in (4, 5)]), intercept=[0, 3])
    found = table_of(tmp_path, ["raw.dcm", "padded.dcm", "rle.dcm", "large.dcm", "wide.dcm", "multi.dcm"])
    windows = ((40.0, 80.0), (80.0, 200.0), (600.0, 2800.0))
    how = config(windows=("brain", "subdural", "bone"), aspect="pad")
    got = np.concatenate(images(dataset.make(found, tmp_path, how, training=False)))
    assert len(got) == 7
    for row, image in zip(found.frame.to_dict("records"), got, strict=True):
        hu = pixels.hounsfield(tmp_path, row).astype(float)
        if row["path"] == "wide.dcm":
            hu = np.pad(hu, ((4, 4), (0, 0)), constant_values=-1000)
        if row["path"] == "large.dcm":
            small = hu.reshape(16, 4, 16, 4).mean(axis=(1, 3))
        else:
            grid = (np.arange(SIZE) + 0.5) * len(hu) / SIZE - 0.5
            small = map_coordinates(hu, np.meshgrid(grid, grid, indexing="ij"), order=1, mode="nearest")
        expected = np.stack([np.clip((small - c) / w + 0.5, 0, 1) for c, w in windows], axis=-1)
        np.testing.assert_allclose(image, expected, atol=3e-4, err_msg=row["path"])
        assert image.min() >= 0
        assert image.max() <= 1


def test_pictures_of_two_kinds(tmp_path):
    factory.picture(tmp_path / "a.png", np.full((SIZE, SIZE), 51, np.uint8))
    factory.picture(tmp_path / "b.png", np.full((SIZE, SIZE), 13107, np.uint16))
    factory.picture(tmp_path / "c.jpg", np.full((SIZE, SIZE), 51, np.uint8))
    found = table_of(tmp_path, ["a.png", "b.png", "c.jpg"])
    (batch,) = images(dataset.make(found, tmp_path, config(windows=None), training=False))
    np.testing.assert_allclose(batch, np.full((3, SIZE, SIZE, 1), 0.2), atol=1e-6)


# === What is refused ===


def test_ct_without_windows_and_windows_without_ct(slices, tmp_path):
    root, found = slices
    with pytest.raises(MedtfError, match=r"name input\.windows"):
        dataset.make(found, root, config(windows=None), training=False)
    factory.picture(tmp_path / "a.png", np.zeros((8, 8), np.uint8))
    pictures = table_of(tmp_path, ["a.png"])
    with pytest.raises(MedtfError, match=r"images that are not CT: set input\.windows to null"):
        dataset.make(pictures, tmp_path, config(), training=False)


def test_nothing_to_read(slices):
    root, found = slices
    with pytest.raises(MedtfError, match="the fold is empty"):
        dataset.make(found.with_frame(found.frame[:0]), root, config(), training=False)
    for build in (
        lambda: dataset.make(found, root, config(batch_size=23), training=True),
        lambda: dataset.steps_an_epoch(found, config(batch_size=23)),
    ):
        with pytest.raises(MedtfError, match=r"holds 22 examples, fewer than train\.batch_size 23: lower it"):
            build()
    with pytest.raises(MedtfError, match="batch_size 4 cannot be cut among 3 processes"):
        dataset.make(found, root, config(), training=True, shard=(0, 3))


def test_undersampling_that_cannot_be(slices):
    root, found = slices
    with pytest.raises(MedtfError, match="'number' is continuous"):
        dataset.make(found, root, config(undersample="each_epoch"), training=True)
    found = found.with_frame(found.frame.assign(y=1.0))
    with pytest.raises(MedtfError, match="one class of 'y' only"):
        dataset.make(found, root, config(undersample="fixed", targets={"y": "binary"}), training=True)
    with pytest.raises(AskedWronglyError, match="no column"):
        dataset.make(found, root, config(targets={"z": "binary"}), training=True)


def test_colour_beside_dicom(tmp_path):
    factory.picture(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    factory.dicom(tmp_path / "b.dcm", np.arange(64).reshape(8, 8), modality="DX", slope=None)
    found = table_of(tmp_path, ["a.png", "b.dcm"])
    with pytest.raises(MedtfError, match=r"set input\.channels to 1"):
        dataset.make(found, tmp_path, config(windows=None, channels=3), training=False)


def test_colour_of_a_single_dicom_layout(tmp_path):
    factory.dicom(tmp_path / "b.dcm", np.arange(64).reshape(8, 8), modality="DX", slope=None)
    found = table_of(tmp_path, ["b.dcm"])
    with pytest.raises(MedtfError, match=r"set input\.channels to 1"):
        dataset.make(found, tmp_path, config(windows=None, channels=3), training=False)
