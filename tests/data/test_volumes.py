"""Volumes as the network gets them: values, order, resume; the same from files, from memory and from a pack."""

import factory
import nibabel
import numpy as np
import pandas as pd
import pytest

from medtf import table
from medtf.config import parse
from medtf.data import dataset, keeping, masks, pack, volume_grid
from medtf.data.header import read_header
from medtf.data.volume_grid import tiles
from medtf.errors import MedtfError

N, SHAPE = 6, (20, 24, 18)
LPS, PSR = np.diag([-2.0, -2, 2, 1]), np.array([[0, 0, 2.0, 0], [-2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]])


def config(size=16, batch_size=3, seed=0, **inputs):
    return parse(
        {
            "pipeline": "table",
            "targets": {"number": "regression"},
            "input": {"size": size, "normalise": "none", **inputs},
            "model": {"name": "cnn3d"},
            "train": {"batch_size": batch_size, "seed": seed},
        }
    )


def table_of(root, names):
    rows = [row for name in names for row in read_header(root, name)]
    assert not any(row["excluded"] for row in rows)
    frame = pd.DataFrame(rows).assign(number=np.arange(len(rows), dtype=float))
    return table.Table(frame.assign(patient=[f"P{n}" for n in range(len(rows))]))


def head(shape, seed):
    """A bright ball, different in every voxel, on a dark ground."""
    grid = np.indices(shape).astype(float)
    middle = (np.array(shape) - 1).reshape(3, 1, 1, 1) / 2
    ball = (((grid - middle) / (0.4 * middle * 2)) ** 2).sum(axis=0) < 1
    return np.random.default_rng(seed).integers(0, 20, shape) + ball * (300 + 10 * seed + grid[0].astype(int))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Six volumes in two orientations and grids."""
    root = tmp_path_factory.mktemp("volumes")
    for n in range(N):
        factory.nifti(root / f"{n}.nii.gz", head(SHAPE, n), affine=PSR if n % 2 else LPS, slope=0.5, intercept=1)
    return root, table_of(root, [f"{n}.nii.gz" for n in range(N)])


@pytest.fixture(autouse=True)
def _forget():
    yield
    keeping.forget()


def blocks(ds):
    return np.concatenate([batch[0].numpy() for batch in ds])


def canonical(path):
    return nibabel.as_closest_canonical(nibabel.load(path)).get_fdata(dtype=np.float32)


def test_a_whole_volume_is_nibabels_cropped_about_its_middle(volumes):
    root, found = volumes
    given = blocks(dataset.make(found, root, config((16, 16, 16)), training=False))
    for n in range(N):
        whole = canonical(root / f"{n}.nii.gz")
        first = [(have - 16) // 2 for have in whole.shape]
        expected = whole[tuple(slice(a, a + 16) for a in first)]
        np.testing.assert_array_equal(given[n, ..., 0], expected)


def test_padding_is_the_volumes_own_background(volumes):
    root, found = volumes
    given = blocks(dataset.make(found, root, config((32, 32, 32), pad=True), training=False))
    for n in range(N):
        whole = canonical(root / f"{n}.nii.gz")
        first = [(32 - have) // 2 + (32 - have) % 2 for have in whole.shape]
        inside = tuple(slice(a, a + have) for a, have in zip(first, whole.shape, strict=True))
        np.testing.assert_array_equal(given[n, ..., 0][inside], whole)
        around = np.ones((32, 32, 32), bool)
        around[inside] = False
        assert (given[n, ..., 0][around] == whole.min()).all()


@pytest.mark.parametrize("normalise", ["zscore", "percentile", "minmax"])
def test_normalisation_does_not_see_the_scale_of_a_scanner(volumes, tmp_path, normalise):
    """Twice as bright, and with an offset, is the same picture."""
    for n, (slope, intercept) in enumerate([(1, 0), (2, 0), (2, 7)]):
        factory.nifti(tmp_path / f"{n}.nii", head(SHAPE, 1), affine=LPS, slope=slope, intercept=intercept)
    found = table_of(tmp_path, [f"{n}.nii" for n in range(3)])
    given = blocks(dataset.make(found, tmp_path, config((20, 24, 18), normalise=normalise), training=False))
    np.testing.assert_allclose(given[1], given[0], atol=1e-5)
    np.testing.assert_allclose(given[2], given[0], atol=1e-5)
    if normalise != "zscore":
        assert given.min() == 0
        assert given.max() == 1


def test_zscores_are_of_the_foreground(volumes):
    root, found = volumes
    given = blocks(dataset.make(found, root, config((18, 18, 18), normalise="zscore"), training=False))
    for n in range(N):
        whole = canonical(root / f"{n}.nii.gz")
        few = np.sort(whole[::4, ::4, ::4].ravel())
        low, high = (few[(q * (few.size - 1) + 50) // 100] for q in (2, 98))
        foreground = whole[whole > low + 0.1 * (high - low)]
        start = [(have - 18) // 2 for have in whole.shape]
        cut = whole[tuple(slice(a, a + 18) for a in start)]
        np.testing.assert_allclose(given[n, ..., 0], (cut - foreground.mean()) / foreground.std(), atol=2e-4)


@pytest.fixture(scope="module")
def masked(volumes, tmp_path_factory):
    """The same with masks: a box of half the volume."""
    root, found = tmp_path_factory.mktemp("masked"), volumes[1]
    inside = np.zeros(SHAPE, np.uint8)
    inside[5:15, 6:18, 4:14] = 1
    for n in range(N):
        affine = PSR if n % 2 else LPS
        factory.nifti(root / f"{n}.nii.gz", head(SHAPE, n), affine=affine, slope=0.5, intercept=1)
        factory.nifti(root / "masks" / f"{n}_mask.nii", inside, affine=affine, dtype="uint8")
    frame, reasons = masks.attach(found.frame, root, "masks/{stem}_mask.nii")
    assert not reasons.any()
    return root, found.with_frame(frame)


def test_outside_the_mask_is_0_and_inside_are_zscores(masked):
    root, found = masked
    how = config((16, 16, 16), normalise="zscore", mask="masks/{stem}_mask.nii")
    given = blocks(dataset.make(found, root, how, training=False))
    for n in range(N):
        inside = canonical(root / "masks" / f"{n}_mask.nii") > 0
        whole = canonical(root / f"{n}.nii.gz")
        expected = np.where(inside, (whole - whole[inside].mean()) / whole[inside].std(), 0)
        first = [(have - 16) // 2 for have in whole.shape]
        cut = tuple(slice(a, a + 16) for a in first)
        np.testing.assert_allclose(given[n, ..., 0], expected[cut], atol=2e-5)


PATCHED = [{"sampler": s, "patches_per_volume": 5, "volumes_mixed": 2} for s in ("uniform", "foreground", "grid")]


@pytest.mark.parametrize("patches", [None, *PATCHED], ids=["whole", "uniform", "foreground", "grid"])
def test_an_epoch_that_is_begun_in_its_middle_goes_on_as_it_would_have(volumes, patches):
    root, found = volumes
    how = config(8, 2, patches=patches) if patches else config(16, 2)
    whole = blocks(dataset.make(found, root, how, training=True, epoch=2))
    assert len(whole) == (N * 5 if patches else N)
    for step in (1, 2):
        rest = blocks(dataset.make(found, root, how, training=True, epoch=2, step=step))
        np.testing.assert_array_equal(rest, whole[2 * step :])
    other = blocks(dataset.make(found, root, how, training=True, epoch=3))
    assert not np.array_equal(other, whole)


@pytest.mark.parametrize("patches", [None, *PATCHED], ids=["whole", "uniform", "foreground", "grid"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "judged"])
def test_keeping_volumes_changes_the_speed_alone(volumes, tmp_path, patches, training):
    """Whole numbers of the file are kept as they are: the same stream to the bit, from files, memory and a pack."""
    root, found = volumes
    size, batch = (8, 2) if patches else (16, 2)
    streams = []
    pack.write(found, root, config(size, batch), tmp_path / "p.pack")
    for keep in ("none", "memory", str(tmp_path / "p.pack")):
        how = config(size, batch, patches=patches, normalise="zscore", keep=keep)
        streams.append([(b, y["number"], w) for b, y, w in dataset.make(found, root, how, training=training)])
    for other in streams[1:]:
        assert len(other) == len(streams[0])
        for one, same in zip(streams[0], other, strict=True):
            np.testing.assert_array_equal(one[0], same[0])
            np.testing.assert_array_equal(one[1], same[1])
            np.testing.assert_allclose(one[2], same[2], rtol=1e-6)


def test_what_is_computed_is_kept_to_a_131000th_of_its_range(masked):
    root, found = masked
    for mask in (None, "masks/{stem}_mask.nii"):
        how = {"spacing_mm": 3.0, "normalise": "none", "mask": mask, "pad": True}
        files = blocks(dataset.make(found, root, config(12, **how), training=False))
        held = blocks(dataset.make(found, root, config(12, keep="memory", **how), training=False))
        assert np.abs(files - held).max() <= np.ptp(files) / 131_068 * 1.01


def test_processes_share_a_batch(volumes):
    root, found = volumes
    how = config(8, 4, patches=PATCHED[0])
    whole = blocks(dataset.make(found, root, how, training=True))
    shares = [blocks(dataset.make(found, root, how, training=True, shard=(i, 2))) for i in (0, 1)]
    np.testing.assert_array_equal(np.stack(shares, axis=1).reshape(whole.shape), whole)


def test_patches_of_several_volumes_are_in_one_batch(volumes):
    root, found = volumes
    patches = {"sampler": "uniform", "patches_per_volume": 4, "volumes_mixed": 3}
    stream = dataset.make(found, root, config(8, 3, patches=patches), training=True)
    whose = [set(labels["number"].numpy()[:, 0]) for _, labels, _ in stream]
    assert all(len(some) == 3 for some in whose)


def test_foreground_patches_have_their_middle_in_the_head(volumes):
    root, found = volumes
    patches = {"sampler": "foreground", "patches_per_volume": 20, "volumes_mixed": 2}
    given = blocks(dataset.make(found, root, config(8, 4, patches=patches), training=True))
    uniform = blocks(dataset.make(found, root, config(8, 4, patches=patches | {"sampler": "uniform"}), training=True))
    threshold = 1 + 0.5 * 30  # of the noise, at the most 19, half of it and one
    share = (given[:, 4, 4, 4, 0] > threshold).mean()
    assert share > 0.95
    assert share > (uniform[:, 4, 4, 4, 0] > threshold).mean() + 0.2


def test_tiles_cover_every_voxel_and_overlap():
    starts = tiles((50, 33, 16), (16, 16, 16), 0.25)
    seen = np.zeros((50, 33, 16), int)
    for a, b, c in starts:
        assert min(a, b, c) >= 0
        seen[a : a + 16, b : b + 16, c : c + 16] += 1
    assert seen.min() >= 1
    gaps = np.diff(np.unique(starts[:, 0]))
    assert gaps.max() <= 12  # a quarter of 16 is shared


def test_a_judged_volume_is_tiled_and_air_has_no_say(volumes):
    root, found = volumes
    how = config(8, 4, patches={"sampler": "uniform", "overlap": 0.0}, pad=True)
    rows, starts = volume_grid.blocks(found.frame, how)
    batches = list(dataset.make(found, root, how, training=False))
    assert sum(len(b[0]) for b in batches) == len(rows) == len(starts)
    np.testing.assert_array_equal(np.concatenate([b[1]["number"].numpy()[:, 0] for b in batches]), rows)
    weights = np.concatenate([b[2].numpy() for b in batches])
    for row in range(N):
        np.testing.assert_allclose(weights[rows == row].mean(), 1, rtol=1e-5)
    values = np.concatenate([b[0].numpy() for b in batches])
    dark = values.max(axis=(1, 2, 3, 4)) < 15
    assert (weights[dark] < 0.5).all()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"size": 40}, r"0.nii.gz: input.size 40 x 40 x 40 larger than the volume, 20 x 24 x 18 voxels: .*input.pad"),
        ({"size": 24, "patches": {}}, "0.nii.gz: patches of input.size 24 x 24 x 24 larger than the volume"),
        ({"size": 16, "spacing_mm": 4.0}, "larger than the volume, 10 x 12 x 9 voxels at 4 x 4 x 4 mm"),
        ({"size": 16, "volume": 1}, "0.nii.gz: input.volume 1: the file holds volumes 0 to 0"),
    ],
)
def test_what_headers_say_cannot_work_names_the_file(volumes, inputs, said):
    root, found = volumes
    with pytest.raises(MedtfError, match=said):
        dataset.make(found, root, config(**inputs), training=False)


def test_a_volume_of_four_dimensions_needs_a_number(tmp_path):
    values = np.random.default_rng(0).integers(0, 900, (16, 16, 16, 3))
    factory.nifti(tmp_path / "bold.nii.gz", values, affine=LPS)
    found = table_of(tmp_path, ["bold.nii.gz"])
    with pytest.raises(MedtfError, match=r"bold.nii.gz: 4D, 3 volumes of 16 x 16 x 16 voxels: .*input.volume"):
        dataset.make(found, tmp_path, config(16), training=False)
    for volume in range(3):
        given = blocks(dataset.make(found, tmp_path, config(16, volume=volume), training=False))
        np.testing.assert_array_equal(given[0, ..., 0], values[::-1, ::-1, :, volume])


def test_more_than_the_memory_holds_is_refused_with_two_ways_out(volumes, monkeypatch):
    root, found = volumes
    monkeypatch.setattr(keeping, "available", lambda: 50_000)
    with pytest.raises(
        MedtfError, match=r"6 decoded volumes take 104 kB, and 50 kB are free: .*medtf pack.*spacing_mm"
    ):
        dataset.make(found, root, config(keep="memory"), training=False)


def test_real_volumes_are_nibabels_to_the_bit(shared):
    """Both grids of the ageing sample (uint8 with a slope, LPS) and both of IXI (PSR)."""
    for folder, wanted in (("mri/aging/t1", 4), ("mri/ixi", 2)):
        root = shared / folder
        names = sorted(p.name for p in root.glob("*.nii.gz"))[-wanted:]
        found = table_of(root, names)
        given = blocks(dataset.make(found, root, config((80, 80, 80)), training=False))
        for n, name in enumerate(names):
            whole = canonical(root / name)
            cut = tuple(slice((have - 80) // 2, (have - 80) // 2 + 80) for have in whole.shape)
            np.testing.assert_array_equal(given[n, ..., 0], whole[cut])
