"""What a training without targets learns, and what it leaves in the run: an encoder, the rest of its task, pictures of what it can do."""

import keras
import numpy as np

from medtf import augment, keeping_models, runs
from medtf.beforehand import about_norms, channels_of
from medtf.config import Config
from medtf.fitting.checkpoint import read_arrays, write_arrays
from medtf.models import build
from medtf.models.facts import facts
from medtf.pretrain import tasks
from medtf.pretrain.task import Task
from medtf.reconstructions import drawn
from medtf.schedule import optimizer
from medtf.supervised import begin

SHOWN = 4  # validation images in a picture
WHOLE = "task.npz"  # weights of the whole task, encoder and what is thrown away after it


class Pretraining:
    """An encoder and the task it learns by; made ready by `__init__`, which writes nothing. Arguments as those of `Supervised`."""

    def __init__(self, config: Config, folds: dict, order, *, steps: int, jit: bool, say, fresh: bool = True):
        self.config, self.folds = config, folds
        self.trainer = task_of(config, steps=steps)
        self.model = self.trainer.encoder
        if fresh:
            begin(self.model, config, say)
        for line in about_norms(self.model, config, steps):
            say(line)
        self.trainer.compile(optimizer=optimizer(config.train, steps), jit_compile=jit)
        self.trainer.optimizer.build(self.trainer.trainable_variables)
        self.told = list(self.trainer.score_names)
        say(f"{config.pretrain.name}: learns from the images alone; labels are not read")

    def callbacks(self, run: runs.Run, validation) -> list:
        """Draws what the task makes of the same images, every few epochs."""
        return [Drawing(run, validation, self.config.pretrain.draw_every)]

    def finish(self, run: runs.Run, root, module, epoch: int) -> None:
        """Save the encoder, the whole task, and the picture of the best epoch."""
        keeping_models.save(self.model, run.model)
        run.write_json("model.json", facts(self.model))
        write_arrays(run.folder / WHOLE, _arrays(self.trainer), {"task": self.config.pretrain.name})
        draw(self.trainer, _first(module.dataset(self.folds["valid"], root, self.config, training=False)), run, "")
        run.write_json(runs.PRETRAINING, {"schema": runs.SCHEMA, "task": self.config.pretrain.name, "epoch": epoch})


def task_of(config: Config, *, steps: int = 1000) -> Task:
    """The task of a config with an encoder of its own, built, with fresh weights.

    Args:
        steps: batches of the whole training, for the moving averages of batch normalisation.
    """
    shape = (*config.input.size, channels_of(config))
    encoder = build.encoder(config.model, shape, momentum=build.norm_momentum(config.model, steps))
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # what is to be told again must not lose bits on the way
    try:
        layers = augment.build(config.augment, seed=config.train.seed + 1)
    finally:
        keras.config.set_dtype_policy(policy)
    task = tasks.find(config.pretrain.task)(encoder, config.pretrain, augmentation=layers, seed=config.train.seed + 201)
    task(np.zeros((2, *shape), np.float32), training=False)  # makes the variables of what stands behind the encoder
    return task


def restored(run: runs.Run) -> Task:
    """The task of a finished pretraining, with its weights."""
    task = task_of(run.config())
    kept, _ = read_arrays(run.folder / WHOLE)
    for variable, value in zip(task.weights, [kept[f"w{i}"] for i in range(len(kept))], strict=True):
        variable.assign(value)
    return task


class Drawing(keras.callbacks.Callback):
    """plots/pretraining-epoch-005.png, ...: the first validation images, what was hidden or changed, and what the task makes of it.

    Args:
        run: whose folder. validation: batches. every: epochs between two pictures.
    """

    def __init__(self, run: runs.Run, validation, every: int):
        super().__init__()
        self.run, self.every, self.validation = run, every, validation
        self.images = None

    def on_epoch_end(self, epoch, logs=None):
        """Draw, where it is time."""
        if (epoch + 1) % self.every:
            return
        if self.images is None:
            self.images = _first(self.validation)
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        draw(self.model, self.images, self.run, f"-epoch-{epoch + 1:03d}")


def draw(task: Task, images, run: runs.Run, suffix: str) -> None:
    """One picture of a task at work, into plots/ of the run; none where the task has nothing to show."""
    pictures = {title: keras.ops.convert_to_numpy(one) for title, one in task.pictures(images).items()}
    if pictures:
        run.plots.mkdir(exist_ok=True)
        path = run.plots / f"pretraining{suffix}.png"
        temporary = path.with_name(f".{path.name}")
        temporary.write_bytes(drawn(pictures))
        temporary.replace(path)


def _first(batches) -> np.ndarray:
    return np.asarray(next(iter(batches))[0][:SHOWN], np.float32)


def _arrays(task: Task) -> dict[str, np.ndarray]:
    return {f"w{i}": keras.ops.convert_to_numpy(weight) for i, weight in enumerate(task.weights)}
