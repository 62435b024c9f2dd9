"""The methods by name."""

from medtf.errors import AskedWronglyError, nearest
from medtf.explain.grad_cam import GradCAM
from medtf.explain.method import Method

METHODS: dict[str, type[Method]] = {one.name: one for one in (GradCAM,)}


def get(name: str) -> type[Method]:
    """The class of a method.

    Raises:
        AskedWronglyError: an unknown name.
    """
    if name not in METHODS:
        raise AskedWronglyError(f"method {name!r}: {nearest(name, METHODS)}")
    return METHODS[name]
