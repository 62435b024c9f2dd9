"""Does a map depend on what the network learnt? Weights are drawn anew from the heads down, and the maps made again (Adebayo 2018, section 3.1)."""

from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from medtf.errors import MedtfError
from medtf.explain import gradients, graph
from medtf.explain.method import BATCH, Method, checked
from medtf.explain.score import Score
from medtf.explain.trust import norms, parts


@dataclass(frozen=True)
class Cascade:
    """Maps of the same images under weights that are less and less those that were learnt.

    classes: int32 (n,), the unit that all maps explain. original: float32 (n, *spatial) in [0, 1]. steps: (s, n, *spatial), after each step, NaN
    where the network gave no finite numbers. layers: paths of the layers that each step drew anew beside those of the steps before. random:
    (d, n, *spatial), with all weights drawn anew, d times; the first is the last step.
    """

    classes: np.ndarray
    original: np.ndarray
    steps: np.ndarray
    layers: tuple[tuple[str, ...], ...]
    random: np.ndarray


def cascade(
    method: Method, model: keras.Model, images, classes=None, *, target=None, layer=None, steps=6, draws=5, seed=0
) -> Cascade:
    """Maps with the weights of the heads drawn anew, then those of more and more layers below, at last of all.

    Every variable keeps the sizes of its values and loses their places (see `shuffled`). The network has its own weights again afterwards, to the
    bit, whatever happens; nothing is traced again, for the weights are assigned and the compiled questions kept.

    Args:
        method: an instance. model: trained; of any precision, nested or not.
        images: float (n, *spatial, channels), as the network takes them; 8 or more tell something.
        classes: unit of the output, for all or (n,) of each; None: the one that the trained network gives most, in all steps.
        target: of a network with several. layer: None: the last one with places.
        steps: of the cascade; 1: all weights at once.
        draws: how often all weights are drawn, for one draw may be like the trained network by chance.
        seed: of the draws.
    Raises:
        MedtfError, AskedWronglyError: as `Method.heatmap` with the weights as they are; a network without weights.
    """
    model = graph.whole(model, images)
    images = checked(images, model)
    classes = called(model, images, classes, target=target)
    groups = parts.groups(model, steps)
    if not groups:
        raise MedtfError(f"{model.name}: has no weights, so there is nothing that it could have learnt")

    def maps():
        return method.heatmap(images, model, classes, layer, target=target)

    original, generator, found = maps(), np.random.default_rng(seed), []

    def told(drawn) -> np.ndarray:
        try:
            norms.settle(model, drawn, images)
            return maps()
        except (
            MedtfError
        ):  # with the weights as they were it could be asked: what is wrong are numbers beyond the range
            return np.full_like(original, np.nan)

    with as_it_was(model):
        for number in range(len(groups)):
            shuffled([layer for _, layer in groups[number]], generator)
            found.append(told([layer for group in groups[: number + 1] for _, layer in group]))
        everything = [layer for group in groups for _, layer in group]
        random = found[-1:]
        for _ in range(draws - 1):
            shuffled(everything, generator)
            random.append(told(everything))
    paths = tuple(tuple(path for path, _ in group) for group in groups)
    return Cascade(classes, original, np.stack(found), paths, np.stack(random))


def shuffled(drawn: list, generator: np.random.Generator) -> None:
    """Each variable of some layers gets its own values in another order, and those of kernels get signs drawn anew.

    So sizes and tails stay, signals keep about their strength on the way, and nothing that must be positive becomes negative: values drawn from a
    Gaussian of the same mean and deviation would lose the tails and could make a scale negative. What goes is the arrangement, which is what
    training wrote. Signs are drawn because initialisers draw kernels around 0, and a head whose weights are mostly positive would go on adding up
    whatever is bright. Counts and random states are left.

    Args:
        drawn: layers.
    """
    for layer in drawn:
        for variable in layer.weights:
            if "float" in variable.dtype:
                values = np.array(ops.convert_to_numpy(variable))
                values = generator.permutation(values.reshape(-1)).reshape(values.shape)
                if values.ndim > 1:
                    values = values * generator.choice([-1.0, 1.0], values.shape).astype(values.dtype)
                variable.assign(values)


@contextmanager
def as_it_was(model: keras.Model):
    """Whatever is assigned to the weights inside, they are what they were afterwards, to the bit, also after an exception."""
    before = [np.array(ops.convert_to_numpy(variable)) for variable in model.weights]
    try:
        yield
    finally:
        for variable, value in zip(model.weights, before, strict=True):
            variable.assign(value)


def called(model: keras.Model, images, classes=None, *, target=None) -> np.ndarray:
    """int32 (n,): the unit that is explained of each image, with the one that the network gives most where none is asked for.

    Raises:
        AskedWronglyError: as `Score` and `Score.classes`.
    """
    model = graph.whole(model, images)
    score = Score(model, target)
    if classes is not None or score.units == 1:
        return score.classes(classes, len(images))

    def question(call, images):
        return score.highest(lambda: call(images))

    found = [
        gradients.ask(model, ("highest", *score.key), question, images[at : at + BATCH])
        for at in range(0, len(images), BATCH)
    ]
    return np.concatenate(found).astype(np.int32)
