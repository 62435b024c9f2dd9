"""model.keras, whole or not at all."""

import warnings
from pathlib import Path

import keras


def save(model: keras.Model, path: Path) -> None:
    """Write a model beside `path`, then put it in its place."""
    temporary = path.with_name(f".{path.stem}.tmp.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(temporary)
    temporary.replace(path)
