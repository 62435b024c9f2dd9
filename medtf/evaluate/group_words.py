"""What a test for a difference between groups says, and what it could not have said."""

from medtf.evaluate.group_metrics import METRICS, NAMES
from medtf.evaluate.metrics import as_text

ALPHA = 0.05
# the widest difference there can be: where a larger one is all that could be seen, nothing could
_WIDEST = {"auc": 0.5, "auc_macro": 0.5}


def of_column(name: str, column: str, section: dict, kind: str) -> str:
    """The sentences of one column.

    Args:
        name: the target. column: of the groups. section: its `groups` and `tests`, with `p_holm`. kind: of the target.
    """
    main = METRICS[kind][0]
    test = section["tests"][main]
    said = [_verdict(main, column, section), _others(main, section), _small(main, section["groups"])]
    if test["p"] is not None and test["p_holm"] >= ALPHA:
        said.insert(1, _blind(main, test["detectable"]))
    return " ".join(filter(None, said))


def in_short(found: dict, kind: str) -> list[str]:
    """A line for each column of `subgroups` whose groups differ in the number they are judged by: `AUC differs by sex: ...`."""
    main = METRICS[kind][0]
    said = []
    for column, section in found.items():
        p = section["tests"][main]["p_holm"]
        if p is not None and p < ALPHA:
            said.append(f"{_name(main)} differs by {column}: {_ends(main, section)} (p {_p(p)} after Holm)")
    return said


def _verdict(metric: str, column: str, section: dict) -> str:
    test, title = section["tests"][metric], _name(metric)
    if test["p"] is None:
        return f"{title} was not compared between the groups of {column}: {test['reason']}."
    p = f"p {_p(test['p'])}" + (f", {_p(test['p_holm'])} after Holm" if test["p_holm"] != test["p"] else "")
    if test["p_holm"] < ALPHA:
        return f"{title} differs between the groups of {column} by more than chance explains ({p}): {_ends(metric, section)}."
    said = f"No difference in {_inside(metric)} between the groups of {column} was shown ({p})"
    return said + (", though by itself this test would have called one." if test["p"] < ALPHA else ".")


def _ends(metric: str, section: dict) -> str:
    """`0.93 in F, 0.81 in M`: the highest and the lowest group of those compared."""
    compared = [row for row in section["groups"] if row["group"] in section["tests"][metric]["groups"]]
    ordered = sorted(compared, key=lambda row: -row[metric]["value"])
    percent = NAMES[metric][1]
    return ", ".join(f"{as_text(row[metric], percent)} in {row['group']}" for row in (ordered[0], ordered[-1]))


def _blind(metric: str, detectable: float | None) -> str:
    if detectable is None:
        return "That does not show that they are equal."
    if detectable >= _WIDEST.get(metric, float("inf")):
        return "That says nothing: with so few people no difference of any size could be relied on to show."
    return (
        f"That does not show that they are equal: a difference below about {detectable:.2g}, even between the two "
        "best-measured groups, would have gone unseen here more often than one time in five."
    )


def _others(main: str, section: dict) -> str:
    """Further metrics that differ, named, since they are not what the column is judged by."""
    differ = [m for m, t in section["tests"].items() if m != main and t["p"] is not None and t["p_holm"] < ALPHA]
    if not differ:
        return ""
    listed = "; ".join(
        f"{_inside(m)}: {_ends(m, section)}, p {_p(section['tests'][m]['p_holm'])} after Holm" for m in differ
    )
    return f"Also different: {listed}."


def _small(metric: str, groups: list[dict]) -> str:
    few = [row["group"] for row in groups if row["group"] is not None and row[metric]["value"] is None]
    if not few:
        return ""
    return f"Too small to say anything about {_inside(metric)}: {', '.join(few)} (the table says why)."


def _name(metric: str) -> str:
    return NAMES[metric][0]


def _inside(metric: str) -> str:
    """The name within a sentence."""
    title = NAMES[metric][0]
    return title if title.startswith(("AUC", "Pearson")) else title[0].lower() + title[1:]


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
