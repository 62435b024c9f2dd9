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
    middles = tf.constant(volume_grid.middle(plan.shapes, config.input.size), tf.int32)

    def candidates(row, place):
        return starts.candidates(row, place) if how else tf.gather(middles, row)[None]

    def begin(_):
        here = [tf.cast(epoch, tf.int64), tf.cast(step, tf.int64)]
        if how is None or store or shard[1] > 1:
            rows, places = tf.numpy_function(_numbers(order, config, shard), here, (tf.int64, tf.int64))
            return _slices(rows, places)
        rows, places, done = tf.numpy_function(_opened(order, config), here, (tf.int64, tf.int64, tf.int64))
        return _patched(_slices(rows, places), reader, candidates, how).skip(tf.ensure_shape(done, ()))

    drawn = tf.data.Dataset.range(1).flat_map(begin)
    if store:
        ready = drawn.map(lambda row, place: (row, candidates(row, place))).batch(size, drop_remainder=True)
        return ready.map(lambda rows, tried: (store.blocks(rows, tried), rows, tf.ones(size)), num_parallel_calls=CORES)
    if how is None or shard[1] > 1:
        drawn = drawn.map(
            lambda row, place: _one(reader, reader.decode(row), row, candidates(row, place)), num_parallel_calls=CORES
        )
    return drawn.batch(size, drop_remainder=True)


def _numbers(order: Order, config: Config, shard):
    """A function of (epoch, step): rows and places of this process's share of what is left of the epoch."""
    (index, count), how, batch = shard, config.input.patches, config.train.batch_size
    steps = steps_an_epoch(order, config)

    def numbers(epoch, step):
        if how is None:
            rows = order.batches(int(epoch), batch, step=int(step))
            places = (int(epoch) * steps + int(step)) * batch + np.arange(rows.size).reshape(rows.shape)
        else:
            volumes = np.resize(order.epoch(int(epoch)), order.length())
            rows, places = patches.stream(volumes, how, epoch=int(epoch), first=int(step) * batch)
            whole = (steps - int(step)) * batch
            rows, places = rows[:whole].reshape(-1, batch), places[:whole].reshape(-1, batch)
        return rows[:, index::count].reshape(-1), places[:, index::count].reshape(-1)

    return numbers


def _opened(order: Order, config: Config):
    """A function of (epoch, step): the volumes that are still to be cut, the place of each one's first patch, and how many patches of
    the first few are done with."""
    how, batch = config.input.patches, config.train.batch_size

    def volumes(epoch, step):
        found = np.resize(order.epoch(int(epoch)), order.length())
        return patches.volumes_left(found, how, epoch=int(epoch), first=int(step) * batch)

    return volumes


def _slices(*columns) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(tuple(tf.ensure_shape(column, (None,)) for column in columns))


def _patched(opened: tf.data.Dataset, reader: Reader, candidates, how) -> tf.data.Dataset:
    """(patch, row, 1): one patch from each of the volumes that are open, in turn; each volume is decoded once."""

    def cut(row, place):
        volume = tf.data.Dataset.from_tensors(row).map(reader.decode)
        numbers = tf.data.Dataset.range(how.patches_per_volume)
        return volume.flat_map(
            lambda voxels: numbers.map(lambda n: _one(reader, voxels, row, candidates(row, place + n)))
        )

    mixed = how.volumes_mixed
    return opened.interleave(cut, cycle_length=mixed, num_parallel_calls=min(mixed, CORES), deterministic=True)


def _one(reader: Reader, volume: Voxels, row, tried):
    """The block at the first of the tried starts whose middle is foreground, or else at the first."""
    start = tried[0]
    if tried.shape[0] != 1:
        inside = reader.at(volume, tried + tf.constant([s // 2 for s in reader.size], tf.int32))
        start = tried[tf.argmax(tf.cast(inside, tf.int32), output_type=tf.int32)]
    return reader.block(volume, start), row, tf.ones(())


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
            blocks = tf.map_fn(lambda start: reader.block(voxels, start), mine, fn_output_signature=tf.float32)
            edge = reader.edge(voxels)
        weights = tf.ones(tf.shape(mine)[0])
        if config.input.patches is not None:
            shares = foreground_share(blocks, edge, masked=config.input.mask is not None)
            weights = shares / tf.maximum(tf.reduce_mean(shares), 1e-6)
        return blocks, tf.fill(tf.shape(mine)[:1], row), weights

    each = tf.data.Dataset.range(len(plan.shapes)).map(volume, num_parallel_calls=CORES).unbatch()
    return each.batch(size).apply(tf.data.experimental.assert_cardinality(-(-len(rows) // size)))
