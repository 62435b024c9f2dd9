"""The reader inside the graph against NumPy, pydicom, and numbers worked out by hand."""

from itertools import product

import factory
import numpy as np
import pandas as pd
import pydicom
import pytest
import tensorflow as tf
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, JPEGLSLossless, RLELossless
from scipy.ndimage import map_coordinates

from medtf.data import graph, pixels
from medtf.data.header import read_header

HOW = {"aspect": "stretch", "channels": 1, "intensity": "full", "raster_range": "bits"}


def read(root, rows, size, **how):
    """Every row through the graph, in a tf.data pipeline as in training: [(height, width, channels)]."""
    frame = pd.DataFrame(rows)
    layouts, codes = graph.layouts(frame)
    branches = [graph.reader(layout, str(root), size, rows=rows, **HOW | how) for layout in layouts]
    cells = {name: tf.constant(frame[name].to_numpy(), kind) for name, kind in graph.NUMBERS.items()}
    cells |= {"path": tf.constant(frame["path"].to_list()), "row": tf.range(len(frame)), "code": tf.constant(codes)}
    ds = tf.data.Dataset.from_tensor_slices(cells)
    ds = ds.map(lambda row: tf.switch_case(row["code"], [lambda b=branch: b(row) for branch in branches]))
    return list(ds.as_numpy_iterator())


def rows_of(root, *names):
    found = [row for name in names for row in read_header(root, name)]
    assert [r["excluded"] for r in found] == [""] * len(found)
    return found


# === Every layout of uncompressed CT ===

CASES = list(product([True, False], [16, 12], [False, True], [None, "value", "range"], [(1, -1024), (0.25, -900.5)]))


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_hounsfield_of_every_layout(tmp_path, photometric):
    rng = np.random.default_rng(0)
    names, expected = [], []
    for number, (signed, bits_stored, big_endian, padded, (slope, intercept)) in enumerate(CASES):
        low, high = (-(1 << bits_stored - 1), (1 << bits_stored - 1) - 1) if signed else (0, (1 << bits_stored) - 1)
        values = rng.integers(low, high + 1, (9, 9))
        values[0, :3] = low, high, 7
        padding = {None: None, "value": 7, "range": (7, 200)}[padded]
        factory.dicom(
            tmp_path / f"{number}.dcm",
            values,
            signed=signed,
            bits_stored=bits_stored,
            syntax=ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian,
            padding=padding,
            slope=slope,
            intercept=intercept,
            photometric=photometric,
            rubbish=number if bits_stored == 12 else None,
        )
        hu = values * slope + intercept  # CT in MONOCHROME1 is not inverted
        hu[(values == 7) | ((values >= 7) & (values <= 200) & (padded == "range"))] = (
            -1000 if padded else 7 * slope + intercept
        )
        names.append(f"{number}.dcm")
        expected.append(hu)
    rows = rows_of(tmp_path, *names)
    assert {r["read_kind"] for r in rows} == {"raw"}
    for case, row, hu, got in zip(CASES, rows, expected, read(tmp_path, rows, (9, 9)), strict=True):
        reference = pixels.read(tmp_path, row)
        np.testing.assert_array_equal(reference, hu.astype(np.float32), err_msg=str(case))
        np.testing.assert_array_equal(got[..., 0], reference, err_msg=str(case))


@pytest.mark.parametrize(("high_bit", "bits_stored"), [(15, 12), (13, 10), (11, 12)])
def test_bits_that_do_not_begin_at_zero(tmp_path, high_bit, bits_stored):
    values = np.random.default_rng(0).integers(-(1 << bits_stored - 1), 1 << bits_stored - 1, (8, 8))
    factory.dicom(tmp_path / "a.dcm", values, high_bit=high_bit, bits_stored=bits_stored, rubbish=1)
    rows = rows_of(tmp_path, "a.dcm")
    np.testing.assert_array_equal(pixels.read(tmp_path, rows[0]), values - 1024)
    np.testing.assert_array_equal(read(tmp_path, rows, (8, 8))[0][..., 0], values - 1024)


def test_padding_written_in_the_other_sign(tmp_path):
    values = factory.head() + 1024
    values[:2] = -2000
    factory.dicom(tmp_path / "a.dcm", values, padding=63536)  # 65536 - 2000
    rows = rows_of(tmp_path, "a.dcm")
    expected = np.where(values == -2000, -1000, values - 1024)
    np.testing.assert_array_equal(pixels.read(tmp_path, rows[0]), expected)
    np.testing.assert_array_equal(read(tmp_path, rows, (16, 16))[0][..., 0], expected)


def test_frames(tmp_path):
    values = np.stack([factory.head(12, seed=s) for s in range(4)])
    factory.dicom(tmp_path / "a.dcm", values, slope=[1, 2, 0.5, 1], intercept=[0, 1, 2, -3])
    rows = rows_of(tmp_path, "a.dcm")
    for got, hu in zip(
        read(tmp_path, rows, (12, 12)), [values[0], values[1] * 2 + 1, values[2] * 0.5 + 2, values[3] - 3], strict=True
    ):
        np.testing.assert_array_equal(got[..., 0], hu)


# === Radiographs and pictures ===


@pytest.mark.parametrize(
    ("bits", "bits_stored", "signed", "big_endian", "photometric"),
    list(product([8], [8], [False, True], [False, True], ["MONOCHROME2", "MONOCHROME1"]))
    + list(product([16], [16, 10], [False, True], [False, True], ["MONOCHROME2", "MONOCHROME1"])),
)
def test_radiographs_of_every_layout(tmp_path, bits, bits_stored, signed, big_endian, photometric):
    low, high = (-(1 << bits_stored - 1), (1 << bits_stored - 1) - 1) if signed else (0, (1 << bits_stored) - 1)
    values = np.random.default_rng(1).integers(low, high + 1, (10, 10))
    factory.dicom(
        tmp_path / "a.dcm",
        values,
        modality="DX",
        bits=bits,
        bits_stored=bits_stored,
        signed=signed,
        syntax=ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian,
        photometric=photometric,
        slope=None,
        rubbish=3 if bits_stored < bits else None,
    )
    rows = rows_of(tmp_path, "a.dcm")
    bright = values.max() + values.min() - values if photometric == "MONOCHROME1" else values
    np.testing.assert_array_equal(pixels.read(tmp_path, rows[0]), bright)
    unit = (bright - bright.min()) / (bright.max() - bright.min())
    np.testing.assert_allclose(read(tmp_path, rows, (10, 10))[0][..., 0], unit, atol=1e-6)


def test_percentiles_survive_a_burnt_in_marker(tmp_path):
    values = np.random.default_rng(0).integers(1000, 2000, (64, 64))
    values[:2, :2], values[-1, -1] = 65535, 0  # a lead letter and a dead pixel: 5 of 4096
    factory.dicom(tmp_path / "a.dcm", values, modality="DX", signed=False, slope=None)
    rows = rows_of(tmp_path, "a.dcm")
    full, robust = (read(tmp_path, rows, (64, 64), intensity=i)[0] for i in ("full", "percentile"))
    assert np.ptp(full[2:60]) < 0.02  # (2000 - 1000) / 65535
    assert np.ptp(robust[2:60]) > 0.97
    assert robust.min() == 0
    assert robust.max() == 1


def test_pictures(tmp_path):
    rng = np.random.default_rng(0)
    grey8, grey16 = rng.integers(0, 256, (12, 12)).astype(np.uint8), rng.integers(0, 65536, (12, 12)).astype(np.uint16)
    colour = rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)
    factory.picture(tmp_path / "8.png", grey8)
    factory.picture(tmp_path / "16.png", grey16)
    factory.picture(tmp_path / "rgb.png", colour)
    factory.picture(tmp_path / "8.jpg", grey8)
    factory.picture(tmp_path / "rgb.jpg", colour)
    rows = rows_of(tmp_path, "8.png", "16.png", "rgb.png", "8.jpg", "rgb.jpg")
    got = [image[..., 0] for image in read(tmp_path, rows, (12, 12))]
    np.testing.assert_allclose(got[0], grey8 / 255, atol=1e-6)
    np.testing.assert_allclose(got[1], grey16 / 65535, atol=1e-6)
    np.testing.assert_allclose(got[2], colour @ [0.299, 0.587, 0.114] / 255, atol=1.5 / 255)  # ITU-R 601
    for image, row in zip(got, rows, strict=True):
        scale = 2 ** row["read_bits_allocated"] - 1
        np.testing.assert_allclose(image, pixels.read(tmp_path, row) / scale, atol=1.01 / 255)
    three = read(tmp_path, rows_of(tmp_path, "rgb.png"), (12, 12), channels=3)[0]
    np.testing.assert_allclose(three, colour / 255, atol=1e-6)


# === Resize and padding ===


def area(rows, columns, height, width):
    """Overlap of each output pixel with each input pixel, (height, rows) and (width, columns), rows sum to 1."""

    def weights(n, m):
        left, right = np.arange(m)[:, None] * n / m, (np.arange(m)[:, None] + 1) * n / m
        cells = np.arange(n)[None]
        return np.clip(np.minimum(right, cells + 1) - np.maximum(left, cells), 0, None) * m / n

    return weights(rows, height), weights(columns, width)


def bilinear(image, height, width):
    """Half-pixel centres, edges repeated: scipy's linear interpolation."""
    y = (np.arange(height) + 0.5) * image.shape[0] / height - 0.5
    x = (np.arange(width) + 0.5) * image.shape[1] / width - 0.5
    return map_coordinates(image.astype(float), np.meshgrid(y, x, indexing="ij"), order=1, mode="nearest")


@pytest.mark.parametrize(("rows", "columns", "size"), [(20, 20, (30, 30)), (20, 24, (13, 17)), (30, 30, (29, 16))])
@pytest.mark.parametrize("padding", [None, -2000])
def test_bilinear(tmp_path, rows, columns, size, padding):
    hu = factory.head(rows, columns)
    factory.dicom(tmp_path / "a.dcm", hu + 1024, padding=padding)
    got = read(tmp_path, rows_of(tmp_path, "a.dcm"), size)[0][..., 0]
    np.testing.assert_allclose(got, bilinear(hu, *size), atol=0.02)


@pytest.mark.parametrize(("rows", "columns", "size"), [(32, 32, (16, 16)), (33, 40, (10, 12)), (50, 70, (9, 31))])
def test_area(tmp_path, rows, columns, size):
    hu = factory.head(rows, columns)
    factory.dicom(tmp_path / "a.dcm", hu + 1024)
    got = read(tmp_path, rows_of(tmp_path, "a.dcm"), size)[0][..., 0]
    vertical, horizontal = area(rows, columns, *size)
    np.testing.assert_allclose(got, vertical @ hu @ horizontal.T, atol=0.02)
    assert got.mean() == pytest.approx(hu.mean(), abs=2e-3)


@pytest.mark.parametrize("how", [{}, {"padding": -2000}, {"compress": RLELossless}, {"compress": JPEGLSLossless}])
@pytest.mark.parametrize("intercept", [-1024, -1000, 0])
def test_a_slice_that_is_not_square_keeps_its_shape(tmp_path, how, intercept):
    # unsigned with intercept 0 has no number for air: the border is air all the same
    hu = np.maximum(factory.head(10, 16), intercept)
    factory.dicom(tmp_path / "a.dcm", hu - intercept, signed="padding" in how, intercept=intercept, **how)
    got = read(tmp_path, rows_of(tmp_path, "a.dcm"), (16, 16), aspect="pad")[0][..., 0]
    np.testing.assert_allclose(got[3:13], hu, atol=1e-3)
    np.testing.assert_array_equal(got[:3], -1000)
    np.testing.assert_array_equal(got[13:], -1000)


def test_a_radiograph_is_padded_with_black(tmp_path):
    factory.picture(tmp_path / "a.png", np.full((10, 16), 200, np.uint8))
    got = read(tmp_path, rows_of(tmp_path, "a.png"), (16, 16), aspect="pad")[0][..., 0]
    np.testing.assert_allclose(got[3:13], 200 / 255)
    assert not got[:3].any()
    assert not got[13:].any()


# === Compressed, mixed, broken ===


@pytest.mark.parametrize("compress", [RLELossless, JPEGLSLossless], ids=lambda s: s.name)
def test_compressed_equals_raw(tmp_path, compress):
    factory.slice_of_head(tmp_path / "raw.dcm", padding=24)
    factory.slice_of_head(tmp_path / "packed.dcm", padding=24, compress=compress)
    rows = rows_of(tmp_path, "raw.dcm", "packed.dcm")
    assert [r["read_kind"] for r in rows] == ["raw", "decode"]
    raw, packed = read(tmp_path, rows, (16, 16))
    np.testing.assert_array_equal(packed, raw)


@pytest.mark.parametrize("compress", [None, RLELossless])
def test_a_file_cut_after_the_index_is_an_error_that_is_seen(tmp_path, compress):
    path = factory.slice_of_head(tmp_path / "a.dcm", compress=compress)
    rows = rows_of(tmp_path, "a.dcm")
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(tf.errors.OpError, match=r"a\.dcm"):
        read(tmp_path, rows, (16, 16))


def test_one_layout_needs_no_branch(tmp_path):
    for n in range(3):
        factory.slice_of_head(tmp_path / f"{n}.dcm", seed=n, intercept=-1024 + n)
    layouts, codes = graph.layouts(pd.DataFrame(rows_of(tmp_path, "0.dcm", "1.dcm", "2.dcm")))
    assert len(layouts) == 1
    assert list(codes) == [0, 0, 0]


# === Real files ===


def modality_values(path) -> np.ndarray:
    """pydicom's own way."""
    dataset = pydicom.dcmread(path)
    return pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)


@pytest.mark.parametrize("path", factory.real_files("ct_dicom", "broken/series"))
def test_real_hounsfield_equals_pydicom(path):
    rows = [r for r in read_header(factory.SHARED, path) if not r["excluded"]]
    if not rows:
        return  # its verdict is tested in test_header.py
    (row,) = rows
    reference = modality_values(factory.SHARED / path)
    padding = pydicom.dcmread(factory.SHARED / path, stop_before_pixels=True).get("PixelPaddingValue")
    if padding is not None:
        padding = padding - 65536 if padding > 32767 and row["read_signed"] else padding
        reference = np.where(reference == padding * row["read_slope"] + row["read_intercept"], -1000, reference)
    got = pixels.hounsfield(factory.SHARED, row)
    np.testing.assert_array_equal(got, reference)
    size = (row["read_rows"], row["read_columns"])
    np.testing.assert_array_equal(read(factory.SHARED, [row], size)[0][..., 0], got)


@pytest.mark.parametrize("name", ["CT1", "CT2"])
def test_each_transfer_syntax(shared, name):
    folder = shared / "ct_dicom/each_syntax"
    names = [f"{name}_{s}.dcm" for s in ("UNC", "J2KR", "JLSL", "JPLL", "RLE", "JLSN", "J2KI")]
    raw, *others = read(folder, rows_of(folder, *names), (512, 512))
    for syntax, image in zip(names[1:5], others[:4], strict=True):
        np.testing.assert_array_equal(image, raw, err_msg=syntax)
    near, lossy = others[4:]
    # a padding value that was coded with loss is not found again: below air then, and black in every window as air is
    outside = raw == -1000
    assert 0 < np.abs(near - raw)[~outside].max() <= 4  # near-lossless
    assert near[outside].max() <= -990
    assert 0 < np.median(np.abs(lossy - raw)[~outside]) < 30


def test_head_series_is_stored_in_hounsfield(shared):
    folder = shared / "ct_dicom/head_series"
    row = rows_of(folder, "14.dcm")[0]
    assert (row["read_slope"], row["read_intercept"], row["read_padding"]) == (1, 0, -1500)
    hu = pixels.hounsfield(folder, row)
    assert hu.min() >= -1024  # the padding is air
    brain = hu[(hu > 0) & (hu < 80)]
    assert len(brain) > 20_000
    assert 15 < np.median(brain) < 45  # brain is 20 to 45 HU


def test_head_series_positions(shared):
    folder = shared / "ct_dicom/head_series"
    places = sorted(r["position"] for n in range(1, 29) for r in rows_of(folder, f"{n:02d}.dcm"))
    steps = np.diff(places)
    # README: z steps 4.22 x13, 1.14 x1, 7.38 x13 mm; along the normal they shrink by cos of the tilt, 18.5 degrees
    expected = np.repeat([4.22, 1.14, 7.38], [13, 1, 13]) * np.cos(np.radians(18.5))
    np.testing.assert_allclose(np.sort(steps), np.sort(expected), atol=0.06)


def test_padding_of_gh1308_is_air(shared):
    folder = shared / "ct_dicom/edge"
    row = rows_of(folder, "fo-dicom_GH1308.dcm")[0]
    assert row["read_padding"] == -2000
    hu = pixels.hounsfield(folder, row)
    assert hu.min() == -1000
    assert hu[0, 0] == -1000  # the corners lie outside the round field of view


def test_garbage_that_decodes_without_an_error_is_caught(shared):
    folder = shared / "ct_dicom/edge"
    row = rows_of(folder, "JPEGLossless_1s_1f_i_16_16_bad.dcm")[0]
    digest, reason = pixels.check(folder, row)
    assert not digest
    assert "not decoded rightly" in reason


def test_frames_of_a_real_enhanced_ct(shared, tmp_path):
    dataset = pydicom.dcmread(shared / "ct_dicom/edge/eCT_Supplemental.dcm")
    expected = dataset.pixel_array.astype(float) - 1024  # the functional groups' own slope 1, intercept -1024
    for groups in [*dataset.PerFrameFunctionalGroupsSequence, *dataset.SharedFunctionalGroupsSequence]:
        if "PixelValueTransformationSequence" in groups:
            # it is a perfusion map, which is left out rightly; as HU its bytes read like any other
            groups.PixelValueTransformationSequence[0].RescaleType = "HU"
    dataset.save_as(tmp_path / "hu.dcm")
    rows = rows_of(tmp_path, "hu.dcm")
    assert len(rows) == 2
    assert rows[0]["position"] != rows[1]["position"]
    for image, hu in zip(read(tmp_path, rows, (512, 512)), expected, strict=True):
        np.testing.assert_array_equal(image[..., 0], hu)


def test_a_real_slice_that_is_not_square(shared, tmp_path):
    dataset = pydicom.dcmread(shared / "ct_dicom/edge/CT_JPEG70.dcm")
    dataset.ImageType = [
        "DERIVED",
        "SECONDARY",
        "AXIAL",
    ]  # a scout, which is left out rightly; here only its shape counts
    dataset.save_as(tmp_path / "wide.dcm")
    rows = rows_of(tmp_path, "wide.dcm")
    assert (rows[0]["read_rows"], rows[0]["read_columns"]) == (400, 512)
    got = read(tmp_path, rows, (512, 512), aspect="pad")[0][..., 0]
    np.testing.assert_array_equal(got[56:456], dataset.pixel_array.astype(float) + float(dataset.RescaleIntercept))
    assert (got[:56] == -1000).all()
    assert (got[456:] == -1000).all()


def test_real_radiographs_are_bright_where_the_body_is_dense(shared):
    folder = shared / "xray_dicom"
    chest, panorama = rows_of(folder, "gdcm-CR-MONO1-10-chest.dcm", "fo-dicom_CR-ModalitySequenceLUT.dcm")
    assert chest["read_inverted"]
    assert panorama["read_inverted"]
    image = pixels.intensity(folder, chest)
    heart_and_spine, lung = image[250:330, 200:260], image[180:280, 70:130]
    assert np.median(heart_and_spine) > 1.3 * np.median(lung)
    image = pixels.intensity(folder, panorama)
    rows, columns = image.shape
    teeth = image[int(0.45 * rows) : int(0.6 * rows), int(0.4 * columns) : int(0.6 * columns)]
    assert np.median(teeth) > np.median(image[:20]) + 100  # air above the film is dark


def test_a_real_radiograph_that_lies_about_its_photometric_is_shown_as_it_says(shared):
    """Fake_MONOHR1: stored as MONOCHROME2 would be (dark lungs), declared MONOCHROME1; any viewer inverts it, and so do we."""
    folder = shared / "xray_dicom"
    row = rows_of(folder, "Fake_MONOHR1.dcm")[0]
    stored = pixels.stored(folder, row).astype(float)
    np.testing.assert_array_equal(pixels.intensity(folder, row), stored.max() + stored.min() - stored)
