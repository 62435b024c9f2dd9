"""Windows: names and numbers, and the values in [0, 1] that come out of the data set (worked out by hand)."""

import factory
import numpy as np
import pytest

from medtf import table
from medtf.config import parse
from medtf.data import dataset
from medtf.data.header import read_header
from medtf.data.windows import window
from medtf.errors import AskedWronglyError


def test_names_and_numbers():
    assert window("brain") == (40, 80)
    assert window([50, 100.5]) == (50, 100.5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("brian", "did you mean 'brain'"),
        ([40, 0], "width above 0"),
        ([40, -80], "width above 0"),
        ([40, float("nan")], "width above 0"),
        ([float("inf"), 80], "expected numbers"),
    ],
)
def test_what_is_refused(spec, message):
    with pytest.raises(AskedWronglyError, match=message):
        window(spec)


def test_values_by_hand(tmp_path):
    import pandas as pd

    hu = np.full((8, 8), -1000)
    hu[0] = [-1000, -20, 0, 20, 40, 80, 180, 3000]
    factory.dicom(tmp_path / "a.dcm", hu + 1024)
    rows = read_header(tmp_path, "a.dcm")
    config = parse(
        {
            "pipeline": "table",
            "targets": {"y": "binary"},
            "input": {"size": 8, "windows": ["brain", "subdural", [40, 380]]},
        }
    )
    found = table.Table(pd.DataFrame(rows).assign(y=0.0))
    (images, _, _) = next(iter(dataset.make(found, tmp_path, config, training=False)))
    top = images.numpy()[0, 0]
    # brain: (x - 40) / 80 + 0.5; subdural: (x - 80) / 200 + 0.5; soft: (x - 40) / 380 + 0.5; cut at 0 and 1
    np.testing.assert_allclose(top[:, 0], [0, 0, 0, 0.25, 0.5, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(top[:, 1], [0, 0, 0.1, 0.2, 0.3, 0.5, 1, 1], atol=1e-6)
    np.testing.assert_allclose(top[:, 2], [0, 130 / 380, 150 / 380, 170 / 380, 0.5, 230 / 380, 330 / 380, 1], atol=1e-6)
