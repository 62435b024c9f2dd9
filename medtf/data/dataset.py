"""Order -> read -> windows -> batch -> prefetch: the tf.data pipeline that every pipeline module shares."""

import os

import numpy as np
import tensorflow as tf

from medtf.config import Config
from medtf.data import graph, voi, volumes
from medtf.data.header import completed
from medtf.data.labels import encode
from medtf.data.order import Order, balanced_weights, classes_of
from medtf.data.pixels import Rows
from medtf.data.windows import window
from medtf.errors import MedtfError
from medtf.table import Table

# Threads that read; more than the cores, since a thread that waits for the disk leaves its core to another.
READERS = max(2, 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1))


def make(
    table: Table, root, config: Config, *, training: bool, epoch=0, step=0, shard: tuple[int, int] = (0, 1)
) -> tf.data.Dataset:
    """Batches of (image, {target: (batch, k)}, weight).

    Images are float32 (batch, height, width, channels) in [0, 1]; labels float32 with NaN = unknown; weights float32 (batch,), all 1.

    Args:
        table: the rows to read, already those of one fold.
        root: data root.
        config: `input`, `targets`, `data.undersample`, `train.batch_size` and `train.seed` count.
        training: True: one epoch in the order of (seed, epoch), whole batches, window jitter. False: the table's own order, every example.
        epoch: int, or a tf.Variable (int64) that is read whenever the data set is iterated anew.
        step: the first step of the epoch, likewise.
        shard: (index, count) of this process; a batch is cut among them.
    Raises:
        MedtfError: no rows, or fewer rows than a batch when training.
    """
    if len(table) == 0:
        raise MedtfError("no examples to read: the fold is empty")
    if config.train.batch_size % shard[1]:
        raise MedtfError(f"train.batch_size {config.train.batch_size} cannot be cut among {shard[1]} processes")
    if config.model.dimensions == 3:
        order = order_of(table, config) if training else None
        if order:
            _steps(order, config)
        return volumes.make(table, root, config, order, epoch=epoch, step=step, shard=shard)
    voi.about(table.frame, config.input.intensity)  # refuses a table that is too old to tell
    root, frame = str(root), completed(table.frame)
    volume = frame["read_kind"].str.startswith("nifti").to_numpy()
    if volume.any():
        raise MedtfError(
            f"{frame['path'].iloc[volume.argmax()]}: a volume, and {config.model.name} takes images: name a 3D network (`medtf models`)"
        )
    labels = encode(frame, config.targets)
    if training:
        order = order_of(table, config, labels)
        _steps(order, config)
        batches = _ordered(order, config, epoch, step, shard)
        # rows travel with their place in the order, which seeds what is drawn for them
        rows = _with_places(batches, order, config, epoch, step, shard)
    else:
        rows = tf.data.Dataset.range(len(frame)).map(lambda row: (row, row))
    columns = _columns(frame, labels)
    read, windowed = _reader(frame, root, config), _windowed(config, training)

    def one(row, place):
        cells = {name: tf.gather(values, row) for name, values in columns.items()}
        image = windowed(read(cells | {"row": row}), place)
        return image, {name: cells[f"label:{name}"] for name in labels}, tf.ones(())

    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = (
        False  # every number is set here; its thread held the end of each pass for up to a second
    )
    options.threading.private_threadpool_size = READERS
    size = config.train.batch_size // shard[1] if training else config.train.batch_size
    ready = rows.map(one, num_parallel_calls=READERS).batch(size, drop_remainder=training)
    return ready.prefetch(2).with_options(options)


def order_of(table: Table, config: Config, labels: dict[str, np.ndarray] | None = None) -> Order:
    """The order of a training fold.

    Raises:
        MedtfError: undersampling by a column of continuous values, or a fold with one class only.
    """
    labels = labels or encode(table.frame, config.targets)
    policy, weights = config.data.undersample, None
    classes = np.zeros(len(table), np.int64)
    if policy.policy == "balanced":
        weights = balanced_weights(
            {name: one for name, one in labels.items() if config.targets[name].kind != "regression"}
        )
        if weights is None:
            raise MedtfError(
                f"data.undersample: balanced: none of the targets {', '.join(labels) or '(there are none)'} has two classes in the training"
                " fold; nothing can be balanced: set data.undersample: none"
            )
    elif policy.policy != "none":
        classes = _classes(labels, config)
    patients = table.frame["patient"].factorize()[0]
    return Order(np.arange(len(table)), classes, patients, policy, config.train.seed, weights)


def _classes(labels: dict[str, np.ndarray], config: Config) -> np.ndarray:
    """Classes of the one target that is undersampled by."""
    policy = config.data.undersample
    name = policy.target or next(iter(labels), None)
    if name is None:
        raise MedtfError(
            f"data.undersample: {policy.policy} goes by a target, and there is none: set data.undersample: none"
        )
    if config.targets[name].kind == "regression":
        raise MedtfError(
            f"data.undersample: target {name!r} is continuous; name a binary or multi-class one:"
            f" undersample: {{policy: {policy.policy}, target: ...}}"
        )
    classes = classes_of(labels[name])
    if len(np.unique(classes[classes >= 0])) < 2:
        raise MedtfError(
            f"data.undersample: the training fold holds one class of {name!r} only; nothing can be balanced"
        )
    return classes


def steps_an_epoch(table: Table, config: Config) -> int:
    """Steps of one epoch.

    Raises:
        MedtfError: an epoch holds fewer examples than a batch.
    """
    return _steps(order_of(table, config), config)


def _steps(order: Order, config: Config) -> int:
    if config.model.dimensions == 3:
        steps = volumes.steps_an_epoch(order, config)
    else:
        steps = order.steps(config.train.batch_size)
    if steps == 0:
        raise MedtfError(
            f"an epoch of the training fold holds {order.length()} examples, fewer than train.batch_size {config.train.batch_size}: lower it"
        )
    return steps


def _ordered(order: Order, config: Config, epoch, step, shard) -> tf.data.Dataset:
    """Batches of row numbers; the order is asked for when the iteration begins, in Python, once an epoch."""
    batch = config.train.batch_size // shard[1]

    def rows(epoch, step):
        return order.batches(int(epoch), config.train.batch_size, step=int(step), shard=shard).astype(np.int64)

    def begin(_):
        found = tf.numpy_function(rows, [tf.cast(epoch, tf.int64), tf.cast(step, tf.int64)], tf.int64)
        return tf.data.Dataset.from_tensor_slices(tf.ensure_shape(found, (None, batch)))

    return tf.data.Dataset.range(1).flat_map(begin)


def _with_places(batches, order: Order, config: Config, epoch, step, shard) -> tf.data.Dataset:
    """(row, place): unique over the whole training and all processes, and the same wherever a resumed run began."""
    size = config.train.batch_size
    steps = order.steps(size)
    index, count = shard

    def place(number, batch):
        first = (tf.cast(epoch, tf.int64) * steps + tf.cast(step, tf.int64) + number) * size
        return tf.data.Dataset.from_tensor_slices(
            (batch, first + index + count * tf.range(size // count, dtype=tf.int64))
        )

    return batches.enumerate().flat_map(place)


def _columns(frame, labels) -> dict[str, tf.Tensor]:
    with tf.device("cpu"):
        columns = {name: tf.constant(frame[name].to_numpy(), kind) for name, kind in graph.NUMBERS.items()}
        columns["path"] = tf.constant(frame["path"].to_numpy(dtype=object), tf.string)
        return columns | {f"label:{name}": tf.constant(values) for name, values in labels.items()}


def _reader(frame, root: str, config: Config):
    """One function of a row's tensors; tables of several layouts choose a branch by the row."""
    found, codes = graph.layouts(frame, intensity=config.input.intensity)
    wants_hounsfield = config.input.windows is not None
    for layout in found:
        if layout.hounsfield != wants_hounsfield:
            raise MedtfError(
                "input.windows needs Hounsfield units, but the table holds images that are not CT: set input.windows to null"
                if wants_hounsfield
                else "the table holds CT in Hounsfield units: name input.windows, such as [brain, subdural, soft]"
            )
    how = {name: getattr(config.input, name) for name in ("aspect", "channels", "intensity", "clahe")}
    how["raster_range"] = config.input.raster
    branches = [graph.reader(layout, root, config.input.size, rows=Rows(frame), **how) for layout in found]
    if config.input.channels == 3 and any(layout.kind in ("raw", "decode") for layout in found):
        raise MedtfError(
            "input.channels 3 is for colour PNG and JPEG; the table holds DICOM too: set input.channels to 1"
        )
    if len(branches) == 1:
        return branches[0]
    which = tf.constant(codes)
    return lambda row: tf.switch_case(tf.gather(which, row["row"]), [lambda b=branch: b(row) for branch in branches])


def _windowed(config: Config, training: bool):
    """(image, place) -> channels in [0, 1]: windows of HU, or the intensities as they are.

    A 1 x 1 convolution gives each window its channel: (hu - centre) / width + 1/2 is one multiplication and one addition, and broadcasting
    over the last axis, the plain way to write it, takes three times as long as all the reading. Image by image it stays in the cache.
    """
    if config.input.windows is None:
        return lambda image, place: image
    spec = tf.constant([window(w) for w in config.input.windows], tf.float32)
    jitter = tf.constant(config.input.window_jitter, tf.float32)
    jittered = training and any(config.input.window_jitter)
    seed = config.train.seed

    def windowed(image, place):
        drawn = spec
        if jittered:  # centre and width of each window, drawn by the example's place in the order
            drawn = spec + tf.random.stateless_normal(spec.shape, [seed, place]) * jitter
        center, width = drawn[:, 0], tf.maximum(drawn[:, 1], 1.0)
        channels = tf.nn.conv2d(image[None], (1 / width)[None, None, None], 1, "VALID")
        return tf.clip_by_value(tf.nn.bias_add(channels, 0.5 - center / width), 0.0, 1.0)[0]

    return windowed
