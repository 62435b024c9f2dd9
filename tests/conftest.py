"""For all tests: one salt, a home of its own, TensorFlow silent; the real files, or the reason why there are none."""

import os
from pathlib import Path

import factory
import pytest

os.environ["MEDTF_SALT"] = "test"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before anything imports TensorFlow
os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory):
    """Nothing is read from, or written to, the home of whoever runs the tests."""
    os.environ["MEDTF_HOME"] = str(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real files; tests that need it skip where it is absent."""
    if not factory.SHARED.is_dir():
        pytest.skip(factory.WHY_NOT)
    return factory.SHARED
