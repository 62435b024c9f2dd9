"""Find a proxy task: a shipped one by name, or the user's own by the path of its .py file."""

import importlib
import inspect

from medtf.errors import AskedWronglyError, nearest
from medtf.pretrain.classes import ClassTask
from medtf.pretrain.task import Task
from medtf.user_files import imported

MODULES = {
    "masked_autoencoder": "medtf.pretrain.masked_autoencoder",
    "masked_cnn": "medtf.pretrain.masked_cnn",
    "rotation": "medtf.pretrain.rotation",
    "jigsaw": "medtf.pretrain.jigsaw",
    "restore": "medtf.pretrain.restore",
}
# what a task of one's own must say, by what it is made from
NEEDED = {Task: ("attempt", "example_losses"), ClassTask: ("changed",)}


def find(task: str) -> type[Task]:
    """The class `Pretraining` of a task's module.

    Args:
        task: a name of `MODULES`, or the path of a .py file.
    Raises:
        AskedWronglyError: no such task or file, or the class is missing or no whole task. MedtfError: the file cannot be imported.
    """
    if task in MODULES:
        return importlib.import_module(MODULES[task]).Pretraining
    if not task.endswith(".py"):
        raise AskedWronglyError(f"unknown task {task!r}: {nearest(task, MODULES)} (or give the path of a .py file)")
    found = getattr(imported(task, "pretrain.task"), "Pretraining", None)
    where = f"pretrain.task {task!r}:"
    if found is None:
        raise AskedWronglyError(f"{where} has no class Pretraining: see CONTRIBUTING.md")
    if not (inspect.isclass(found) and issubclass(found, Task)):
        raise AskedWronglyError(
            f"{where} Pretraining is no Task: write `class Pretraining(Task)`, from medtf.pretrain.task; see CONTRIBUTING.md"
        )
    for base, names in NEEDED.items():
        for name in names:
            if issubclass(found, base) and getattr(found, name) is getattr(base, name):
                raise AskedWronglyError(f"{where} class Pretraining has no method {name}(): see CONTRIBUTING.md")
    _refuse_signature(found, where)
    return found


def _refuse_signature(found: type[Task], where: str) -> None:
    """It is made as `Pretraining(encoder, pretrain, augmentation=..., seed=...)`."""
    try:
        inspect.signature(found.__init__).bind(None, None, None, augmentation=(), seed=0)
    except TypeError as error:
        raise AskedWronglyError(
            f"{where} expected __init__(self, encoder, pretrain, *, augmentation=(), seed=0): {error}; see CONTRIBUTING.md"
        ) from error
