"""Models from .keras files, with the layers of this package known to Keras."""

import os

import keras

from medtf.models.vit import vit  # noqa: F401  registers its layers: Keras looks classes up and imports nothing by itself


def load(path: str | os.PathLike) -> keras.Model:
    """The model of a .keras file, not compiled. Nothing in the file is run: no pickle, no Lambda layers.

    Raises:
        ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile: not such a file; Keras raises as it comes.
    """
    return keras.saving.load_model(path, compile=False, safe_mode=True)
