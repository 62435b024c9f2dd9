"""DICOM radiographs as they are meant to be seen: windows, look-up tables, padding and inversion, against pydicom and the standard's numbers."""

import warnings

import factory
import numpy as np
import pandas as pd
import pydicom
import pytest
import tensorflow as tf
from pydicom.uid import ExplicitVRBigEndian, RLELossless
from reading import rows_of, through_graph

from medtf import config as configs
from medtf.data import dataset, pixels, radiograph, voi
from medtf.data.header import read_header
from medtf.errors import MedtfError
from medtf.table import Table


def film(path, values, **how):
    """A radiograph of unsigned values, 16 bits, without a rescale."""
    return factory.dicom(path, values, **{"modality": "DX", "signed": False, "slope": None} | how)


def noise(seed=0, low=0, high=4096, shape=(12, 14)):
    return np.random.default_rng(seed).integers(low, high, shape)


def lut(entries, *, first=0, bits=16, kind=None):
    """A look-up table's sequence of one item."""
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries), first, bits])
    data = np.asarray(entries).astype(kind).tobytes() if kind else np.asarray(entries).tolist()
    item.add_new("LUTData", "OW" if isinstance(data, bytes) else "US", data)
    return pydicom.Sequence([item])


def seen(root, *names, intensity="voi", **how):
    return [image[..., 0] for image in through_graph(root, rows_of(root, *names), intensity=intensity, **how)]


# === Windows ===

EDGES = [  # function, centre, width, values and what they are shown as; the first five are the notes of PS3.3 C.11.2.1.2
    ("linear", 2048, 4096, [0, 4095], [0, 1]),  # 12 bits whole
    ("linear", 0, 100, [-51, -50, 49, 50], [0, 0, 1, 1]),
    ("linear", 0, 1, [-1, -0.5, 0, 1], [0, 0, 1, 1]),  # a threshold
    ("linear", 10, 2, [9, 9.5, 10], [0, 0.5, 1]),
    ("linear", 10.5, 5, [8, 9, 10, 12], [0.0, 1 / 4, 2 / 4, 1]),
    ("linear_exact", 10, 4, [8, 9, 10, 12], [0, 0.25, 0.5, 1]),
    ("linear_exact", 0.5, 0.5, [0.25, 0.5, 0.75], [0, 0.5, 1]),
    ("sigmoid", 10, 4, [6, 10, 14], [1 / (1 + np.e**4), 0.5, 1 / (1 + np.e**-4)]),
]


@pytest.mark.parametrize(("function", "center", "width", "values", "expected"), EDGES)
def test_the_standards_windows(function, center, width, values, expected):
    center, width = tf.constant(float(center)), tf.constant(float(width))
    got = radiograph.windowed(tf.constant(values, tf.float32), center, width, function)
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "compress"),
    [(None, RLELossless), (None, None), ("LINEAR", None), ("LINEAR_EXACT", None), ("SIGMOID", None)],
    ids=str,
)
@pytest.mark.parametrize(("signed", "slope", "intercept"), [(False, None, 0), (True, 1, -1024), (True, 0.5, 100)])
def test_windows_equal_pydicoms(tmp_path, function, compress, signed, slope, intercept):
    low, high = (-2048, 2048) if signed else (0, 4096)
    tags = {} if function is None else {"VOILUTFunction": function}
    for name, photometric in (("2.dcm", "MONOCHROME2"), ("1.dcm", "MONOCHROME1")):
        film(tmp_path / name, noise(0, low, high), bits_stored=12, signed=signed, slope=slope, intercept=intercept,
             compress=compress, photometric=photometric, WindowCenter=[300, 9], WindowWidth=[1500, 9], **tags)  # fmt: skip
    ds = pydicom.dcmread(tmp_path / "2.dcm")
    shown = pydicom.pixels.apply_voi_lut(pydicom.pixels.apply_modality_lut(ds.pixel_array, ds), ds)
    ends = np.array([low, high - 1]) * (slope or 1) + (
        intercept if slope else 0
    )  # pydicom shows in the range of the pixels
    expected = (shown - ends[0]) / (ends[1] - ends[0])
    bright, inverted = seen(tmp_path, "2.dcm", "1.dcm")
    np.testing.assert_allclose(bright, expected, atol=2e-6)
    np.testing.assert_allclose(inverted, 1 - expected, atol=2e-6)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"WindowCenter": 100},
        {"WindowCenter": 100, "WindowWidth": 0},
        {"WindowCenter": 100, "WindowWidth": 0.5},  # less than 1 is not allowed of LINEAR
        {"WindowCenter": 100, "WindowWidth": 50, "VOILUTFunction": "LOG"},
    ],
    ids=str,
)
def test_without_a_window_that_can_be_used_percentiles_are_shown(tmp_path, tags):
    film(tmp_path / "a.dcm", noise(), **tags)
    assert rows_of(tmp_path, "a.dcm")[0]["read_voi"] == ""
    np.testing.assert_array_equal(seen(tmp_path, "a.dcm")[0], seen(tmp_path, "a.dcm", intensity="percentile")[0])


def test_a_window_of_text_is_no_window(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = film(tmp_path / "a.dcm", noise(), WindowCenter=100, WindowWidth="5050")
        path.write_bytes(path.read_bytes().replace(b"5050", b"auto"))
    assert rows_of(tmp_path, "a.dcm")[0]["read_voi"] == ""


def test_each_frame_has_its_own_window(tmp_path):
    path = factory.dicom(tmp_path / "a.dcm", np.stack([noise(), noise(1)]), modality="XA", intercept=[0, 0])
    ds = pydicom.dcmread(path)
    for groups, (center, width) in zip(ds.PerFrameFunctionalGroupsSequence, [(900, 400), (1000, 500)], strict=True):
        window = pydicom.Dataset()
        window.WindowCenter, window.WindowWidth = center, width
        groups.FrameVOILUTSequence = [window]
    ds.save_as(path)
    rows = rows_of(tmp_path, "a.dcm")
    assert [(r["read_voi"], r["read_window_center"], r["read_window_width"]) for r in rows] == [
        ("linear", 900, 400),
        ("linear", 1000, 500),
    ]


def test_a_window_that_shows_nothing_is_an_error_that_names_file_and_tag(tmp_path):
    film(tmp_path / "a.dcm", noise(), WindowCenter=60000, WindowWidth=10)
    with pytest.raises(
        tf.errors.OpError, match=r"a\.dcm.*\(0028,1050.*one grey only: set input\.intensity to percentile"
    ):
        seen(tmp_path, "a.dcm")
    assert np.ptp(seen(tmp_path, "a.dcm", intensity="percentile")[0]) == 1


@pytest.mark.parametrize("intensity", ["full", "percentile", "voi"])
def test_a_radiograph_of_one_value_is_an_error_and_not_black(tmp_path, intensity):
    film(tmp_path / "a.dcm", np.full((9, 9), 700))
    with pytest.raises(tf.errors.OpError, match=r"a\.dcm.*every pixel has the same value"):
        seen(tmp_path, "a.dcm", intensity=intensity)


def test_a_few_spots_on_an_even_ground_are_seen(tmp_path):
    values = np.full((64, 64), 500)
    values[0, 0] = 900
    film(tmp_path / "a.dcm", values)
    (image,) = seen(tmp_path, "a.dcm", intensity="percentile")
    assert image[0, 0] == 1
    assert image.sum() == 1


# === Look-up tables ===


@pytest.mark.parametrize("kind", [None, "<u2"])
@pytest.mark.parametrize("first", [0, 100])
def test_voi_luts_equal_pydicoms_and_come_before_windows(tmp_path, kind, first):
    entries = (np.linspace(0, 1, 300) ** 2 * 4095).astype(int)
    values = noise(0, 0, 500)
    for name, photometric in (("2.dcm", "MONOCHROME2"), ("1.dcm", "MONOCHROME1")):
        table = lut(entries, first=first, bits=12, kind=kind)
        film(tmp_path / name, values, photometric=photometric, VOILUTSequence=table, WindowCenter=9, WindowWidth=9)
    assert rows_of(tmp_path, "2.dcm")[0]["read_voi"] == "lut"
    ds = pydicom.dcmread(tmp_path / "2.dcm")
    expected = pydicom.pixels.apply_voi(ds.pixel_array, ds) / 4095
    np.testing.assert_allclose(expected, entries[np.clip(values - first, 0, 299)] / 4095)
    bright, inverted = seen(tmp_path, "2.dcm", "1.dcm")
    np.testing.assert_allclose(bright, expected, atol=1e-6)
    np.testing.assert_allclose(inverted, 1 - expected, atol=1e-6)


def test_a_table_of_bytes_for_values_beyond_a_byte(tmp_path):
    entries, values = np.arange(256), noise(0, 0, 4096)
    values[0, :2] = 1000, 1255  # the first input and the last
    film(tmp_path / "a.dcm", values, VOILUTSequence=lut(entries, first=1000, bits=8, kind="u1"))
    np.testing.assert_allclose(seen(tmp_path, "a.dcm")[0], np.clip(values - 1000, 0, 255) / 255, atol=1e-6)


@pytest.mark.parametrize("syntax", [pydicom.uid.ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda s: s.name)
def test_a_modality_lut_of_signed_pixels(tmp_path, syntax):
    entries, values = np.arange(0, 8000, 2)[::-1], noise(0, -2048, 2048)
    order = ">u2" if syntax == ExplicitVRBigEndian else "<u2"
    table = lut(entries, first=-2000, kind=order)
    film(tmp_path / "a.dcm", values, signed=True, syntax=syntax, ModalityLUTSequence=table)
    (row,) = rows_of(tmp_path, "a.dcm")
    expected = entries[np.clip(values + 2000, 0, len(entries) - 1)]
    np.testing.assert_array_equal(pixels.modality_values(tmp_path, row), expected)


def test_a_table_shorter_than_it_says_is_left_alone_or_named(tmp_path):
    table = lut(np.arange(300), kind="<u2")
    table[0].LUTData = table[0].LUTData[:400]
    film(tmp_path / "voi.dcm", noise(), VOILUTSequence=table, WindowCenter=2000, WindowWidth=4000)
    assert rows_of(tmp_path, "voi.dcm")[0]["read_voi"] == "linear"
    film(tmp_path / "modality.dcm", noise(), ModalityLUTSequence=table)
    (row,) = rows_of(tmp_path, "modality.dcm")
    assert (
        r"LUTData (0028,3006) holds 200 entries, LUTDescriptor (0028,3002) says 300" in pixels.check(tmp_path, row)[1]
    )
    with pytest.raises(tf.errors.OpError, match=r"modality\.dcm.*LUTData \(0028,3006\)"):
        through_graph(tmp_path, [row])


# === Inversion and padding ===


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),  # as the standard wants it: one inversion, not two
        ("MONOCHROME1", "IDENTITY", True),
    ],
)
def test_what_inverts(tmp_path, photometric, shape, inverted):
    values = np.tile(np.arange(64), (8, 1))
    film(tmp_path / "a.dcm", values, photometric=photometric, **({"PresentationLUTShape": shape} if shape else {}))
    unit = values / 63
    np.testing.assert_allclose(seen(tmp_path, "a.dcm", intensity="full")[0], 1 - unit if inverted else unit, atol=1e-6)


@pytest.mark.parametrize("intensity", ["full", "percentile", "voi"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("compress", [None, RLELossless])
def test_padding_is_black_and_moves_nothing(tmp_path, intensity, photometric, compress):
    """The inner part, which is a multiple of 4 pixels from the corner, looks as the whole file without a border does."""
    inner = noise(0, 1000, 3000, (40, 40))
    values = np.pad(inner, 8, constant_values=0)
    values[:8] = 50  # the far end of a range
    how = {"photometric": photometric, "compress": compress, "WindowCenter": 2000, "WindowWidth": 2500}
    film(tmp_path / "padded.dcm", values, padding=(0, 60), **how)
    film(tmp_path / "plain.dcm", inner, **how)
    (padded,) = seen(tmp_path, "padded.dcm", intensity=intensity)
    (plain,) = seen(tmp_path, "plain.dcm", intensity=intensity)
    np.testing.assert_allclose(padded[8:48, 8:48], plain, atol=1e-6)
    border = np.ones(padded.shape, bool)
    border[8:48, 8:48] = False
    assert not padded[border].any()
    reference = pixels.intensity(tmp_path, rows_of(tmp_path, "padded.dcm")[0])
    assert (reference[border] == reference.min()).all()


def test_padding_through_a_voi_lut(tmp_path):
    values = noise(0, 1, 100)
    values[0] = 0
    table = lut(np.arange(100)[::-1] + 900, bits=10)
    film(tmp_path / "a.dcm", values, padding=0, photometric="MONOCHROME1", VOILUTSequence=table)
    (image,) = seen(tmp_path, "a.dcm")
    assert not image[0].any()
    np.testing.assert_allclose(image[1:], 1 - (999 - values[1:]) / 1023, atol=1e-6)


def test_nothing_but_padding(tmp_path):
    film(tmp_path / "a.dcm", np.full((8, 8), 3), padding=3)
    assert (
        "every pixel is PixelPaddingValue (0028,0120)" in pixels.check(tmp_path, read_header(tmp_path, "a.dcm")[0])[1]
    )
    with pytest.raises(tf.errors.OpError, match=r"a\.dcm"):
        seen(tmp_path, "a.dcm", intensity="full")


# === Tables ===


def config(**how):
    return configs.parse({"pipeline": "table", "targets": {"y": "binary"}, "input": {"size": 12, **how}})


def table_of(root, *names):
    frame = pd.DataFrame(rows_of(root, *names)).assign(patient=[f"p{n}" for n in range(len(names))], y=0.0)
    return Table(frame)


def test_images_without_a_window_are_counted(tmp_path):
    film(tmp_path / "a.dcm", noise(), WindowCenter=100, WindowWidth=50)
    film(tmp_path / "b.dcm", noise())
    film(tmp_path / "c.dcm", noise())
    factory.picture(tmp_path / "d.png", noise().astype(np.uint16))
    frame = table_of(tmp_path, "a.dcm", "b.dcm", "c.dcm", "d.png").frame
    assert "2 of 3 DICOM images hold no window" in voi.about(frame, "voi")
    assert voi.about(frame, "percentile") == ""
    assert voi.about(frame[frame["path"].isin(["a.dcm", "d.png"])], "voi") == ""


def test_a_table_that_is_older_than_its_windows(tmp_path):
    film(tmp_path / "a.dcm", noise(), WindowCenter=100, WindowWidth=50)
    new = table_of(tmp_path, "a.dcm")
    columns = ["read_voi", "read_window_center", "read_window_width", "read_orientation"]
    old = new.with_frame_dropped(*columns)
    read = [next(iter(dataset.make(t, tmp_path, config(), training=False)))[0] for t in (new, old)]
    np.testing.assert_array_equal(*read)
    with pytest.raises(MedtfError, match=r"made before windows were noted in it: index again"):
        dataset.make(old, tmp_path, config(intensity="voi"), training=False)


def test_windows_tables_and_neither_in_one_data_set(tmp_path):
    film(tmp_path / "window.dcm", noise(0, 0, 256, (12, 12)), WindowCenter=128, WindowWidth=256)
    film(tmp_path / "lut.dcm", noise(1, 0, 256, (12, 12)), VOILUTSequence=lut(np.arange(256), bits=8))
    film(tmp_path / "neither.dcm", noise(2, 0, 256, (12, 12)))
    found = table_of(tmp_path, "window.dcm", "lut.dcm", "neither.dcm")
    images = next(iter(dataset.make(found, tmp_path, config(intensity="voi"), training=False)))[0].numpy()[..., 0]
    np.testing.assert_allclose(images[0], noise(0, 0, 256, (12, 12)) / 255, atol=1e-6)
    np.testing.assert_allclose(images[1], noise(1, 0, 256, (12, 12)) / 255, atol=1e-6)
    np.testing.assert_allclose(images[2], seen(tmp_path, "neither.dcm", intensity="percentile")[0], atol=1e-6)


# === Real files ===


@pytest.mark.parametrize("path", factory.real_files("xray_dicom"))
def test_real_radiographs_equal_pydicoms(path):
    (row,) = rows_of(factory.SHARED, path)
    ds = pydicom.dcmread(factory.SHARED / path)
    meant = pydicom.pixels.apply_modality_lut(ds.pixel_array, ds)
    np.testing.assert_array_equal(pixels.modality_values(factory.SHARED, row), meant)
    assert ds.PhotometricInterpretation == "MONOCHROME1"
    full = 1 - (meant - meant.min()) / np.ptp(meant.astype(float))
    np.testing.assert_allclose(seen(factory.SHARED, path, intensity="full")[0], full, atol=1e-6)
    if "WindowWidth" in ds:  # the chest: 10 bits, centre 550, width 1024
        shown = pydicom.pixels.apply_voi_lut(meant, ds) / 1023
        np.testing.assert_allclose(seen(factory.SHARED, path)[0], 1 - shown, atol=1e-6)
