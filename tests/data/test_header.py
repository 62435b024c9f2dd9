"""What a file is: exactly one verdict for each, none raises, and each reason names what a user can act on."""

import os
from pathlib import Path

import factory
import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

from medtf.data import pixels
from medtf.data.header import COLUMNS, read_header
from medtf.data.scan import files_below


def verdict(path) -> str:
    rows = read_header(Path(path).parent, Path(path).name)
    assert len(rows) == 1
    return rows[0]["excluded"]


# === Real files ===

LEFT_OUT = {  # what the table of data/README.md says of each
    "CT_JPEG70.dcm": "scout",
    "dcm_qa_12bit_12bitSigned_0x0F0F.dcm": "mosaic",
    "eCT_Supplemental.dcm": r"RescaleType \(0028,1054\) is US",  # a perfusion map (RCBF)
    "gdcm-CT-MONO2-8-abdo_8bit.dcm": "secondary capture in 8 bits",
    "head_8bit_YBR_jpeg_ctbrain1.dcm": "secondary capture in colour",
    "Philips_S1000_scout_I10": "scout",
    "Philips_S4010_exam_summary_DIRFILE": "DICOMDIR",
    "Philips_S4010_exam_summary_I10": "scout",
    "Philips_S4010_exam_summary_I20": "scout",
    "ExplVR_LitEndNoMeta.dcm": "no pixel data",
    "MR_truncated.dcm": "truncated: 62 of 8192 bytes",
    "OT-PAL-8-face.dcm": "TransferSyntaxUID",
    "badVR.dcm": "modality RTDOSE",
    "dwv_no-number-rows.dcm": r"no Rows \(0028,0010\)",
    "fo-dicom_GH1146.dcm": "truncated",
    "image_dfl.dcm": "modality OT",
    "liver_rle.dcm": "modality SEG",
    "meta_missing_tsyntax.dcm": r"no TransferSyntaxUID \(0002,0010\)",
    "no_meta.dcm": "not an image",
    "reportsi.dcm": "no pixel data",
    "rtplan_truncated.dcm": "no pixel data",
}
KEPT = {"ct_dicom/head_series": 28, "ct_dicom/each_syntax": 14, "ct_dicom/edge": 5, "ct_dicom/not_slices": 0}
KEPT |= {"xray_dicom": 3, "broken/dicom": 0, "broken/series": 8}


@pytest.mark.parametrize("path", factory.real_files("ct_dicom", "xray_dicom", "broken"))
def test_a_real_file_gets_the_verdict_it_deserves(path):
    import re

    rows = read_header(factory.SHARED, path)
    assert {r["path"] for r in rows} == {path}
    assert all(set(COLUMNS) <= set(r) for r in rows)
    expected = LEFT_OUT.get(Path(path).name)
    if expected is None:
        assert [r["excluded"] for r in rows] == [""]
    else:
        assert re.search(expected, rows[0]["excluded"]), rows[0]["excluded"]


@pytest.mark.parametrize("folder", KEPT)
def test_counts_of_a_real_folder(shared, folder):
    files = files_below(shared / folder)
    kept = [p for p in files if read_header(shared / folder, p)[0]["excluded"] == ""]
    assert len(kept) == KEPT[folder], kept


@pytest.mark.parametrize(
    "path", ["ct_dicom/edge/CT_small.dcm", "ct_dicom/edge/eCT_Supplemental.dcm", "ct_dicom/each_syntax/CT1_RLE.dcm"]
)
def test_no_damage_to_a_header_raises(shared, tmp_path, path):
    whole = bytearray((shared / path).read_bytes())
    rng = np.random.default_rng(0)
    for number in range(60):
        broken = whole.copy()
        if number % 3 == 0:
            del broken[int(rng.integers(0, len(broken))) :]
        else:
            for place in rng.integers(100, 6000, 8):  # the header lies there
                broken[place] = rng.integers(0, 256)
        (tmp_path / "x.dcm").write_bytes(broken)
        rows = read_header(tmp_path, "x.dcm")
        assert rows
        for row in rows:
            if not row["excluded"]:
                pixels.check(tmp_path, row)  # whatever is left must not raise here either


# === Files of our own ===


def test_geometry_and_who(tmp_path):
    path = factory.slice_of_head(
        tmp_path / "a.dcm",
        patient=" P-1 ",
        PatientAge="018M",
        PatientSex="F",
        ImagePositionPatient=[10, 20, 30],
        ImageOrientationPatient=[1, 0, 0, 0, 0.8, 0.6],
    )
    row = read_header(tmp_path, path.name)[0]
    assert (row["patient"], row["age"], row["sex"]) == ("P-1", 1.5, "F")
    # normal = (1,0,0) x (0,.8,.6) = (0,-.6,.8); . (10,20,30) = -12 + 24
    assert row["position"] == pytest.approx(12)


@pytest.mark.parametrize(("age", "years"), [("045Y", 45), ("006W", 6 / 52.18), ("010D", 10 / 365.25), ("45", np.nan)])
def test_age(tmp_path, age, years):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        factory.slice_of_head(tmp_path / "a.dcm", PatientAge=age)
    np.testing.assert_allclose(read_header(tmp_path, "a.dcm")[0]["age"], years)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"slope": None}, r"no RescaleSlope \(0028,1053\): the values are not HU"),
        ({"without": ["RescaleIntercept"]}, r"no RescaleIntercept \(0028,1052\)"),
        ({"slope": 0}, r"RescaleSlope \(0028,1053\) 0 .*no rescaling"),
        ({"slope": "inf"}, "no rescaling"),
        ({"RescaleType": "US"}, "RescaleType .* is US"),
        ({"RescaleType": "OD"}, "not HU"),
        ({"without": ["PixelRepresentation"]}, r"no PixelRepresentation \(0028,0103\)"),
        ({"without": ["PhotometricInterpretation"]}, "PhotometricInterpretation"),
        ({"without": ["Modality"]}, r"no Modality \(0008,0060\)"),
        ({"without": ["PixelData"]}, r"no Pixel Data \(7FE0,0010\)"),
        ({"Rows": 0}, r"no pixels: Rows \(0028,0010\) is 0"),
        ({"Rows": 17}, "truncated: 32 of 544 bytes"),  # 16 columns of two bytes
        ({"BitsStored": 17}, "BitsAllocated"),
        ({"HighBit": 3}, "high bit 3"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "scout"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture"),
        ({"PhotometricInterpretation": "RGB", "SamplesPerPixel": 3}, "colour"),
        ({"NumberOfFrames": 2}, "truncated: 512 of 1024 bytes"),
        ({"modality": "PT"}, "modality PT"),
    ],
)
def test_why_a_file_is_left_out(tmp_path, how, reason):
    import re
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of the values that are wrong on purpose
        path = factory.slice_of_head(tmp_path / "a.dcm", **how)
    assert re.search(reason, verdict(path)), verdict(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "not an image"),
        (b"\x89PNG\r\n\x1a\nrubbish", "broken PNG"),
        (b"\xff\xd8\xffrubbish", "broken JPEG"),
        (b"\x1f\x8b\x08" + b"\0" * 200, "broken gzip"),
        (b"\x5c\x01\0\0" + b"\0" * 400, "NIfTI"),
        (b"\0" * 128 + b"DICM", "TransferSyntaxUID"),
        (b"ID,Label\n", "not an image"),
    ],
)
def test_what_is_no_image(tmp_path, content, reason):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert reason in verdict(path)


def test_things_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # to open it would hang
    assert "not a file" in verdict(tmp_path / "pipe")
    assert "No such file" in verdict(tmp_path / "away.dcm")
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "away.dcm")
    assert "No such file" in verdict(tmp_path / "gone.dcm")
    factory.slice_of_head(tmp_path / ".hidden.dcm")
    assert verdict(tmp_path / ".hidden.dcm") == "hidden file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = factory.slice_of_head(tmp_path / "a.dcm")
    path.chmod(0)
    assert "Permission denied" in verdict(path)


def test_a_name_that_is_not_utf8(tmp_path):
    name = os.fsdecode(b"M\xfcller.dcm")
    factory.slice_of_head(tmp_path / name)
    row = read_header(tmp_path, name)[0]
    assert "not UTF-8" in row["excluded"]
    row["path"].encode()  # can stand in a table


def test_cut_files(tmp_path):
    whole = factory.slice_of_head(tmp_path / "whole.dcm").read_bytes()
    packed = factory.slice_of_head(tmp_path / "packed.dcm", compress=RLELossless).read_bytes()
    png = factory.picture(tmp_path / "a.png", np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).read_bytes()
    jpeg = factory.picture(tmp_path / "a.jpg", np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).read_bytes()
    for content, reason in [
        (whole[:-10], "truncated: 10 of 512 bytes of pixel data are missing"),
        (packed[:-10], "truncated: the compressed pixel data has no end"),
        (png[:-20], "truncated: the PNG"),
        (jpeg[:-20], "truncated: the JPEG"),
    ]:
        (tmp_path / "cut").write_bytes(content)
        assert reason in verdict(tmp_path / "cut")


def test_pictures(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    factory.picture(tmp_path / "16.png", rng.integers(0, 65536, (20, 30)).astype(np.uint16))
    factory.picture(tmp_path / "rgb.png", rng.integers(0, 256, (20, 30, 3)).astype(np.uint8))
    row = read_header(tmp_path, "16.png")[0]
    assert (row["read_rows"], row["read_columns"], row["read_bits_allocated"], row["excluded"]) == (20, 30, 16, "")
    assert read_header(tmp_path, "rgb.png")[0]["read_bits_allocated"] == 8
    Image.new("CMYK", (20, 20)).save(tmp_path / "print.jpg")  # TensorFlow has no conversion to grey
    assert "CMYK" in verdict(tmp_path / "print.jpg")
    # a header that claims 60,000 x 60,000 pixels in a hundred bytes
    small = bytearray(factory.picture(tmp_path / "bomb.png", np.zeros((8, 8), np.uint8)).read_bytes())
    small[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    small[29:33] = zlib.crc32(small[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(small)
    assert "broken PNG" in verdict(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=lambda s: s.name
)
def test_other_syntaxes_without_compression(tmp_path, syntax):
    path = factory.slice_of_head(tmp_path / "a.dcm", syntax=syntax)
    row = read_header(tmp_path, path.name)[0]
    assert row["excluded"] == ""
    np.testing.assert_array_equal(pixels.hounsfield(tmp_path, row), factory.head())


def test_frames_become_rows(tmp_path):
    values = np.stack([factory.head(seed=s) for s in range(3)])
    factory.dicom(tmp_path / "multi.dcm", values, intercept=[0, 10, 20])
    rows = read_header(tmp_path, "multi.dcm")
    assert [r["excluded"] for r in rows] == [""] * 3
    assert [r["read_frame"] for r in rows] == [0, 1, 2]
    assert [r["position"] for r in rows] == [0, 5, 10]
    for number, row in enumerate(rows):
        np.testing.assert_array_equal(pixels.hounsfield(tmp_path, row), values[number] + 10 * number)
