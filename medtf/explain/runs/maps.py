"""Maps and answers of cases: a method is asked of all blocks of several cases at once, and the blocks are put together."""

import numpy as np

from medtf.explain import gradients
from medtf.explain.method import Method, scaled
from medtf.explain.runs.cases import Case
from medtf.explain.runs.subject import Subject


def heats(
    subject: Subject,
    cases: list[Case],
    method: Method,
    *,
    target: str,
    class_index=None,
    layer: str | None = None,
    against: bool = False,
) -> list[np.ndarray]:
    """A heat map of each case: float32 (*grid) in [0, 1], 0 where the network was shown nothing.

    Of patches the relevances are put together before they are divided by their maximum, so that what a patch without meaning makes much of
    stays small.

    Args:
        cases: of the subject. method: an instance.
        target: what is explained; class_index: its unit, of all cases or (n,) of each; None: the highest of each block.
        layer: None: the last with places.
    """
    counts = [len(case.blocks) for case in cases]
    if class_index is not None:
        class_index = np.repeat(np.broadcast_to(np.asarray(class_index, int), (len(cases),)), counts)
    blocks = np.concatenate([case.blocks for case in cases])
    found = method.relevance(blocks, subject.model, class_index, layer, target=target, against=against)
    return [scaled(whole[None])[0] for whole in _wholes(cases, found)]


def scores(subject: Subject, case: Case, images, *, target: str, class_index: int = 0) -> np.ndarray:
    """float32 (n,): the logit, or the value in its unit, for changed pictures of a case; of patches their mean by weight.

    Args:
        images: (n, *grid, channels).
    """
    score = subject.score(target)
    blocks = np.concatenate([case.cut(image) for image in images])
    size = subject.config.train.batch_size
    found = [
        gradients.values(subject.model, score, part, score.classes(class_index, len(part)))
        for part in (blocks[at : at + size] for at in range(0, len(blocks), size))
    ]
    by_image = np.concatenate(found).reshape(len(images), len(case.blocks))
    return (by_image @ case.weights / case.weights.sum()).astype(np.float32)


def _wholes(cases: list[Case], of_blocks: np.ndarray) -> list[np.ndarray]:
    ends = np.cumsum([len(case.blocks) for case in cases])
    return [case.whole(part) for case, part in zip(cases, np.split(of_blocks, ends[:-1]), strict=True)]
