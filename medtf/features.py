"""A frozen encoder and a table to features: one vector an example, as the heads of the network would get it."""

import keras
import numpy as np

from medtf import predictions
from medtf.beforehand import channels_of
from medtf.config import Config, Target
from medtf.faults import reading
from medtf.models import build, transfer
from medtf.table import Table


def encoder(config: Config, source: str, say=lambda line: None) -> keras.Model:
    """The network without its heads, with the weights of a source; an untrained one is drawn by `train.seed`.

    Raises:
        MedtfError, AskedWronglyError: as `build.encoder` and `transfer.load`.
    """
    keras.utils.set_random_seed(config.train.seed)
    file = source not in ("none", "imagenet")
    model = config.model.model_copy(update={"weights": "none" if file else source})
    network = build.encoder(model, (*config.input.size, channels_of(config)))
    if file:
        for line in transfer.load(network, source).lines():
            say(line)
    return network


def features(network: keras.Model, table: Table, root, config: Config, module, *, progress=None) -> np.ndarray:
    """Float32 (rows, f): what the encoder makes of every row, as in judgement: nothing drawn, dropout off, norms as they were learnt.

    Args:
        network: as `encoder` gives it.
        table: rows to read. root: data root.
        config: `input` and `train.batch_size` count.
        module: the pipeline.
        progress: called with (done, all).
    Returns:
        one vector a row; of a volume that is read in patches the mean of theirs, weighted by how much of each is foreground.
    """
    parts, weights, done = [], [], 0
    rows = predictions.rows_of_blocks(table, config)
    with reading(table, root):
        for images, _, weight in module.dataset(table, root, config, training=False):
            given = images if keras.backend.backend() == "tensorflow" else np.asarray(images)
            parts.append(np.asarray(network.predict_on_batch(given), np.float32))
            weights.append(np.asarray(weight))
            done += len(parts[-1])
            if progress:
                progress(done, len(rows))
    value = Target(kind="regression")  # features are gathered as numbers are
    return predictions.gather(np.concatenate(parts), rows, np.concatenate(weights), len(table), value)
