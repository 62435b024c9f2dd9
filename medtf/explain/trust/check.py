"""All checks of one method on one model, one after the other."""

import keras
import numpy as np

from medtf.errors import AskedWronglyError
from medtf.explain.method import Method
from medtf.explain.trust import labels as of_labels
from medtf.explain.trust.randomised import cascade
from medtf.explain.trust.verdict import Verdict, judge


def check(
    method: Method,
    model: keras.Model,
    images,
    classes=None,
    *,
    target=None,
    layer=None,
    features: np.ndarray | None = None,
    labels: np.ndarray | None = None,
    kind: of_labels.Kind | None = None,
    steps=6,
    seed=0,
) -> Verdict:
    """May the maps of this method be read on this model?

    Weights are drawn anew from the heads down; other classes or targets are explained where there are any; and where features and labels are given,
    the head is fitted to shuffled labels. Afterwards the network is as it was, to the bit.

    Args:
        method, model, images, classes, target, layer, steps, seed: as for `randomised.cascade`; 8 images or more.
        features, labels, kind: as for `labels.permuted_head`, of some hundred rows that the network was trained on; None: that check is left out,
            as it is where the answer does not end in one dense layer.
    Raises:
        MedtfError, AskedWronglyError: as `Method.heatmap`.
    """
    drawn = cascade(method, model, images, classes, target=target, layer=layer, steps=steps, seed=seed)
    asked = {"target": target, "layer": layer}
    others = of_labels.of_classes(method, model, images, drawn.classes, **asked)
    permuted = None
    if features is not None and labels is not None:
        try:
            of_head = {"features": features, "labels": labels, "kind": kind, "seed": seed}
            permuted = of_labels.permuted_head(method, model, images, drawn.classes, **of_head, **asked)
        except AskedWronglyError as error:
            said = str(error)
            verdict = judge(drawn, of_classes=others)
            return Verdict(verdict.passed, verdict.words, verdict.details | {"permuted_head_left_out": said})
    return judge(drawn, of_classes=others, permuted=permuted)
