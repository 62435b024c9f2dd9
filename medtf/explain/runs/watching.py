"""Heat maps while `medtf fit` trains: which validation examples, of which target, and where the pictures go."""

from itertools import zip_longest
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from medtf import ensembling, gallery_pictures
from medtf.config import Config, Target
from medtf.data.labels import encode
from medtf.explain import layers, methods
from medtf.explain.callback import GradCAMCallback
from medtf.explain.score import Score
from medtf.table import Table

FOLDER = Path("explain") / "training"  # in the run folder


def target_of(config: Config) -> str:
    """The target whose maps are drawn: the one that is asked for, else the first binary one, else the first."""
    binary = [name for name, target in config.targets.items() if target.kind == "binary"]
    return config.explain.target or (binary or list(config.targets))[0]


def refuse(config: Config, model: keras.Model) -> None:
    """What would keep every picture from being drawn is told before the training begins.

    Raises:
        AskedWronglyError: no such method; a network without places, where the method looks into layers.
    """
    method = methods.get(config.explain.method)
    Score(model, target_of(config))
    if method.of_layers:
        layers.find(model)


def callback(model: keras.Model, config: Config, valid: Table, root, folder, *, say=None) -> GradCAMCallback:
    """Draws the same examples of the validation fold after every `explain.every` epochs into `explain/training/` of the run.

    Args:
        model: the network, which shares its weights with what is fitted.
        config: `explain`, `targets` and `input` count. valid: the validation fold. root: data root. folder: of the run.
        say: takes a line.
    """
    name, asked = target_of(config), config.explain
    rows = valid.with_frame(valid.frame.iloc[chosen(valid.frame, name, config.targets[name], asked.examples)])

    def examples():
        return np.stack(gallery_pictures.seen(rows, root, ensembling.unkept(config))), None

    return GradCAMCallback(
        examples,
        None if config.targets[name].kind == "multiclass" else 0,
        Path(folder) / FOLDER,
        every=asked.every,
        target=name,
        method=asked.method,
        network=model,
        drawn=_first_window if len(config.input.windows or ()) > 1 else None,
        say=say,
    )


def chosen(frame: pd.DataFrame, name: str, target: Target, count: int) -> list[int]:
    """Places of rows in a table: of each class in turn, and of each class other patients first; of values the first rows with another patient each.

    Args:
        frame: of the validation fold. name, target: whose labels are read; rows without a label come last. count: at the most.
    """
    labels = encode(frame, {name: target})[name]
    known = ~np.isnan(labels).any(axis=1)
    of_class = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0]
    of_class = np.where(known, 0 if target.kind == "regression" else of_class, -1)
    places = pd.DataFrame({"place": np.arange(len(frame)), "class": of_class, "patient": frame["patient"].to_numpy()})
    places["turn"] = places.groupby(["class", "patient"]).cumcount()
    places = places.sort_values(["turn", "place"], kind="stable")
    classes = [
        places.loc[places["class"] == one, "place"].tolist() for one in sorted(set(of_class[known]), reverse=True)
    ]
    labelled = [place for turn in zip_longest(*classes) for place in turn if place is not None]
    return (labelled + places.loc[places["class"] == -1, "place"].tolist())[:count]


def _first_window(images: np.ndarray) -> np.ndarray:
    """Windows of a CT are no colours: the first of them is drawn."""
    return images[..., :1]
