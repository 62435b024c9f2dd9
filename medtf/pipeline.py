"""Find a pipeline module: a shipped one by name, or the user's own by the path of its .py file."""

import importlib
import inspect
import pkgutil
from types import ModuleType

from medtf.errors import AskedWronglyError, nearest
from medtf.user_files import imported

# what medtf hands to a pipeline's functions by name
NEEDED = {"examples": ("scan",), "dataset": ("training", "epoch", "step")}


def shipped() -> list[str]:
    """Names of the pipelines that come with medtf."""
    import medtf.pipelines

    return sorted(m.name for m in pkgutil.iter_modules(medtf.pipelines.__path__))


def find(name: str) -> ModuleType:
    """The module; it has `examples` and `dataset`.

    Raises:
        AskedWronglyError: no such pipeline or file, or one of the two functions is missing. MedtfError: the file cannot be imported.
    """
    if name.endswith(".py"):
        module = imported(name, "pipeline")
    elif name in shipped():
        module = importlib.import_module(f"medtf.pipelines.{name}")
    else:
        raise AskedWronglyError(
            f"unknown pipeline {name!r}: {nearest(name, shipped())} (or give the path of a .py file)"
        )
    for function, arguments in NEEDED.items():
        found = getattr(module, function, None)
        if not callable(found):
            raise AskedWronglyError(f"pipeline {name!r} has no function {function}(): see CONTRIBUTING.md")
        parameters = inspect.signature(found).parameters
        absent = [one for one in arguments if one not in parameters]
        if absent and not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            raise AskedWronglyError(
                f"pipeline {name!r}: {function}() takes no argument {absent[0]!r}: see CONTRIBUTING.md"
            )
    return module
