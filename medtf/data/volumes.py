"""Order -> decode -> blocks -> batch -> prefetch for volumes: whole ones, or patches; from files, or from voxels that are kept.

The stream of blocks is the same however the voxels come: keeping them changes the speed and not the training. A test holds that.
"""

import numpy as np
import tensorflow as tf

from medtf.config import Config
from medtf.data import keeping, patches, volume_grid
from medtf.data.labels import encode
from medtf.data.order import Order
from medtf.data.volume_reader import CORES, Reader, Voxels, foreground_share
from medtf.table import Table


def make(table: Table, root, config: Config, order: Order | None, *, epoch=0, step=0, shard=(0, 1)) -> tf.data.Dataset:
    """Batches of (volume, {target: (batch, k)}, weight).

    Volumes are float32 (batch, x, y, z, 1) in RAS+, normalised. Weights are 1 for whole volumes and training patches; a tile of a judged
    volume weighs by its share of foreground, so that air has no say.

    Args:
        table: the rows to read, already those of one fold.
        root: data root.
        config: `input`, `targets`, `train` count.
        order: of a training fold; None: the table's own order, every block of every volume (`volume_grid.blocks`).
        epoch, step: where to begin; ints or tf.Variables (int64) that are read whenever the data set is iterated anew.
        shard: (index, count) of this process; a batch is cut among them.
    Raises:
        MedtfError: what headers say cannot work, naming the file.
    """
    frame = table.frame
    plan = volume_grid.plan(frame, config)
    labels = encode(frame, config.targets)
    store = keeping.find(table, root, config, plan)
    reader = None if store else Reader(frame, root, config, plan)
    size = config.train.batch_size // shard[1] if order else config.train.batch_size
    if order is None:
        found = _judged(frame, config, plan, store, reader, size)
    else:
        found = _trained(order, config, plan, store, reader, size, (epoch, step, shard))
    with tf.device("cpu"):
        truth = {name: tf.constant(values) for name, values in labels.items()}
    told = found.map(lambda blocks, rows, weights: (blocks, {n: tf.gather(v, rows) for n, v in truth.items()}, weights))
    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False  # every number is set here; its bookkeeping costs time with each patch
    options.threading.private_threadpool_size = 2 * CORES
    return told.prefetch(2).with_options(options)


def steps_an_epoch(order: Order, config: Config) -> int:
    """Whole batches of an epoch: of volumes, or of all their patches."""
    per = config.input.patches.patches_per_volume if config.input.patches else 1
    return order.length() * per // config.train.batch_size


def _trained(order: Order, config: Config, plan, store, reader, size: int, where) -> tf.data.Dataset:
    """(blocks, rows, weights) of one epoch, in whole batches."""
    epoch, step, shard = where
    how = config.input.patches
    starts = patches.Starts(plan.shapes, config.input.size, how, config.train.seed) if how else None
    candidates = patches.CANDIDATES if how and how.sampler == "foreground" else 1
    together = how is not None and not store and shard[1] == 1  # a volume is decoded once for all its patches

    def begin(_):
        here = [tf.cast(epoch, tf.int64), tf.cast(step, tf.int64)]
        if not together:
            rows, tried = tf.numpy_function(_blocks(order, config, plan, starts, shard), here, (tf.int64, tf.int32))
            return _slices(rows, tf.ensure_shape(tried, (None, candidates, 3)))
        rows, tried, done = tf.numpy_function(_opened(order, config, starts), here, (tf.int64, tf.int32, tf.int64))
        opened = _slices(rows, tf.ensure_shape(tried, (None, how.patches_per_volume, candidates, 3)))
        return _patched(opened, reader, how).skip(tf.ensure_shape(done, ()))

    drawn = tf.data.Dataset.range(1).flat_map(begin)
    if store:
        batched = drawn.batch(size, drop_remainder=True)
        return batched.map(
            lambda rows, tried: (store.blocks(rows, tried), rows, tf.ones(size)), num_parallel_calls=CORES
        )
    if together:
        cut = drawn.map(lambda volume, row, tried: _one(reader, volume, row, tried), num_parallel_calls=CORES)
    else:
        cut = drawn.map(lambda row, tried: _one(reader, reader.decode(row), row, tried), num_parallel_calls=CORES)
    return cut.batch(size, drop_remainder=True).map(
        lambda cuts, scales, rows: (reader.normalised(cuts, scales), rows, tf.ones(size)), num_parallel_calls=CORES
    )


def _blocks(order: Order, config: Config, plan, starts, shard):
    """A function of (epoch, step): rows (m,) and candidate starts (m, n, 3) of this process's share of what is left of the epoch."""
    (index, count), how, batch = shard, config.input.patches, config.train.batch_size
    middles = volume_grid.middle(plan.shapes, config.input.size).astype(np.int32)

    def blocks(epoch, step):
        if how is None:
            rows = order.batches(int(epoch), batch, step=int(step)).reshape(-1)
            tried = middles[rows][:, None]
        else:
            volumes, of_volumes, done = _opened(order, config, starts)(epoch, step)
            which, number = patches.stream(len(volumes), how, int(done))
            rows, tried = volumes[which], of_volumes[which, number]
        whole = len(rows) // batch * batch
        mine = np.arange(whole).reshape(-1, batch)[:, index::count].reshape(-1)
        return rows[mine].astype(np.int64), tried[mine]

    return blocks


def _opened(order: Order, config: Config, starts: patches.Starts):
    """A function of (epoch, step): the volumes that are still to be cut (m,), the candidate starts of all their patches (m, p, n, 3), and
    how many patches of the first few are done with."""
    how, batch = config.input.patches, config.train.batch_size

    def opened(epoch, step):
        found = np.resize(order.epoch(int(epoch)), order.length())
        rows, turns, done = patches.volumes_left(found, how, epoch=int(epoch), first=int(step) * batch)
        tried = [starts.of_volume(int(row), int(turn)) for row, turn in zip(rows, turns, strict=True)]
        return rows, np.stack(tried), np.int64(done)

    return opened


def _slices(rows, tried) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((tf.ensure_shape(rows, (None,)), tried))


def _patched(opened: tf.data.Dataset, reader: Reader, how) -> tf.data.Dataset:
    """(volume, row, candidates) of each patch: one from each of the volumes that are open, in turn; each volume is decoded once.

    Volumes go on by reference. While those of one group are cut, the next ones are decoded.
    """

    def patches_of(volume, row, tried):
        return tf.data.Dataset.range(how.patches_per_volume).map(lambda number: (volume, row, tried[number]))

    ahead = opened.map(lambda row, tried: (reader.decode(row), row, tried), num_parallel_calls=CORES)
    mixed = how.volumes_mixed
    return ahead.prefetch(mixed).interleave(patches_of, cycle_length=mixed, num_parallel_calls=None)


def _one(reader: Reader, volume: Voxels, row, tried):
    """The block at the first of the tried starts whose middle is foreground, or else at the first: cut, its line, its row."""
    start = tried[0]
    if tried.shape[0] != 1:
        inside = reader.at(volume, tried + tf.constant([s // 2 for s in reader.size], tf.int32))
        start = tried[tf.argmax(tf.cast(inside, tf.int32), output_type=tf.int32)]
    return *reader.cut(volume, start), row


def _judged(frame, config: Config, plan, store, reader, size: int) -> tf.data.Dataset:
    """(blocks, rows, weights): every block of every volume, in the table's order."""
    rows, starts = volume_grid.blocks(frame, config, plan)
    ends = np.searchsorted(rows, np.arange(len(plan.shapes) + 1))
    starts, ends = tf.constant(starts, tf.int32), tf.constant(ends, tf.int64)

    def volume(row):
        mine = starts[ends[row] : ends[row + 1]]
        if store:
            blocks = store.blocks(tf.fill(tf.shape(mine)[:1], row), mine[:, None])
            edge = store.edge(row)
        else:
            voxels = reader.decode(row)
            cuts, scales = tf.map_fn(
                lambda start: reader.cut(voxels, start), mine, fn_output_signature=(reader.kind, tf.float32)
            )
            blocks, edge = reader.normalised(cuts, scales), reader.edge(voxels)
        weights = tf.ones(tf.shape(mine)[0])
        if config.input.patches is not None:
            shares = foreground_share(blocks, edge, masked=config.input.mask is not None)
            weights = shares / tf.maximum(tf.reduce_mean(shares), 1e-6)
        return blocks, tf.fill(tf.shape(mine)[:1], row), weights

    each = tf.data.Dataset.range(len(plan.shapes)).map(volume, num_parallel_calls=CORES).unbatch()
    return each.batch(size).apply(tf.data.experimental.assert_cardinality(-(-len(rows) // size)))
