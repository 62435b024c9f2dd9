"""What networks start from, where several are set side by side: sources as a user types them, and what a reader calls them."""

from pathlib import Path

from medtf import runs
from medtf.errors import AskedWronglyError, nearest

TRAINED = {"none": "from scratch", "imagenet": "ImageNet"}
PROBED = {"none": "untrained", "imagenet": "ImageNet"}  # a probe trains nothing


def names(sources, plain: dict[str, str]) -> dict[str, str]:
    """{what a reader calls it: source} of each `--weights`, in their order; a run goes by its folder's name, a file by its own.

    Args:
        sources: `none`, `imagenet`, run folders and files.
        plain: what the first two are called.
    Raises:
        AskedWronglyError: one that is not there, that is no run, or that stands twice.
    """
    found = {}
    for asked in sources:
        source, path = asked, Path(asked).expanduser()
        if source in plain:
            name = plain[source]
        elif not path.exists():
            raise AskedWronglyError(
                f"--weights {source}: no such run folder or file, and none of {' and '.join(plain)} ({nearest(source, plain)})"
            )
        else:
            if path.is_dir():
                runs.existing(path)
            source = str(path.resolve())
            name = path.resolve().name.removesuffix(".h5").removesuffix(".weights").removesuffix(".keras")
            if name in found or name in plain.values():
                name = "_".join([path.resolve().parent.name, name])
        if source in found.values():
            raise AskedWronglyError(f"--weights {asked}: stands twice")
        if slug(name) in map(slug, found):
            raise AskedWronglyError(f"--weights {asked}: is called {name}, as another is: rename its folder")
        found[name] = source
    return found


def slug(name: str) -> str:
    """A name as part of a file's name: letters, digits, - and _ stay."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
