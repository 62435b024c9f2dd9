"""Find a pipeline module: a shipped one by name, or the user's own by the path of its .py file."""

import importlib
import importlib.util
import inspect
import pkgutil
import traceback
from pathlib import Path
from types import ModuleType

from medtf.errors import AskedWronglyError, MedtfError, nearest

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
        path = Path(name)
        if not path.is_file():
            raise AskedWronglyError(f"pipeline {name!r}: no such file")
        spec = importlib.util.spec_from_file_location(f"medtf_user_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # a user's own file may raise anything
            raise MedtfError(f"pipeline {name!r}: {fault(error, path)}") from error
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


def fault(error: BaseException, path) -> str:
    """`line 3: NameError: name 'x' is not defined`, the line being the last one of `path` on the way to the error."""
    path = Path(path).resolve()
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).resolve() == path
    ]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    said = error.msg if isinstance(error, SyntaxError) else str(error).splitlines()[0] if str(error) else ""
    return (f"line {line}: " if line else "") + type(error).__name__ + (f": {said}" if said else "")
