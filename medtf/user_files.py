"""Files of the user's own: a pipeline, a proxy task. They are imported by path, and what is wrong with them is told by file and line."""

import importlib.util
import traceback
from pathlib import Path
from types import ModuleType

from medtf.errors import AskedWronglyError, MedtfError


def imported(name: str, what: str) -> ModuleType:
    """The module of a .py file.

    Args:
        name: its path. what: the key of the config that names it, for the messages.
    Raises:
        AskedWronglyError: no such file. MedtfError: it cannot be imported.
    """
    path = Path(name)
    if not path.is_file():
        raise AskedWronglyError(f"{what} {name!r}: no such file")
    spec = importlib.util.spec_from_file_location(f"medtf_user_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's own file may raise anything
        raise MedtfError(f"{what} {name!r}: {fault(error, path)}") from error
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
