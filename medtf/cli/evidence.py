"""`medtf evidence`: does the network look where experts look?"""

import click

from medtf.cli.paths import UserPath


@click.command(short_help="Does the network look where experts look, and does its answer hang on it?")
@click.argument("folders", metavar="RUN [RUN ...]", nargs=-1, required=True, type=UserPath())
@click.option(
    "--annotations",
    "sources",
    multiple=True,
    required=True,
    type=UserPath(),
    metavar="DIR_OR_CSV",
    help="A folder of masks, a sheet of boxes, or the word table; a second one is a second reader's, for the ceiling.",
)
@click.option("--data", "root", type=UserPath(), help="Folder of the data, when it has moved since the training.")
@click.option("--split", "fold", default="test", show_default=True, help="Which fold: train, valid or test.")
@click.option(
    "--method",
    "methods",
    multiple=True,
    metavar="NAME",
    help="How maps are made; may stand several times.  [default: grad-cam]",
)
@click.option("--target", help="Which target, where the run has several.")
@click.option(
    "--class", "of_class", metavar="CLASS", help="Which class of a target of classes.  [default: the one called]"
)
@click.option("--layer", help="Which layer to look into.  [default: the last one with places]")
@click.option(
    "--cases",
    default="positives",
    show_default=True,
    metavar="positives|true-positives|all",
    help="Which annotated rows are judged.",
)
@click.option(
    "--how",
    "hows",
    multiple=True,
    metavar="erase|blur|inpaint|transplant",
    help="How annotated places are changed; may stand several times.  [default: erase]",
)
@click.option(
    "--controls", type=click.IntRange(1), default=8, show_default=True, help="Equal places elsewhere, of each case."
)
@click.option("--draws", type=click.IntRange(19), default=999, show_default=True, help="Of what chance would give.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="At most N cases, drawn by chance.  [default: all]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of whatever is drawn.")
@click.option("--no-trust", is_flag=True, help="Do not ask whether the maps depend on what the network has learnt.")
@click.option("--no-intervention", is_flag=True, help="Change no pictures: minutes less, and no word about causes.")
@click.option(
    "-o", "--output", type=UserPath(), help="Folder to write to; several runs need it [default: RUN/evidence]."
)
def command(folders, sources, root, fold, output, no_trust, no_intervention, hows, methods, **asked):
    """Hold the heat maps of trained RUNs against what experts marked, and change what they marked to see what the answer makes of it.

    Writes evidence.html, evidence.json and evidence.csv. Annotations are masks (PNG, or NIfTI in the same world space), found by the names of the
    images, or boxes. Several runs must be of one table; they and several methods are compared on the same cases.
    """
    from medtf.cli import paths, show
    from medtf.errors import AskedWronglyError

    if no_intervention and hows:
        raise AskedWronglyError(f"--how {hows[0]}: nothing is changed with --no-intervention: leave one of the two out")
    show.quiet_tensorflow()
    from medtf.explain.runs import evidence_asked, evidencing

    wanted = evidence_asked.Asked(
        annotations=sources,
        methods=methods or ("grad-cam",),
        hows=() if no_intervention else tuple(dict.fromkeys(hows or ("erase",))),
        trust=not no_trust,
        **asked,
    )
    opened = evidence_asked.refuse(folders, wanted, fold=fold, output=output)
    folder = evidence_asked.destination(folders, output)
    with paths.writing(folder, "make room and give the command again"):
        content = evidencing.evidence(
            opened, wanted, folder, root=root, fold=fold, progress=show.progress, say=show.say
        )
    for line in summary(content):
        show.say(line)
    show.say(f"report: {folder / 'evidence.html'}")


def summary(content: dict) -> list[str]:
    """What is found, the table of performance and evidence, and what to mind."""
    from medtf.cli.compare import aligned
    from medtf.evaluate.compare_words import p_text
    from medtf.evaluate.pages.evidence_report import DECIDES
    from medtf.evaluate.pages.words import with_interval
    from medtf.explain.evidence.measures import NAMES

    entries, measures = content["entries"], ("pointing", "dice", "mass")  # the page has them all
    said = [counted(content)]
    said += [f"{one['name']}: {one['finding']}" if len(entries) > 1 else one["finding"] for one in entries]
    changed = [f"{how}: {words}" for how in content["hows"] for words in ("marked - elsewhere", "hottest - marked")]
    rows = [
        [
            "",
            entries[0]["performance"]["label"],
            *(NAMES[name].label for name in measures),
            "p, others'",
            *changed,
            "trust",
        ]
    ]
    for one in entries:
        cells = [with_interval(one["measures"][name]) for name in measures]
        p = one["others"][DECIDES]
        cells.append("-" if p["p"] is None else p_text(p["p_holm"]))
        for how in content["hows"]:
            for key in ("annotated_more", "hottest_more"):
                metric = one["interventions"][how][key]
                cells.append(
                    f"{with_interval(metric)} {p_text(metric['p_holm'])}"
                    if "p_holm" in metric
                    else with_interval(metric)
                )
        rows.append([one["name"], with_interval(one["performance"]["value"]), *cells, trusted(one["trust"])])
    said += aligned(rows)
    said += (content["compared"] or {}).get("words", [])
    for one in entries:
        if one["trust"] and one["trust"]["passed"] is not True:
            said.append(f"trust, {one['name']}: {one['trust']['words']}")
    return said + [f"note: {note}" for note in content["notes"]]


def counted(content: dict) -> str:
    """`test fold: 120 rows, 18 annotated, 20 positive, 18 used (any)`."""
    counts = content["runs"][0]["counts"]
    return (
        f"{content['split']} fold: {counts['rows']:,} rows, {counts['annotated']:,} annotated, {counts['positive']:,} positive,"
        f" {counts['used']:,} judged, of {counts['patients']:,} {'person' if counts['patients'] == 1 else 'people'} ({content['target']})"
    )


def trusted(trust: dict | None) -> str:
    """The verdict in a word or two."""
    if trust is None:
        return "not checked"
    return {True: "passes", False: "FAILS", None: "cannot tell"}[trust["passed"]]
