"""What a reader should know before the first map."""

COARSE = 3  # places a side or fewer: a map of them says little about where


def coarse(way: list, config) -> list[str]:
    """Layers that have hardly any places.

    Args:
        way: of `explaining.ways`.
    """
    grids = {one.found.path: one.found.grid for one in way if one.found is not None and max(one.found.grid) <= COARSE}
    return [
        f"Layer {path} has {' x '.join(map(str, grid))} places only: its maps say little about where; an earlier layer (--layer), or a"
        f" larger input.size than {' x '.join(map(str, config.input.size))}, has more."
        for path, grid in grids.items()
    ]


def empty(records: list[dict], question) -> list[str]:
    """Maps without a place, as those of missed findings often are, and how to see the other side.

    Args:
        records: of the cases. question: of `explaining.asked_of`.
    """
    nowhere = sum(bool(record["nowhere"]) for record in records)
    if not nowhere:
        return []
    other = "without --against" if question.against else "--against"
    return [
        f"{nowhere:,} of {len(records):,} cases have a map that points nowhere ({question.words} was not found in them);"
        f" {other} shows the other side."
    ]
