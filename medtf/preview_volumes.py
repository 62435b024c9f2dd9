"""Pictures of volumes: the three planes through the middle, with the letters of RAS+, and a sheet of them."""

import numpy as np
from matplotlib.figure import Figure

# plane -> (the axis that is cut, where the picture's left, right, top and bottom point). As radiologists hang pictures: the patient's right on the
# left, the face to the left.
PLANES = {
    "sagittal": (0, "A", "P", "S", "I"),
    "coronal": (1, "R", "L", "S", "I"),
    "axial": (2, "R", "L", "A", "P"),
}
SHOWN = (1, 99)  # percentiles that become black and white


def plane(volume: np.ndarray, name: str) -> np.ndarray:
    """The plane through the middle of a volume, ready for `imshow`: rows from the top, columns from the left.

    Args:
        volume: (depth, height, width), RAS+: to the right, the front and the top.
        name: sagittal, coronal or axial.
    """
    axis = PLANES[name][0]
    cut = np.take(volume, volume.shape[axis] // 2, axis)
    return cut.T[
        ::-1, ::-1
    ]  # each of the three has its first axis across, its second upwards, and runs against the picture


def shown_range(volume: np.ndarray) -> tuple[float, float]:
    """Values for black and white, the 1st and the 99th percentile; a little apart where all voxels are equal."""
    low, high = np.percentile(volume, SHOWN)
    return float(low), float(high if high > low else low + 1)


def sheet(volumes: np.ndarray, words_of: list[str], spacings, title: str) -> Figure:
    """A row a volume: words, then the three planes with their letters.

    Args:
        volumes: (n, depth, height, width, 1).
        words_of: what stands beside each.
        spacings: (n, 3), mm: the planes are drawn in millimetres.
        title: above all of it.
    """
    rows = len(volumes)
    figure = Figure(figsize=(10.4, 2.75 * rows + 0.5), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, 4, squeeze=False, width_ratios=[0.85, 1, 1, 1])
    figure.suptitle(title, fontsize=8, x=0.01, ha="left", wrap=True)
    for r in range(rows):
        volume = volumes[r, ..., 0]
        low, high = shown_range(volume)
        size = " x ".join(str(side) for side in volume.shape)
        spacing = " x ".join(f"{mm:.3g}" for mm in spacings[r])
        words = axes[r, 0]
        words.axis("off")
        lines = [words_of[r], f"{size} voxels", f"of {spacing} mm"]
        lines += [f"values {volume.min():.2f} to {volume.max():.2f}", f"shown {low:.2f} to {high:.2f}"]
        words.text(0, 1, "\n".join(lines), va="top", fontsize=8, transform=words.transAxes)
        for axis, name in zip(axes[r, 1:], PLANES, strict=True):
            show(axis, volume, name, spacings[r], (low, high))
            if r == 0:
                axis.set_title(name, fontsize=9)
    return figure


def show(axis, volume: np.ndarray, name: str, spacing, shown: tuple[float, float], *, letters: bool = True) -> None:
    """One plane into one pair of matplotlib's axes, in millimetres, on black."""
    cut, left, right, top, bottom = PLANES[name]
    across, up = (mm for number, mm in enumerate(spacing) if number != cut)
    axis.imshow(
        plane(volume, name), cmap="gray", vmin=shown[0], vmax=shown[1], aspect=up / across, interpolation="nearest"
    )
    axis.set_xticks([])
    axis.set_yticks([])
    if not letters:
        return
    for letter, x, y in ((left, 0.04, 0.5), (right, 0.96, 0.5), (top, 0.5, 0.95), (bottom, 0.5, 0.05)):
        text = axis.text(x, y, letter, color="#ffd24a", fontsize=8, ha="center", va="center", transform=axis.transAxes)
        text.set_bbox({"facecolor": "black", "alpha": 0.5, "pad": 0.8, "linewidth": 0})


def blocks(config, table, root) -> tuple[np.ndarray, dict, list[str]]:
    """What the network is given of each row: the whole volume, or with `input.patches` the tile that holds most foreground.

    Returns:
        (n, depth, height, width, 1); labels, {target: (n, k)}; a word about each, empty for whole volumes.
    """
    from medtf import pipeline
    from medtf.config import Config

    raw = config.model_dump()
    raw["train"]["batch_size"] = 4
    config = Config.model_validate(raw)
    module = pipeline.find(config.pipeline)
    volumes, labels, words = [], {name: [] for name in config.targets}, []
    for row in range(len(table)):
        one = table.with_frame(table.frame.iloc[[row]])
        best, count = None, 0
        for batch, told, weights in module.dataset(one, root, config, training=False):
            count += len(batch)
            place = int(np.argmax(weights))
            if best is None or float(weights[place]) > best[0]:
                best = (
                    float(weights[place]),
                    np.asarray(batch[place]),
                    {n: np.asarray(v[place]) for n, v in told.items()},
                )
        volumes.append(best[1])
        words.append(f"the fullest of {count} patches" if config.input.patches else "")
        for name, value in best[2].items():
            labels[name].append(value)
    return np.stack(volumes), {name: np.stack(values) for name, values in labels.items()}, words


def spacings_of(config, table) -> np.ndarray:
    """Millimetres between voxels along each axis, (n, 3): the config's, or the files' own."""
    if config.input.spacing_mm is not None:
        return np.tile(np.array(config.input.spacing_mm, float), (len(table), 1))
    from medtf.data.nifti import parse
    from medtf.data.pixels import Rows

    return np.array([parse(row).spacing for row in Rows(table.frame)], float)
