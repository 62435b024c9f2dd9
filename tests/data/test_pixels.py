"""Plausibility and the hash of decoded pixels."""

import factory
import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless, RLELossless

from medtf.data import pixels
from medtf.data.header import read_header


def head():
    return factory.head(64).astype(np.float32)


def test_a_head_is_plausible():
    assert pixels.implausible_hounsfield(head()) == ""


def test_padding_far_below_air_is_plausible_and_so_is_its_blur_by_a_lossy_compression():
    padded = head()
    padded[:16] = -2000
    assert pixels.implausible_hounsfield(padded) == ""
    blurred = padded + np.where(padded < -1500, np.random.default_rng(0).normal(0, 9, padded.shape), 0).astype(
        np.float32
    )
    assert pixels.implausible_hounsfield(blurred, lossy=True) == ""
    assert "applied twice" in pixels.implausible_hounsfield(blurred)


@pytest.mark.parametrize(
    ("hu", "reason"),
    [
        (np.full((64, 64), -1000, np.float32), "constant: every pixel is -1000 HU"),
        (head() + 1024, "no air: .* RescaleIntercept"),  # the intercept was forgotten
        (head() - 1024, "noise below -1500 HU: RescaleIntercept .* applied twice"),
        (2047 - head(), "no air"),  # 12 bits inverted: 4095 - stored
        (np.where(head() > 0, 2047 - head(), -1000), "above 1500 HU"),  # the same, in a round field of view
        (np.random.default_rng(0).uniform(-32768, 32767, (64, 64)).astype(np.float32), "lie outside -4096..8000 HU"),
        (np.random.default_rng(0).uniform(-1000, 3000, (64, 64)).astype(np.float32), "neighbouring pixels differ"),
    ],
)
def test_what_cannot_be_hounsfield(hu, reason):
    import re

    assert re.search(reason, pixels.implausible_hounsfield(hu))


def check(tmp_path, name):
    return pixels.check(tmp_path, read_header(tmp_path, name)[0])


def test_one_image_has_one_hash_however_it_is_stored(tmp_path):
    factory.slice_of_head(tmp_path / "raw.dcm", size=64)
    factory.slice_of_head(tmp_path / "rle.dcm", size=64, compress=RLELossless)
    factory.slice_of_head(tmp_path / "j2k.dcm", size=64, compress=JPEG2000Lossless)
    factory.dicom(tmp_path / "offset.dcm", factory.head(64) + 2000, intercept=-2000)
    factory.slice_of_head(tmp_path / "other.dcm", size=64, seed=1)
    digests = [check(tmp_path, f"{n}.dcm") for n in ("raw", "rle", "j2k", "offset", "other")]
    assert all(len(digest) == 32 and not reason for digest, reason in digests)
    assert len({digest for digest, _ in digests[:4]}) == 1
    assert digests[4] != digests[0]


def test_a_hash_sees_the_shape(tmp_path):
    values = np.arange(64)
    factory.dicom(tmp_path / "a.dcm", values.reshape(4, 16), modality="DX", slope=None)
    factory.dicom(tmp_path / "b.dcm", values.reshape(16, 4), modality="DX", slope=None)
    assert check(tmp_path, "a.dcm") != check(tmp_path, "b.dcm")


def test_a_constant_radiograph_is_left_out(tmp_path):
    factory.picture(tmp_path / "a.png", np.full((8, 8), 7, np.uint8))
    assert check(tmp_path, "a.png") == ("", "constant: every pixel is 7")


def test_files_that_changed_after_the_index_are_verdicts(tmp_path):
    rng = np.random.default_rng(0)
    raw = factory.slice_of_head(tmp_path / "a.dcm")
    packed = factory.slice_of_head(tmp_path / "b.dcm", compress=RLELossless)
    png = factory.picture(tmp_path / "c.png", rng.integers(0, 256, (64, 64)).astype(np.uint8))
    for path in (raw, packed, png):
        row = read_header(tmp_path, path.name)[0]
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3])
        digest, reason = pixels.check(tmp_path, row)
        assert (digest, reason[:17]) == ("", "cannot be decoded")
        path.unlink()
        assert "No such file" in pixels.check(tmp_path, row)[1]
