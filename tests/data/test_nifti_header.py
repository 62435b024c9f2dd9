"""Which volumes are read, and why the others are left out: one verdict a file, from its header alone."""

import gzip
import re

import factory
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from medtf.data import masks, nifti, pixels
from medtf.data.header import read_header

VALUES = np.arange(4 * 5 * 6).reshape(4, 5, 6)


def row_of(path):
    [row] = read_header(path.parent, path.name)
    return row


# === What is read ===


def test_a_row_says_all_that_the_reader_needs(tmp_path):
    affine = np.array([[-1.5, 0, 0, 10], [0, 2, 0.25, -20], [0, 0, 3, 1 / 3], [0, 0, 0, 1]])
    how = {"dtype": "uint16", "version": 2, "big_endian": True, "slope": 0.1, "intercept": -4}
    row = row_of(factory.nifti(tmp_path / "a.nii.gz", VALUES, affine=affine, **how))
    read = {name: row[name] for name in row if name.startswith("read_")}
    assert (row["excluded"], row["syntax"], row["modality"]) == ("", "nifti-2", "")
    assert (read["read_kind"], read["read_dtype"], read["read_shape"]) == ("nifti_gz", "uint16", "4 5 6")
    assert (read["read_offset"], read["read_length"], read["read_bits_allocated"]) == (544, 240, 16)
    assert (read["read_big_endian"], read["read_slope"], read["read_intercept"]) == (True, 0.1, -4)
    numbers = [float(number) for number in read["read_affine"].split()]
    np.testing.assert_array_equal(np.reshape(numbers, (3, 4)), affine[:3])


def test_the_grid_of_a_file_that_lies_in_lps(tmp_path):
    """x and y run the other way: their last voxel becomes the first."""
    affine = np.diag([-2.0, -3, 4, 1])
    affine[:3, 3] = 100, 200, 300
    grid = nifti.parse(row_of(factory.nifti(tmp_path / "a.nii", VALUES, affine=affine)))
    assert (grid.shape, grid.axes, grid.flips, grid.volumes) == ((4, 5, 6), (0, 1, 2), (True, True, False), 1)
    assert grid.spacing == (2, 3, 4)
    np.testing.assert_array_equal(grid.affine[:3, 3], (100 - 2 * 3, 200 - 3 * 4, 300))
    np.testing.assert_array_equal(grid.affine[:3, :3], np.diag([2, 3, 4]))


def test_a_name_says_nothing_the_bytes_do(tmp_path):
    packed = factory.nifti(tmp_path / "a.nii.gz", VALUES)
    plain = factory.nifti(tmp_path / "b.nii", VALUES)
    packed.rename(tmp_path / "a.nii")
    plain.rename(tmp_path / "b")
    assert row_of(tmp_path / "a.nii")["read_kind"] == "nifti_gz"
    assert row_of(tmp_path / "b")["read_kind"] == "nifti"


def test_gzip_in_several_members_is_whole(tmp_path):
    """What bgzip writes; the length at the end of the file is that of the last member only."""
    data = factory.nifti(tmp_path / "a.nii", VALUES).read_bytes()
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:]) + gzip.compress(b""))
    assert row_of(path)["excluded"] == ""
    np.testing.assert_array_equal(nifti.volume(tmp_path, row_of(path)), VALUES)


def test_bytes_after_the_voxels_do_no_harm(tmp_path):
    for name in ("a.nii", "b.nii.gz"):
        path = factory.nifti(tmp_path / name, VALUES)
        data = path.read_bytes()
        path.write_bytes(gzip.compress(gzip.decompress(data) + b"more") if name.endswith("gz") else data + b"more")
        assert row_of(path)["excluded"] == ""
        np.testing.assert_array_equal(nifti.volume(tmp_path, row_of(path)), VALUES)


# === What is left out ===

LEFT_OUT = {
    "a single slice or line, 4 x 5": {"values": VALUES[..., 0]},
    "a single slice or line, 4 x 5 x 1": {"values": VALUES[..., :1]},
    "5D, 4 x 5 x 6 x 1 x 2: expected 3D, or 4D with input.volume": {"values": np.zeros((4, 5, 6, 1, 2))},
    "no voxels: the shape is 4 x 0 x 6": {"dim": [3, 4, 0, 6, 1, 1, 1, 1]},
    "dim[0] is 9, expected 1 to 7": {"dim": [9, 4, 5, 6, 1, 1, 1, 1]},
    "voxels are complex64: expected integers or floats": {"dtype": "complex64"},
    "voxels are RGB:": {"datatype": 128},
    "voxels are RGBA:": {"datatype": 2304},
    "voxels are float128:": {"datatype": 1536},
    "voxels are complex128:": {"datatype": 1792},
    "voxels are of single bits:": {"datatype": 1},
    "voxels are of unknown type:": {"datatype": 0},
    "voxels are of unknown type 77:": {"datatype": 77},
    "half of a NIfTI .hdr/.img pair": {"magic": b"ni1\0"},
    "an Analyze 7.5 header, which does not say left from right": {"magic": b""},
    "the header counts in micrometres": {"xyzt_units": 3 + 8},
    "the header counts in metres": {"xyzt_units": 1},
    "the affine is singular": {"affine": np.diag([1, 1, 0, 1])},
    "the affine is not finite": {"affine": np.diag([1, 1, np.nan, 1])},
    "vox_offset 0 lies inside the header": {"vox_offset": 0},
    "vox offset 100 too low": {"vox_offset": 100},
    "invalid intercept nan": {"intercept": np.nan, "slope": 2},
    "w2 should be positive": {"sform_code": 0, "qform_code": 1, "quatern": [1, 1, 1]},
    "truncated: 240 of 24000000000 bytes of voxels": {"dim": [3, 2000, 2000, 3000, 1, 1, 1, 1]},
}


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(("reason", "how"), LEFT_OUT.items())
def test_what_cannot_be_an_example_says_why(tmp_path, reason, how, packed):
    path = factory.nifti(tmp_path / f"a.nii{packed}", **({"values": VALUES} | how))
    said = row_of(path)["excluded"]
    if packed and reason.startswith("truncated"):
        reason = "bytes of gzip cannot hold the 24000000352 bytes that the header promises"
    assert reason in said
    assert "\n" not in said


def test_a_second_version_with_another_magic(tmp_path):
    assert "magic b'n+1" in row_of(factory.nifti(tmp_path / "a.nii", VALUES, version=2, magic=b"n+1"))["excluded"]
    assert ".hdr/.img pair" in row_of(factory.nifti(tmp_path / "a.nii", VALUES, version=2, magic=b"ni2"))["excluded"]


def test_both_halves_of_a_pair(tmp_path):
    nib.save(nib.Nifti1Pair(VALUES.astype(np.int16), np.eye(4)), tmp_path / "a.img")
    for name in ("a.hdr", "a.img"):
        assert row_of(tmp_path / name)["excluded"].startswith("half of a ")


@pytest.mark.parametrize("version", [1, 2])
def test_a_cut_file_is_left_out_wherever_it_is_cut(tmp_path, version):
    path = factory.nifti(tmp_path / "a.nii", VALUES, version=version)
    whole = path.read_bytes()
    for length in range(4, len(whole), 7):
        path.write_bytes(whole[:length])
        assert row_of(path)["excluded"].startswith(("truncated: ", "an Analyze"))
    path.write_bytes(whole[:-1])
    assert row_of(path)["excluded"] == "truncated: 239 of 240 bytes of voxels"


def test_a_cut_gzip_is_left_out_wherever_it_is_cut(tmp_path):
    values = np.random.default_rng(0).integers(0, 1000, (16, 16, 16))
    path = factory.nifti(tmp_path / "a.nii.gz", values)
    whole = path.read_bytes()
    for length in [*range(3, len(whole), 97), len(whole) - 9]:
        path.write_bytes(whole[:length])
        digest, reason = "", row_of(path)["excluded"]
        if not reason:  # the last bytes hold the checksum only; the pixel pass reads them
            digest, reason = pixels.check(tmp_path, row_of(path))
        assert not digest
        assert "truncated" in reason or "Compressed file ended" in reason


@pytest.mark.parametrize(("tail", "reason"), [(bytes(512), "zeros follow the end"), (b"rubbish", "other bytes follow")])
def test_what_follows_a_gzip(tmp_path, tail, reason):
    """Python's gzip reads over zeros; zlib, and so the graph, does not."""
    path = factory.nifti(tmp_path / "a.nii.gz", VALUES)
    path.write_bytes(path.read_bytes() + tail)
    assert reason in row_of(path)["excluded"]


def test_gzip_of_other_things(tmp_path):
    path = tmp_path / "sheet.csv.gz"
    path.write_bytes(gzip.compress(b"ID,Label\n"))
    assert row_of(path)["excluded"] == "gzip of something that is not NIfTI: unpack it"
    path.write_bytes(gzip.compress(b""))
    assert row_of(path)["excluded"].startswith("truncated: the gzip ends")


@pytest.mark.parametrize("version", [1, 2])
def test_a_damaged_header_is_refused_or_read_as_nibabel_reads_it(tmp_path, version):
    """400 headers with one byte changed."""
    rng = np.random.default_rng(version)
    whole = factory.nifti(tmp_path / "a.nii", VALUES, version=version, affine=np.diag([-2, 1, 3, 1])).read_bytes()
    path, kept = tmp_path / "b.nii", 0
    for _ in range(400):
        broken = bytearray(whole)
        broken[rng.integers(348 if version == 1 else 540)] = rng.integers(256)
        path.write_bytes(broken)
        row = row_of(path)
        if row["excluded"]:
            continue
        kept += 1
        image = nib.as_closest_canonical(nib.load(path))
        with np.errstate(over="ignore"):
            expected = image.get_fdata().astype(np.float32)
        np.testing.assert_array_equal(nifti.parse(row).affine, image.affine)
        np.testing.assert_array_equal(nifti.volume(tmp_path, row), expected.reshape(nifti.parse(row).shape))
        pixels.check(tmp_path, row)
    assert 200 < kept < 400


# === The pixel pass ===


def test_one_volume_has_one_hash_however_it_is_stored(tmp_path):
    values = np.random.default_rng(0).integers(0, 200, (9, 8, 7))
    ways = {
        "plain.nii": {},
        "packed.nii.gz": {"dtype": "float64", "version": 2},
        "scaled.nii": {"values": values + 100, "intercept": -100},
        "turned.nii": {
            "values": values[::-1],
            "affine": np.array([[-1, 0, 0, 8], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        },
        "negative.nii": {"values": -values, "slope": -1},
    }
    digests = {}
    for name, how in ways.items():
        digests[name] = pixels.check(tmp_path, row_of(factory.nifti(tmp_path / name, **({"values": values} | how))))
    assert len(set(digests.values())) == 1
    assert re.fullmatch("[0-9a-f]{32}", digests["plain.nii"][0])
    factory.nifti(tmp_path / "other.nii", np.where(values == values.max(), 0, values))
    factory.nifti(tmp_path / "shape.nii", values.reshape(9, 7, 8))
    others = {pixels.check(tmp_path, row_of(tmp_path / name))[0] for name in ("other.nii", "shape.nii")}
    assert len(others - {digests["plain.nii"][0], ""}) == 2


def test_voxels_that_are_no_numbers_are_counted(tmp_path):
    values = np.random.default_rng(0).normal(size=(10, 10, 10))
    values[0, 0, :3], values[1, 1, 1] = np.nan, np.inf
    row = row_of(factory.nifti(tmp_path / "a.nii", values, dtype="float32"))
    assert pixels.check(tmp_path, row) == ("", "4 voxels (0.40%) are not a number or infinite")


def test_constant_and_empty_volumes(tmp_path):
    row = row_of(factory.nifti(tmp_path / "a.nii", np.full((9, 9, 9), 3), slope=2))
    assert pixels.check(tmp_path, row) == ("", "constant: every voxel is 6")
    values = np.zeros((32, 32, 32))
    values[16, 16] = 1  # 1 of 1024 columns
    assert pixels.check(tmp_path, row_of(factory.nifti(tmp_path / "b.nii", values)))[1].startswith(
        "empty: 0.10% of the"
    )
    values[16, 15:18] = 1  # no more than a few vessels: sparse, and to be kept
    assert pixels.check(tmp_path, row_of(factory.nifti(tmp_path / "c.nii", values)))[1] == ""


def test_a_4d_file_is_judged_by_the_volume_that_is_asked_for(tmp_path):
    values = np.random.default_rng(0).integers(0, 200, (6, 6, 6, 3))
    values[..., 1] = 7
    row = row_of(factory.nifti(tmp_path / "a.nii.gz", values))
    assert pixels.check(tmp_path, row, 1) == ("", "constant: every voxel is 7")
    one = pixels.check(tmp_path, row_of(factory.nifti(tmp_path / "b.nii", values[..., 2])))
    assert pixels.check(tmp_path, row, 2) == one
    everything, reason = pixels.check(tmp_path, row)
    assert everything != one[0]
    assert reason == ""
    assert "no volume 3" in pixels.check(tmp_path, row, 3)[1]


def test_the_threshold_of_a_head_lies_between_air_and_tissue(tmp_path):
    """Percentiles of a volume whose answer is known: 0 ... 999 in every fourth voxel gives t2 = 20, t98 = 979."""
    values = np.full((40, 40, 40), np.nan, np.float32)
    values[::4, ::4, ::4] = np.random.default_rng(0).permutation(1000).reshape(10, 10, 10)
    assert nifti.foreground_threshold(values) == pytest.approx(20 + 0.1 * (979 - 20))
    values = np.zeros((8, 8, 8), np.float32)
    values[:4] = 100
    assert nifti.foreground_ml(values, (1, 2, 5)) == pytest.approx(4 * 8 * 8 * 10 / 1000)
    assert nifti.foreground_ml(values, (1, 2, 5), values < 0) == 0


def test_the_pixel_pass_counts_the_foreground_in_ml(tmp_path):
    """A block of 12 x 10 x 8 voxels of 1 x 2 x 3 mm, bright on dark; with a mask, what is inside the mask."""
    values = np.random.default_rng(0).integers(0, 5, (20, 20, 20))
    values[4:16, 4:14, 4:12] += 1000
    affine, brain = np.diag([-1.0, 2, 3, 1]), np.zeros((20, 20, 20))
    brain[5:10, 5:10, 5:10] = 1
    path = factory.nifti(tmp_path / "a.nii.gz", values, affine=affine)
    assert pixels.examine(tmp_path, row_of(path)) == (*pixels.check(tmp_path, row_of(path)), pytest.approx(5.76))

    def with_mask(inside):
        mask = factory.nifti(tmp_path / "a_mask.nii.gz", inside, affine=affine, dtype="uint8")
        frame, _ = masks.attach(pd.DataFrame([row_of(path)]), tmp_path, "{stem}_mask.nii.gz")
        return mask, pixels.Rows(frame)[0]

    mask, row = with_mask(brain)
    assert pixels.examine(tmp_path, row)[1:] == ("", pytest.approx(0.75))
    mask.unlink()
    assert pixels.examine(tmp_path, row)[1].startswith("mask a_mask.nii.gz: cannot be read: FileNotFoundError")
    assert pixels.examine(tmp_path, with_mask(brain * 0)[1])[1] == "mask a_mask.nii.gz: nothing is above 0"


def test_a_picture_has_no_millilitres(tmp_path):
    factory.picture(tmp_path / "a.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    digest, reason, ml = pixels.examine(tmp_path, row_of(tmp_path / "a.png"))
    assert (digest, reason) == pixels.check(tmp_path, row_of(tmp_path / "a.png"))
    assert np.isnan(ml)


@pytest.mark.parametrize(
    ("turn", "named"),
    [
        ([0, 0, 0], None),  # the same
        ([0, 0, np.sin(np.pi / 24)], None),  # 15 degrees about z: a sform that was registered
        ([0, 0, 1], "sform says RAS and qform LPS"),  # half a turn about z
    ],
)
def test_a_sform_and_a_qform_that_turn_an_axis_round_are_refused(tmp_path, turn, named):
    row = row_of(factory.nifti(tmp_path / "a.nii", VALUES, affine=np.eye(4), qform_code=1, quatern=turn))
    assert row["excluded"].startswith(f"{named}: left and right may be swapped") if named else row["excluded"] == ""


def test_a_sform_that_mirrors_the_qform_is_refused(tmp_path):
    mirrored = np.diag([-1.0, 1, 1, 1])
    row = row_of(factory.nifti(tmp_path / "a.nii", VALUES, affine=mirrored, qform_code=1, quatern=[0, 0, 0]))
    assert row["excluded"].startswith("sform says LAS and qform RAS")
