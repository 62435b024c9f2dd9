"""Find a pipeline module: a shipped one by name, or the user's own by the path of its .py file."""

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

from medtf.errors import AskedWronglyError, nearest


def shipped() -> list[str]:
    """Names of the pipelines that come with medtf."""
    import medtf.pipelines

    return sorted(m.name for m in pkgutil.iter_modules(medtf.pipelines.__path__))


def find(name: str) -> ModuleType:
    """The module; it has `examples` and `dataset`.

    Raises:
        AskedWronglyError: no such pipeline or file, or one of the two functions is missing.
    """
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise AskedWronglyError(f"pipeline {name!r}: no such file")
        spec = importlib.util.spec_from_file_location(f"medtf_user_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    elif name in shipped():
        module = importlib.import_module(f"medtf.pipelines.{name}")
    else:
        raise AskedWronglyError(
            f"unknown pipeline {name!r}: {nearest(name, shipped())} (or give the path of a .py file)"
        )
    for function in ("examples", "dataset"):
        if not callable(getattr(module, function, None)):
            raise AskedWronglyError(f"pipeline {name!r} has no function {function}(): see CONTRIBUTING.md")
    return module
