"""How tags are asked for and named, and the exception that carries why a file is no example."""

from pydicom.datadict import tag_for_keyword


class LeftOutError(Exception):
    """Carries the reason for which a file is no example."""


def named(keyword: str) -> str:
    """`Keyword (gggg,eeee)`."""
    tag = tag_for_keyword(keyword)
    return f"{keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def need(ds, keyword: str):
    """The value of a tag.

    Raises:
        LeftOutError: the tag is missing or empty.
    """
    value = ds.get(keyword)
    if value is None or value == "":
        raise LeftOutError(f"no {named(keyword)}")
    return value
