"""The page of a run's heat maps: first whether they may be trusted, then how to read them, then every picture."""

from pathlib import Path

from medtf.evaluate.pages.report import PURPOSE, template, write_whole

# what the pictures can be put in order by: key of a case -> the button's words; the highest first, of `row` the lowest
ORDERS = {"error": "by error", "uncertainty": "least certain first", "row": "by row"}


def write(
    path: Path,
    content: dict,
    shown: dict[tuple[int, str], str],
    *,
    legend: str,
    seen: str,
    means: list[dict],
    regions: dict[str, dict],
) -> Path:
    """Write the page, all at once or not at all.

    Args:
        path: the HTML file. content: of explain.json.
        shown: {(place of the case, method): picture as a data URI}.
        legend: the colours as a data URI. seen: what a picture shows, in words.
        means: {"method", "group", "words", "picture"} of each mean map. regions: {method: {"header", "rows", "words", "notes"}}.
    """
    cases = content["cases"]
    text = template("explain.html.j2").render(
        title=f"{content['run']}: where the network looks",
        purpose=PURPOSE,
        content=content,
        shown=shown,
        legend=legend,
        seen=seen,
        means=means,
        regions=regions,
        state=state,
        orders={key: words for key, words in ORDERS.items() if len({case[key] for case in cases} - {None}) > 1},
        wrong=sum(case["wrong"] is True for case in cases),
        judged=any(case["wrong"] is not None for case in cases),
    )
    return write_whole(Path(path), text.encode())


def state(method: dict) -> str:
    """passed, failed, untold or unchecked: what the trust checks say of a method."""
    if method["trust"] is None:
        return "unchecked"
    return {True: "passed", False: "failed", None: "untold"}[method["trust"]["passed"]]
