"""A contact sheet of the network's input: a row an example, a column a channel or a plane, labels and the range of values beside it."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from medtf import pipeline
from medtf.config import Config, Target
from medtf.data.labels import encode
from medtf.data.order import classes_of
from medtf.data.windows import window
from medtf.faults import reading
from medtf.table import Table


def draw(config: Config, table: Table, root, path: Path, *, count: int = 6, augmented: bool = False) -> int:
    """Write the sheet as PNG, whole or not at all; returns how many examples it shows.

    Args:
        config: `input`, `targets`, `augment` count.
        table: examples with labels.
        root: data root.
        path: the picture.
        count: examples at the most; classes of the first target take turns.
        augmented: with window jitter and augmentation, drawn by train.seed.
    """
    chosen = table.with_frame(table.frame.iloc[_in_turns(table, config, count)])
    how = "as in a training step" if augmented else "as in evaluation"
    if config.model.dimensions == 3:
        figure = _volumes(config, chosen, root, augmented, how)
    else:
        figure = _pictures(config, chosen, root, augmented, how)
    _save(figure, path)
    return len(chosen)


def draw_each(config: Config, table: Table, root, path: Path) -> int:
    """Write, as PNG, each random change alone at three strengths, on one example; returns how many kinds it shows.

    Args:
        config: `input`, `augment` count; changes that it does not have are shown at a usual strength, and said to be.
        table: examples; the first two, the classes of the first target in turn, are read.
        root: data root.
        path: the picture.
    """
    from medtf import preview_augment, preview_volumes

    chosen = table.with_frame(table.frame.iloc[_in_turns(table, config, 2)])
    spacing = (1.0, 1.0, 1.0)
    with reading(chosen, root):
        if config.model.dimensions == 3:
            images, _, _ = preview_volumes.blocks(config, chosen, root)
            spacing = preview_volumes.spacings_of(config, chosen)[0]
        else:
            images, _ = _batch(config, chosen, root, augmented=False)
    rows = preview_augment.rows(config, images)
    name = _short(Path(chosen.frame["path"].iloc[0]).name)
    title = f"Each random change alone, on {name}: of {preview_augment.TRIALS} draws the one that changes most, at three strengths."
    windows = config.input.windows
    if windows is not None:
        title += f" Window: {channel_names(config)[0]}."
    _save(preview_augment.sheet(rows, images[0], title, spacing, colour=windows is None), path)
    return len(rows)


def _pictures(config: Config, chosen: Table, root, augmented: bool, how: str) -> Figure:
    with reading(chosen, root):
        images, labels = _batch(config, chosen, root, augmented)
    words = _words(chosen.frame["path"].tolist(), labels, config)
    height, width = images.shape[1:3]
    title = (
        f"What the network sees: {height} x {width} pixels, {how}. Below each picture: its lowest and highest value."
    )
    return _sheet(images, words, channel_names(config), title)


def _volumes(config: Config, chosen: Table, root, augmented: bool, how: str) -> Figure:
    from medtf import augment, preview_volumes

    with reading(chosen, root):
        volumes, labels, notes = preview_volumes.blocks(config, chosen, root)
    if augmented:
        layers = augment.build(config.augment, seed=config.train.seed + 1, dimensions=3)
        for number, volume in enumerate(volumes):  # one at a time: a batch of large ones may not fit
            for layer in layers:
                volume = np.asarray(layer(volume[None], training=True))[0]
            volumes[number] = volume
    words = _words(chosen.frame["path"].tolist(), labels, config)
    words = [f"{word}\n{note}" if note else word for word, note in zip(words, notes, strict=True)]
    title = (
        f"What the network sees, {how}: the planes through the middle, as radiologists hang them (R: the patient's right), "
        "from the 1st to the 99th percentile."
    )
    return preview_volumes.sheet(volumes, words, preview_volumes.spacings_of(config, chosen), title)


def _save(figure: Figure, path: Path) -> None:
    """As PNG, whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    try:
        figure.savefig(temporary, dpi=110, format="png")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def channel_names(config: Config) -> list[str]:
    """`brain 40/80 HU` for each window; grey, or red, green and blue."""
    if config.input.windows is None:
        return ["grey"] if config.input.channels == 1 else ["red", "green", "blue"]
    named = [w if isinstance(w, str) else "window" for w in config.input.windows]
    return ["{} {:g}/{:g} HU".format(name, *window(w)) for name, w in zip(named, config.input.windows, strict=True)]


def _in_turns(table: Table, config: Config, count: int) -> np.ndarray:
    """Row numbers, the classes of the first target in turn, spread over the table."""
    name, target = next(iter(config.targets.items()))
    classes = np.zeros(len(table), np.int64)
    if target.kind != "regression":
        classes = classes_of(encode(table.frame, {name: target})[name])
    queues = []
    for value in sorted(set(classes), reverse=True):
        rows = np.flatnonzero(classes == value)
        queues.append(rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)])
    turns = [queue[i] for i in range(count) for queue in queues if i < len(queue)]
    return np.array(list(dict.fromkeys(turns))[:count])


def _batch(config: Config, table: Table, root, augmented: bool) -> tuple[np.ndarray, dict]:
    """Images and labels as `fit` would see them."""
    raw = config.model_dump()
    raw["train"]["batch_size"] = len(table)
    raw["data"]["undersample"] = {"policy": "none"}
    config = Config.model_validate(raw)
    module = pipeline.find(config.pipeline)
    if not augmented:
        images, labels, _ = next(iter(module.dataset(table, root, config, training=False)))
        return np.asarray(images), {name: np.asarray(values) for name, values in labels.items()}
    from medtf import augment
    from medtf.data.dataset import order_of

    images, labels, _ = next(iter(module.dataset(table, root, config, training=True)))
    for layer in augment.build(config.augment, seed=config.train.seed + 1):
        images = layer(images, training=True)
    back = np.argsort(order_of(table, config).batches(0, len(table))[0])  # the sheet keeps the table's order
    return np.asarray(images)[back], {name: np.asarray(values)[back] for name, values in labels.items()}


def _sheet(images: np.ndarray, words_of: list[str], channels: list[str], title: str) -> Figure:
    rows, columns = images.shape[0], images.shape[-1]
    figure = Figure(figsize=(max(2.2 * columns + 2.2, 6.4), 2.4 * rows + 0.6), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns + 1, squeeze=False, width_ratios=[0.9] + [1] * columns)
    figure.suptitle(title, fontsize=8, x=0.01, ha="left", wrap=True)
    for r in range(rows):
        words = axes[r, 0]
        words.axis("off")
        words.text(0, 1, words_of[r], va="top", fontsize=8, transform=words.transAxes)
        for c in range(columns):
            axis = axes[r, c + 1]
            axis.imshow(images[r, ..., c], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            low, high = images[r, ..., c].min(), images[r, ..., c].max()
            axis.set_xlabel(f"{low:.2f} to {high:.2f}", fontsize=7)
            if r == 0:
                axis.set_title(channels[c], fontsize=9)
    return figure


def _words(paths: list[str], labels: dict, config: Config) -> list[str]:
    """What stands beside each row: the file's name, and its labels in the words of the sheet."""
    return [
        "\n".join(
            [_short(Path(path).name)]
            + [f"{name}: {_value(values[row], config.targets[name])}" for name, values in labels.items()]
        )
        for row, path in enumerate(paths)
    ]


def _short(name: str, longest: int = 26) -> str:
    """The end of a long name tells files apart better than its beginning."""
    return name if len(name) <= longest else "..." + name[3 - longest :]


def _value(values: np.ndarray, target: Target) -> str:
    if np.isnan(values).any():
        return "unknown"
    if target.kind == "multiclass":
        return str(target.classes[int(values.argmax())])
    if target.kind == "binary" and target.positive is not None:
        negative = f"not {target.positive}" if target.negative is None else target.negative
        return str(target.positive if values[0] else negative)
    return f"{values[0]:g}"
