"""PNGs that put 12 bits into 16: told, and shown by their own range where the config asks."""

import factory
import numpy as np
import pandas as pd
import pytest
from reading import rows_of, through_graph

from medtf.data import raster_range


@pytest.fixture
def root(tmp_path):
    values = np.linspace(0, 4095, 160 * 160).round().astype(np.uint16).reshape(160, 160)
    factory.picture(tmp_path / "dark.png", values)
    factory.picture(tmp_path / "full.png", values * 16)
    factory.picture(tmp_path / "eight.png", (values // 256).astype(np.uint8))
    return tmp_path


def test_nearly_black_pictures_are_told_with_the_way_out(root):
    said = raster_range.about(pd.DataFrame(rows_of(root, "dark.png", "full.png", "eight.png")), root, "bits")
    assert said.startswith("1 of 2 PNGs of 16 bits")  # 4095 of 65535 are 6.2 %
    assert "dark.png is at 6.2% of the range" in said
    assert "--set input.raster=percentile" in said


@pytest.mark.parametrize(("names", "raster"), [(("full.png", "eight.png"), "bits"), (("dark.png",), "percentile")])
def test_nothing_is_said_where_nothing_is_dark(root, names, raster):
    assert raster_range.about(pd.DataFrame(rows_of(root, *names)), root, raster) == ""


def test_percentiles_show_what_bits_leave_dark(root):
    rows = rows_of(root, "dark.png")
    (bits,), (own,) = through_graph(root, rows), through_graph(root, rows, raster_range="percentile")
    assert bits.max() == pytest.approx(4095 / 65535)
    # a ramp: the 0.5th percentile becomes 0, the 99.5th 1, and what lies between stays in its order
    assert (own.min(), own.max()) == (0, 1)
    assert np.all(np.diff(own.ravel()) >= 0)
    assert np.median(own) == pytest.approx(0.5, abs=0.02)
