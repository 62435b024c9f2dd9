"""Does a map depend on what the labels taught? Maps of other classes, and maps with a head that was fitted to shuffled labels."""

from typing import Literal

import keras
import numpy as np

from medtf.errors import AskedWronglyError
from medtf.explain import gradients, graph, hooks
from medtf.explain.method import BATCH, Method, checked
from medtf.explain.score import Score
from medtf.explain.trust import parts
from medtf.explain.trust.randomised import as_it_was, called

Kind = Literal["binary", "multiclass", "value", "bins", "gaussian"]
MOST = 5  # other classes that are looked at; a method that is blind to classes is blind to the first of them
SHRINK = 0.01  # ridge penalty as a share of the features' total variance, so that more features than rows do no harm


def of_classes(
    method: Method, model: keras.Model, images, classes=None, *, target=None, layer=None
) -> np.ndarray | None:
    """Maps of the same images for other classes of a target, or of a target with one output for the other targets.

    Args:
        method: an instance. images: float (n, *spatial, channels).
        classes, target, layer: what the map is of that they are held against, as for `randomised.cascade`.
    Returns:
        float32 (k, n, *spatial) in [0, 1], of at most five others; None where there is nothing else to be explained.
    """
    model = graph.whole(model, images)
    images = checked(images, model)
    score = Score(model, target)
    if score.units > 1:
        classes = called(model, images, classes, target=target)
        count = min(MOST, score.units - 1)
        away = [1 + i * (score.units - 1) // count for i in range(count)]
        asked = [(score.target, (classes + one) % score.units) for one in away]
    else:
        outputs = getattr(model, "output", None)
        others = [name for name in outputs if name != score.target] if isinstance(outputs, dict) else []
        asked = [(name, called(model, images, target=name)) for name in others[:MOST]]
    if not asked:
        return None
    return np.stack([method.heatmap(images, model, units, layer, target=name) for name, units in asked])


def permuted_head(
    method: Method,
    model: keras.Model,
    images,
    classes=None,
    *,
    features: np.ndarray,
    labels: np.ndarray,
    target=None,
    layer=None,
    kind: Kind | None = None,
    draws=3,
    seed=0,
) -> np.ndarray:
    """Maps of the network with the last dense layer of a target fitted anew to labels in another order.

    This is the cheap half of Adebayo's second test (section 3.2), who trains the whole network on shuffled labels: here the encoder stays as the
    true labels made it. A method that fails here looks past the head; one that passes may still show what the encoder makes of any picture.
    The fit is ridge regression in closed form (of classes on their indicators); the head keeps its size, and only where it points is new.

    Args:
        features: float (m, f), what the last dense layer is given, of some hundred rows: see `features_of`.
        labels: (m,) 0 and 1, indices of classes, or values in their unit; NaN: left out.
        kind: of the target; None: multiclass where the layer has several units, else binary or value, which are fitted alike.
        draws: orders of the labels.
        classes, target, layer, seed: as for `randomised.cascade`.
    Returns:
        float32 (draws, n, *spatial) in [0, 1]. The network has its own weights again afterwards.
    Raises:
        AskedWronglyError: a target that does not end in one dense layer; features or labels of another shape, or labels all alike.
    """
    model = graph.whole(model, images)
    images, head = checked(images, model), parts.dense(model, target)
    classes = called(model, images, classes, target=target)
    features, labels = _known(features, labels, head)
    generator, found = np.random.default_rng(seed), []
    with as_it_was(model):
        size = np.linalg.norm(np.asarray(keras.ops.convert_to_numpy(head.kernel), np.float64))
        for _ in range(draws):
            kernel = fitted(features, generator.permutation(labels), head.units, kind)
            head.kernel.assign((kernel * size / max(np.linalg.norm(kernel), 1e-12)).astype(np.float32))
            found.append(method.heatmap(images, model, classes, layer, target=target))
    return np.stack(found)


def features_of(model: keras.Model, images, *, target=None) -> np.ndarray:
    """Float32 (n, f): what the last dense layer of a target is given.

    Raises:
        AskedWronglyError: a target that does not end in one dense layer.
    """
    model = graph.whole(model, images)
    images, head = checked(images, model), parts.dense(model, target)

    def question(call, images):
        seen = []
        with hooks.given(head, seen.append):
            call(images)
        return keras.ops.cast(seen[-1], "float32")

    starts = range(0, len(images), BATCH)
    asked = [gradients.ask(model, ("given", id(head)), question, images[at : at + BATCH]) for at in starts]
    return np.concatenate(asked)


def fitted(features: np.ndarray, labels: np.ndarray, units: int, kind: Kind | None = None) -> np.ndarray:
    """Ridge regression of labels on features as the kernel of a dense layer, float64 (f, units).

    Of bins the kernel rises evenly from the first to the last, so that the expected value rises with the fitted one; of a Gaussian the mean
    is fitted, and nothing tells the deviation.

    Args:
        features: (m, f). labels: (m,). units: of the layer. kind: as for `permuted_head`.
    """
    features = np.asarray(features, np.float64)
    x = features - features.mean(axis=0)
    y = _wanted(np.asarray(labels), units, kind)
    y = y - y.mean(axis=0)
    inner = x @ x.T  # of rows, of which there are fewer than features as a rule
    penalty = max(SHRINK * np.trace(inner), 1e-12)
    weights = x.T @ np.linalg.solve(inner + penalty * np.eye(len(x)), y)
    if kind == "bins":
        return weights * np.linspace(-1, 1, units)
    if kind == "gaussian":
        return np.concatenate([weights, np.zeros((len(weights), units - 1))], axis=1)
    return weights


def _wanted(labels, units: int, kind: Kind | None) -> np.ndarray:
    """(m, 1) or (m, units)."""
    if kind in ("binary", "value", "bins", "gaussian") or units == 1:
        return labels.astype(np.float64)[:, None]
    return (labels.astype(int)[:, None] == np.arange(units)).astype(np.float64)


def _known(features, labels, head) -> tuple[np.ndarray, np.ndarray]:
    features, labels = np.asarray(features, np.float64), np.asarray(labels, np.float64)
    wanted = int(head.kernel.shape[0])
    if features.ndim != 2 or features.shape[1] != wanted or labels.shape != (len(features),):
        raise AskedWronglyError(
            f"features of shape {features.shape} and labels of shape {labels.shape}: layer {head.name!r} takes (rows, {wanted}) and (rows,)"
        )
    known = np.isfinite(labels)
    if len(np.unique(labels[known])) < 2:
        raise AskedWronglyError(
            "labels: all are alike or unknown, so their order means nothing; give rows of both kinds"
        )
    return features[known], labels[known]
